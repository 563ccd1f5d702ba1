"""What a pretraining takes, roughly, and what is to be known of it before anything is spent."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from acclimate.stages.planned import Reads, Sizes, Work
from acclimate.stages.pretraining_steps import own_tokens, planned_tokens

if TYPE_CHECKING:
    from acclimate.stages.pretrain import Pretrain


def _read(stage: "Pretrain", given: Sizes, reads: Reads) -> dict[str, float]:
    """Tokens of each corpus that are not held out, read once, special ones included."""
    found = {}
    for name in stage.shares():
        texts = reads.texts[name]
        tokens = sum(each.tokens for each in texts)
        windows = sum(each.windows(max(1, given.length(stage.max_length) - reads.special)) for each in texts)
        held = min(stage.heldout_tokens, stage.heldout_share * tokens)
        found[name] = (tokens + reads.special * windows) * (1 - held / max(tokens, 1.0))
    return found


def _tokens(stage: "Pretrain", given: Sizes, read: dict[str, float]) -> tuple[float, float]:
    """(that are trained on, those that a fresh head would learn alone)."""
    epochs = [share * read[name] for name, share in stage.shares().items() if name not in stage.replays()]
    return planned_tokens(stage, epochs, given.length(stage.max_length))


def work_of(stage: "Pretrain", given: Sizes, reads: Reads) -> Work:
    """What it takes."""
    wide = 2 if given.entries <= 1 << 16 else 4
    texts = [each for name in stage.shares() for each in reads.texts[name]]
    stored = sum(wide * each.tokens + 8 * each.sample.documents for each in texts)  # bytes of the text in the cache
    trained, warm = _tokens(stage, given, _read(stage, given, reads))
    if not given.fresh_head or not stage.head_warmup:
        warm = 0.0
    rate = stage.mask_rate or given.family.mask_rate
    head = (rate + (stage.mask_rate_end or rate)) / 2 * given.entries * given.hidden
    assert given.source is not None
    return Work(
        given.bytes,
        tokens=round(trained + warm),
        # A fresh head learns alone first: the body runs forward only.
        operations=6 * (given.body + head) * trained + (2 * given.body + 6 * head) * warm,
        cache_bytes=round(stored * (2 if len(stage.shares()) > 1 else 1)),  # several corpora are also kept as one
        cache_key=("tokens", given.source.digest, given.entries, reads.fingerprints),
    )


def notes_of(stage: "Pretrain", given: Sizes, reads: Reads) -> Iterator[str]:
    """Whether what is replayed is too little to be read once, or too much for a step."""
    if stage.replays():
        longest = given.length(stage.max_length)
        wanted = max(stage.batch_tokens, longest)
        if (whole := own_tokens(stage, wanted, longest) / (1 - stage.replay)) > 1.1 * wanted:
            yield (
                f"replay: a step has about {whole:,.0f} tokens, not {wanted:,}: of the corpus itself it reads a window of {longest:,} at "
                "least; raise `batch_tokens`, or replay less"
            )
        read = _read(stage, given, reads)
        replayed = stage.replay * _tokens(stage, given, read)[0]
        for name in stage.replays():
            if replayed > read[name]:
                times = replayed / max(1.0, read[name])
                yield f"{name}: there are about {read[name]:,.0f} tokens, so all of it is replayed {times:.1f} times"
