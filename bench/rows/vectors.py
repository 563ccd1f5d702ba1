"""Learning vectors of texts: the loop that the stages `embed` and `pretrain` run, against sentence-transformers' own trainer.

`multiple-negatives` is MultipleNegativesRankingLoss on pairs of sentences that belong together, `cached-negatives` the same with a batch of
1,024 whose gradients are cached (ours in passes of 512 tokens, the peer's in its own of 32 texts), `tsdae` DenoisingAutoEncoderLoss.
Both sides read the same texts in the same steps, and each row makes sure of it: by their tokens, and where nothing is drawn (dropout 0) by
the loss of the first step. TSDAE's two decoders differ: ours has one layer and the encoder's word embeddings; the peer's is the whole
encoder once more, with the same weights, or (the second variant) one layer with word embeddings of its own.

Every run is a process of its own. Counted are whole steps after the first ones, tokenising included on both sides, and what the process
grows by from before the model is loaded.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import transformers

from bench import models, texts, vector_ours
from bench.child import in_child
from bench.measure import OURS, Bar, Bench, Cell, Row, interleave, single, versus
from bench.rows.memory import MEGA, Peak
from bench.vector_ours import Course, Learned

PEER, ONE_LAYER = "sentence-transformers", "sentence-transformers, decoder of one layer"
PASS = 32  # texts of a pass of CachedMultipleNegativesRankingLoss, its default
APART, MEMORY = "first losses apart", "memory"


@dataclass(frozen=True)
class Work:
    """What is learned, and how long."""

    what: Literal["ranked", "cached", "denoised"]
    batch: int
    steps: int
    skipped: int
    dropout: float | None
    against: tuple[str, ...] = (PEER,)
    micro: int = 1 << 20  # tokens of our largest pass; what one step has fits into one

    @property
    def name(self) -> str:
        """Of the variant."""
        return f"batch {self.batch:,}, {'own dropout' if self.dropout is None else f'dropout {self.dropout:g}'}"

    def variant(self, peer: str) -> str:
        """Its name, and the peer's where there are several."""
        return self.name if len(self.against) == 1 else f"{self.name}, {peer}"


RANKED = (Work("ranked", 32, 12, 2, None), Work("ranked", 64, 10, 2, None), Work("ranked", 64, 8, 2, 0.0))
CACHED = (Work("cached", 1024, 2, 1, 0.0, micro=512),)
DENOISED = (Work("denoised", 32, 8, 2, None, (PEER, ONE_LAYER)),)


def child(bench: Bench, spec: dict[str, Any]) -> dict[str, Any]:
    """One side, in a process of its own."""
    if bench.kind == "gpu":
        raise RuntimeError("measured on a CPU alone: the peer's losses are looked at in every step")
    base = models.base(bench, models.names(bench)[0])
    course, denoised = Course(**spec["course"]), spec["what"] == "denoised"
    count = course.steps * course.texts
    pairs = [] if denoised else texts.belonging(bench.options.data, count)
    read = texts.sentences(bench.options.data, count) if denoised else []
    if len(pairs or read) < count:
        raise RuntimeError(f"{count:,} texts or pairs are wanted, and there are {len(pairs or read):,}")
    run: Callable[[], Learned]
    if spec["side"] == OURS:
        bench.devices  # noqa: B018  made before, as the libraries are loaded before
        if denoised:
            run = partial(vector_ours.denoised, bench, base.folder, read, course)
        else:
            run = partial(vector_ours.ranked, bench, base.folder, pairs, course)
    else:
        from bench import vector_peers

        if denoised:
            run = partial(vector_peers.denoised, base, read, course, _decoder(bench, base) if spec["side"] == ONE_LAYER else None)
        else:
            run = partial(vector_peers.ranked, base, pairs, course, PASS if spec["what"] == "cached" else None)
    with Peak() as peak:
        learned = run()
    return {**asdict(learned), "bytes": peak.bytes}


def _decoder(bench: Bench, base: models.Base) -> Path:
    """A decoder of one layer, its weights at random."""
    folder = bench.work / "decoder"
    if not folder.is_dir():
        config = transformers.AutoConfig.from_pretrained(base.path, num_hidden_layers=1, is_decoder=True, add_cross_attention=True)
        auto: Any = transformers.AutoModelForCausalLM
        auto.from_config(config).save_pretrained(folder)
        transformers.AutoTokenizer.from_pretrained(base.path).save_pretrained(folder)
    return folder


def compared(bench: Bench, work: Work) -> list[Cell]:
    """Speed and memory against each peer; where nothing is drawn, how far apart the first losses are."""
    batch, steps, skipped = (8, 2, 1) if bench.options.quick else (work.batch, work.steps, work.skipped)
    found: dict[str, list[dict[str, Any]]] = {}

    def side(name: str) -> Callable[[int], float]:
        def measure(seed: int) -> float:
            course = asdict(Course(steps, skipped, batch, work.dropout, seed, work.micro))
            found.setdefault(name, []).append(in_child(bench, "vectors", {"what": work.what, "side": name, "course": course}))
            return batch * (steps - skipped) / float(found[name][-1]["seconds"])

        return measure

    rounds = interleave({name: side(name) for name in (OURS, *work.against)}, bench.options.rounds)
    memory = {name: [each["bytes"] / MEGA for each in found[name]] for name in rounds}
    unit = "texts/s" if work.what == "denoised" else "pairs/s"
    tokens = [count for each in found[OURS] for count in each["tokens"]]
    note = f"{sum(tokens) / len(tokens) / batch:.0f} tokens a {unit.partition('s/')[0]} in the mean"
    cells = []
    for peer in work.against:
        if any(mine["tokens"] != theirs["tokens"] for mine, theirs in zip(found[OURS], found[peer], strict=True)):
            raise RuntimeError(f"{work.variant(peer)}: not the tokens that we read, but {[each['tokens'] for each in found[peer]]}")
        cells.append(versus(work.variant(peer), rounds, peer, unit, note=note))
        cells.append(versus(f"{work.variant(peer)}: {MEMORY}", memory, peer, "MB"))
        if work.dropout == 0 and work.what != "denoised":
            both = zip(found[OURS], found[peer], strict=True)
            cells.append(single(f"{work.variant(peer)}: {APART}", [abs(a["losses"][0] - b["losses"][0]) for a, b in both], "nats"))
    return cells


def _row(name: str, timed: str, works: tuple[Work, ...], memory: float) -> Row:
    bars = {}
    for work in works:
        for peer in work.against:
            bars[work.variant(peer)] = Bar(2)
            bars[f"{work.variant(peer)}: {MEMORY}"] = Bar(memory, "at most")
        if work.dropout == 0 and work.what != "denoised":
            bars[f"{work.variant(PEER)}: {APART}"] = Bar(1e-4, "at most", "nats", promise=True)
    return Row(name, timed, lambda bench: [cell for work in works for cell in compared(bench, work)], {"cpu": bars})


ROWS = (
    _row("multiple-negatives", "pairs a second and MB, of whole steps of training vectors by pairs", RANKED, 1),
    _row("cached-negatives", "pairs a second and MB, of a whole step with cached gradients", CACHED, 1),
    _row("tsdae", "texts a second and MB, of whole steps of giving texts back from their vectors", DENOISED, 1),
)
