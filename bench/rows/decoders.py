"""Decoders, a Llama of 6 layers with weights at random: our loop on next words and answers, against transformers' Trainer and TRL's.

`clm` is continued pretraining: documents of up to 512 tokens, against a Trainer that pads them and against run_clm.py's blocks of 512
tokens, in which a token sees the documents before its own. `sft` learns the answers to prompts (the same documents: a fifth of the words
is the prompt), against TRL's SFTTrainer without its packing, with it, and with the checkpoints of activations that it makes by default.
All take steps of about as many real tokens. Every run is a process of its own: counted are whole steps after the first ones, and what the
process grows by from before the model is loaded; then the loss on documents that nobody trained on.

`replay-decoders` feeds our loop the peers' very batches, their padding taken off, as `replay` does for masked words.
"""

import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Literal

from acclimate.training.progress import Silent
from bench import decoder_ours, models
from bench.child import in_child
from bench.decoder_ours import Course
from bench.measure import OURS, Bar, Bench, Cell, Row, interleave, single, versus
from bench.ours import Trained
from bench.recorded import Recorded
from bench.rows.memory import MEGA, Peak

PADDED, BLOCKS = "Trainer, padded", "run_clm, blocks of 512"
TRL, TRL_PACKED, TRL_CHECKPOINTS = "TRL, padded", "TRL, packed", "TRL, padded, checkpoints"
MEMORY, APART = "memory", "held-out losses apart"
SPEED = {PADDED: 2.0, BLOCKS: 1.2, TRL: 2.0, TRL_PACKED: 1.2, TRL_CHECKPOINTS: 2.0}


@dataclass(frozen=True)
class Work:
    """What is learned, and from whom the peers are."""

    what: Literal["clm", "sft"]
    against: tuple[str, ...]
    steps: int
    skipped: int = 1


CLM = Work("clm", (PADDED, BLOCKS), 8)
SFT = Work("sft", (TRL, TRL_PACKED, TRL_CHECKPOINTS), 6)
REPLAYED = (("clm", PADDED), ("sft", TRL), ("sft", TRL_PACKED))


def read(bench: Bench, base: models.Base, what: str) -> tuple[decoder_ours.Learned, decoder_ours.Learned]:
    """What is trained on, and what is kept apart."""
    if bench.kind == "gpu":
        raise RuntimeError("measured on a CPU alone")
    made: Any = decoder_ours.documents if what == "clm" else decoder_ours.prompts
    whole: decoder_ours.Learned = made(bench, base.folder, bench.options.sized(600_000, 60_000))
    return whole.apart(bench.options.sized(60, 4))


def child(bench: Bench, spec: dict[str, Any]) -> dict[str, Any]:
    """One side, in a process of its own."""
    base, course = models.base(bench, models.decoder(bench)), Course(**spec["course"])
    learned, kept = read(bench, base, spec["what"])
    run: Callable[[], Trained]
    if spec["side"] == OURS:
        bench.devices  # noqa: B018  made before, as the libraries are loaded before
        run = partial(decoder_ours.learn, bench, base.folder, learned, course)
    else:
        from bench import decoder_peers

        side = spec["side"]

        def run() -> Trained:
            return decoder_peers.learn(bench, base, learned, course, side).trained

    with Peak() as peak:
        trained = run()
    loss = decoder_ours.loss_of(bench, base.folder, trained.model, kept)
    return {"speed": trained.speed, "tokens": trained.tokens, "loss": loss, "bytes": peak.bytes}


def compared(bench: Bench, work: Work) -> list[Cell]:
    """Speed, memory and held-out loss against each peer."""
    name, found = models.decoder(bench), dict[str, list[dict[str, Any]]]()
    models.base(bench, name)
    steps = bench.options.sized(work.steps, 2)

    def side(peer: str) -> Callable[[int], float]:
        def measure(seed: int) -> float:
            course = asdict(Course(steps, work.skipped, bench.batch_tokens, seed))
            found.setdefault(peer, []).append(in_child(bench, "decoders", {"what": work.what, "side": peer, "course": course}))
            return float(found[peer][-1]["speed"])

        return measure

    rounds = interleave({peer: side(peer) for peer in (OURS, *work.against)}, bench.options.rounds)
    memory = {peer: [each["bytes"] / MEGA for each in found[peer]] for peer in rounds}
    losses = {peer: [each["loss"] for each in found[peer]] for peer in rounds}
    cells = []
    for peer in work.against:
        counted = ", ".join(f"{side} {found[side][0]['tokens'] / (steps - work.skipped):,.0f}" for side in (OURS, peer))
        cells.append(versus(peer, rounds, peer, "tokens/s", model=name, note=f"real tokens a step: {counted}"))
        cells.append(versus(f"{peer}: {MEMORY}", memory, peer, "MB", model=name))
        if bench.options.rounds > 1:
            cells.append(_apart(f"{peer}: {APART}", losses, peer, name))
    return cells


def _apart(variant: str, losses: dict[str, list[float]], peer: str, name: str) -> Cell:
    # In standard errors of the difference of the means, as the row `noise`.
    both = {side: losses[side] for side in (OURS, peer)}
    gap = abs(statistics.fmean(both[OURS]) - statistics.fmean(both[peer]))
    error = (sum(statistics.variance(values) / len(values) for values in both.values())) ** 0.5
    value = gap / max(error, 1e-12)
    return Cell(variant, value, "standard errors", value, value, name, both, "nats", f"{gap:.4f} nats apart")


def replayed(bench: Bench, what: str, side: str) -> Cell:
    """How far apart held-out losses are after training on the peer's own batches."""
    from bench import decoder_peers

    base = models.base(bench, models.decoder(bench))
    learned, kept = read(bench, base, what)
    course = Course(bench.options.sized(50, 4), 1, bench.options.sized(768, 512), 0)
    theirs = decoder_peers.learn(bench, base, learned, course, side)
    batches = theirs.batches[: course.steps]
    objective, micro = Recorded(batches, lambda model, batch: model(batch)), max(batch.tokens for batch in batches)
    mine = decoder_ours.fit(bench, base.folder, objective, course, micro, Silent())
    before, own, peer = (decoder_ours.loss_of(bench, base.folder, model, kept) for model in (None, mine, theirs.trained.model))
    note = f"{course.steps} steps on the peer's own batches: {own:.5f} and {peer:.5f} nats, {before:.5f} before"
    return single(f"{what}, {side}: difference", [abs(own - peer)], "nats", model=base.name, note=note)


def _row(work: Work, timed: str) -> Row:
    bars = {}
    for peer in work.against:
        bars[peer] = Bar(SPEED[peer])
        bars[f"{peer}: {MEMORY}"] = Bar(0.8, "at most")
        # Of few rounds, which is why chance alone rarely puts them so far apart.
        bars[f"{peer}: {APART}"] = Bar(4, "at most", "standard errors")
    return Row(work.what, timed, lambda bench: compared(bench, work), {"cpu": bars})


ROWS = (
    _row(CLM, "real tokens a second and MB, of whole steps of continued pretraining of a decoder"),
    _row(SFT, "real tokens a second and MB, of whole steps of learning answers to prompts"),
    Row(
        "replay-decoders",
        "held-out loss after training on identical batches",
        lambda bench: [replayed(bench, what, side) for what, side in REPLAYED],
        {"cpu": {f"{what}, {side}: difference": Bar(0.00005, "at most", "nats", promise=True) for what, side in REPLAYED}},
    ),
)
