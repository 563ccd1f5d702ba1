"""What a pretraining takes, roughly, and what is to be known of it before anything is spent."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from acclimate.data.cut_texts import begins_of
from acclimate.data.sample import Measured
from acclimate.stages.adapting import FORWARD_AND_BACK, adapter_bytes
from acclimate.stages.planned import Reads, Sizes, Work
from acclimate.stages.pretraining_steps import own_tokens, planned_tokens
from acclimate.stages.without_labels import DELETE

if TYPE_CHECKING:
    from acclimate.stages.pretrain import Pretrain


def _read(stage: "Pretrain", given: Sizes, reads: Reads) -> dict[str, float]:
    """Tokens of each corpus that are not held out, read once, special ones included."""
    found = {}
    for name in stage.shares():
        texts = reads.texts[name]
        tokens = sum(each.tokens for each in texts)
        room = max(1, given.length(stage.max_length) - reads.special)
        windows = sum(max(each.windows(room), 0.0 if stage.learns_words else _texts(stage, each)) for each in texts)
        held = min(stage.heldout_tokens, stage.heldout_share * tokens)
        found[name] = (tokens + reads.special * windows) * (1 - held / max(tokens, 1.0))
    return found


def _texts(stage: "Pretrain", text: Measured) -> float:
    """How many texts documents are cut into."""
    found = sum(len(list(begins_of(each, stage.texts or "sentences"))) for each in text.sample.texts)
    return found * text.sample.characters / max(1, sum(map(len, text.sample.texts)))


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
    if not (given.fresh_head if stage.learns_words else stage.objective == "tsdae") or not stage.head_warmup:
        warm = 0.0
    body, head = _parameters(stage, given)
    asked = stage.mask_rate or given.family.mask_rate
    said = 0.0 if stage.teacher is None else stage.teacher.operations(given, trained, asked)
    assert given.source is not None
    lora = stage.lora
    return Work(
        # Adapters are merged where a stage goes on from them, so all weights are in the cache then.
        given.bytes + (0 if lora is None else adapter_bytes(lora, given)),
        tokens=round(trained + warm),
        # A fresh head learns alone first: the body runs forward only.
        operations=6 * (1 if lora is None else FORWARD_AND_BACK) * (body + head) * trained + (2 * body + 6 * head) * warm + said,
        cache_bytes=round(stored * (2 if len(stage.shares()) > 1 else 1)),  # several corpora are also kept as one
        cache_key=("tokens", given.source.digest, given.entries, reads.fingerprints),
    )


def _parameters(stage: "Pretrain", given: Sizes) -> tuple[float, float]:
    """That a token of a text goes through on average: of the encoder, and of what is over it."""
    if stage.objective == "simcse":
        return 2.0 * given.body, 0.0  # each text twice
    if stage.objective == "tsdae":
        # A layer has attention to itself, to the vector, and its wide part; the encoder sees the words that stay.
        return (1 - (stage.delete or DELETE)) * given.body, given.entries * given.hidden + 16.0 * given.hidden**2
    if not stage.masks:  # next words: every token is asked for
        return given.body, float(given.entries * given.hidden) if given.tied_head else 0.0
    rate = stage.mask_rate or given.family.mask_rate
    return given.body, (rate + (stage.mask_rate_end or rate)) / 2 * given.entries * given.hidden


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
