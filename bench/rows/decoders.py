"""Decoders, a Llama of 6 layers with weights at random: our loop on next words and answers, against transformers' Trainer and TRL's.

`clm` is continued pretraining: documents of up to 512 tokens, against a Trainer that pads them, and against run_clm.py's blocks of 512
tokens, in which a token sees the documents before its own. Beside blocks ours learns in both ways that `pretrain` offers: in windows that
go on across documents, as blocks do, and in windows within them. Held-out documents are asked for each by itself, and one after another, in
windows across them. Ours has the token that begins texts before every window, blocks have none: like for like are blocks with it, which the
peer learns from besides. `sft` learns the answers to prompts (the same documents: a fifth of the words is the prompt), against TRL's
SFTTrainer without its packing, with it, and with the checkpoints of activations that it makes by default. All take steps of about as many
real tokens. Every run is a process of its own: counted are whole steps after the first ones, and what the process grows by from before the
model is loaded; then the loss on documents that nobody trained on.

`replay-decoders` feeds our loop the peers' very batches, their padding taken off, as `replay` does for masked words.
"""

import statistics
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
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
BEGUN = f"{BLOCKS}, each behind a begin"
TRL, TRL_PACKED, TRL_CHECKPOINTS = "TRL, padded", "TRL, packed", "TRL, padded, checkpoints"
ACROSS = f"{OURS}, across documents"
MEMORY, APART = "memory", "held-out losses apart"
EACH, JOINED = "", ", asked across documents"  # held-out documents each by itself, or one after another
OUR_SIDES = (OURS, ACROSS)
SPEED = {PADDED: 2.0, BLOCKS: 1.2, TRL: 2.0, TRL_PACKED: 1.2, TRL_CHECKPOINTS: 2.0}


@dataclass(frozen=True)
class Against:
    """Two sides that are compared."""

    variant: str
    peer: str
    ours: str = OURS
    asked: tuple[str, ...] = (EACH,)
    """Forms of held-out text."""
    alike: str | None = EACH
    """The form in which they are held to the same loss; None where they learn from windows that are not alike."""


@dataclass(frozen=True)
class Work:
    """What is learned, and from whom the peers are."""

    what: Literal["clm", "sft"]
    against: tuple[Against, ...]
    steps: int
    skipped: int = 1
    besides: Mapping[str, str] = field(default_factory=dict)
    """What a side's process learns after what is measured, with another seed: for its loss alone."""

    @property
    def sides(self) -> tuple[str, ...]:
        """What is measured, each once."""
        every = dict.fromkeys([side for each in self.against for side in (each.ours, each.peer)])
        return tuple(side for side in every if side in self.besides or side not in self.besides.values())


BOTH = (EACH, JOINED)
CLM = Work(
    "clm",
    (
        Against(PADDED, PADDED),
        Against(BLOCKS, BLOCKS, ACROSS, BOTH, alike=None),
        Against(BEGUN, BEGUN, ACROSS, BOTH, alike=JOINED),
        Against(f"{BLOCKS}, ours within documents", BLOCKS, OURS, BOTH, alike=None),
    ),
    8,
    besides={ACROSS: ACROSS, BLOCKS: BEGUN},
)
SFT = Work("sft", tuple(Against(peer, peer) for peer in (TRL, TRL_PACKED, TRL_CHECKPOINTS)), 6)
REPLAYED = (("clm", PADDED), ("sft", TRL), ("sft", TRL_PACKED))


def read(bench: Bench, base: models.Base, what: str) -> tuple[decoder_ours.Learned, decoder_ours.Learned]:
    """What is trained on, and what is kept apart."""
    if bench.kind == "gpu":
        raise RuntimeError("measured on a CPU alone")
    made: Any = decoder_ours.documents if what == "clm" else decoder_ours.prompts
    whole: decoder_ours.Learned = made(bench, base.folder, bench.options.sized(600_000, 60_000))
    return whole.apart(bench.options.sized(60, 4))


def child(bench: Bench, spec: dict[str, Any]) -> dict[str, Any]:
    """One side, in a process of its own, and what it learns besides."""
    base, course, side = models.base(bench, models.decoder(bench)), Course(**spec["course"]), spec["side"]
    learned, kept = read(bench, base, spec["what"])
    if side in OUR_SIDES:
        bench.devices  # noqa: B018  made before, as the libraries are loaded before
    else:
        from bench import decoder_peers  # noqa: F401  loaded before
    texts = {EACH: kept, **({JOINED: kept.across()} if isinstance(kept, decoder_ours.Documents) else {})}
    with Peak() as peak:
        trained = _learn(bench, base, learned, course, side)
    models_of = {side: [trained.model]}
    if spec["besides"]:
        other = _learn(bench, base, learned, replace(course, seed=spec["seed_besides"]), spec["besides"])
        models_of.setdefault(spec["besides"], []).append(other.model)
    losses = {
        each: {form: [decoder_ours.loss_of(bench, base.folder, model, text) for model in found] for form, text in texts.items()}
        for each, found in models_of.items()
    }
    return {"speed": trained.speed, "tokens": trained.tokens, "losses": losses, "bytes": peak.bytes}


def _learn(bench: Bench, base: models.Base, learned: decoder_ours.Learned, course: Course, side: str) -> Trained:
    if side == ACROSS:
        assert isinstance(learned, decoder_ours.Documents)
        learned = learned.across()
    if side in OUR_SIDES:
        return decoder_ours.learn(bench, base.folder, learned, course)
    from bench import decoder_peers

    return decoder_peers.learn(bench, base, learned, course, side).trained


def compared(bench: Bench, work: Work) -> list[Cell]:
    """Speed, memory and held-out loss against each peer."""
    name, found = models.decoder(bench), {side: list[dict[str, Any]]() for side in work.sides}
    models.base(bench, name)
    steps, rounds = bench.options.sized(work.steps, 2), bench.options.rounds

    def measured(side: str) -> Callable[[int], float]:
        def measure(seed: int) -> float:
            course = asdict(Course(steps, work.skipped, bench.batch_tokens, seed))
            spec = {"what": work.what, "side": side, "course": course, "besides": work.besides.get(side), "seed_besides": rounds + seed}
            found[side].append(in_child(bench, "decoders", spec))
            return float(found[side][-1]["speed"])

        return measure

    speed = interleave({side: measured(side) for side in work.sides}, rounds)
    every = [one for runs in found.values() for one in runs]
    cells = []
    for each in work.against:
        both = {OURS: each.ours, each.peer: each.peer}
        if each.peer in speed:
            counted = ", ".join(f"{said} {found[side][0]['tokens'] / (steps - work.skipped):,.0f}" for said, side in both.items())
            fast = {said: speed[side] for said, side in both.items()}
            cells.append(versus(each.variant, fast, each.peer, "tokens/s", model=name, note=f"real tokens a step: {counted}"))
            memory = {said: [one["bytes"] / MEGA for one in found[side]] for said, side in both.items()}
            cells.append(versus(f"{each.variant}: {MEMORY}", memory, each.peer, "MB", model=name))
        for form in each.asked:
            losses = {said: [loss for one in every for loss in one["losses"].get(side, {}).get(form, [])] for said, side in both.items()}
            if rounds > 1:
                cells.append(_apart(f"{each.variant}: {APART}{form}", losses, each.peer, name))
    return cells


def _apart(variant: str, losses: dict[str, list[float]], peer: str, name: str) -> Cell:
    # In standard errors of the difference of the means, as the row `noise`; of both sides together, for one may have few trainings.
    means = {side: statistics.fmean(values) for side, values in losses.items()}
    gap = means[OURS] - means[peer]
    squares = sum((loss - means[side]) ** 2 for side, values in losses.items() for loss in values)
    counts = [len(values) for values in losses.values()]
    error = (squares / (sum(counts) - 2) * sum(1 / count for count in counts)) ** 0.5
    value = abs(gap) / max(error, 1e-12)
    trainings = " and ".join(map(str, counts))
    note = f"ours {abs(gap):.4f} nats {'lower' if gap < 0 else 'higher'}, standard error {error:.4f}, of {trainings} trainings"
    return Cell(variant, value, "standard errors", value, value, name, losses, "nats", note)


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
    for each in work.against:
        if each.peer in work.sides:
            bars[each.variant] = Bar(SPEED[each.peer])
            bars[f"{each.variant}: {MEMORY}"] = Bar(0.8, "at most")
        if each.alike is not None:
            # Of few trainings, which is why chance alone rarely puts them so far apart.
            bars[f"{each.variant}: {APART}{each.alike}"] = Bar(4, "at most", "standard errors")
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
