"""Our side of the rows about vectors of texts: the training loop with its public pieces, put together as the stages do it."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from torch import nn

from acclimate.data.even_order import EvenOrder
from acclimate.data.sequences import Sequences
from acclimate.evaluation.text_vectors import read_texts
from acclimate.modeling.embedder import Embedder, load_embedder
from acclimate.modeling.embedding_form import EmbeddingForm
from acclimate.modeling.folder import ModelFolder
from acclimate.modeling.products import quicken
from acclimate.modeling.text_decoder import decoder_for
from acclimate.objectives.losses.of_vectors import VECTOR_LOSSES
from acclimate.objectives.related_texts import RelatedTexts
from acclimate.objectives.tsdae import Deletion, Denoiser, GivenBack
from acclimate.objectives.vector_loss_settings import named
from acclimate.tasks.relations import Examples
from acclimate.training.checkpoint import Checkpoints
from acclimate.training.groups import decayed, in_two
from acclimate.training.interrupt import StopRequest
from acclimate.training.loop import Objective, Surroundings, TrainSettings, train
from bench.measure import Bench
from bench.ours import WEIGHT_DECAY, Marks

LR = 5e-5  # for both sides, without warm-up: the peer would take its first step at a rate of zero
DELETED = 0.6  # of the words, for both sides


@dataclass(frozen=True)
class Course:
    """How long both sides train, and on what a step."""

    steps: int
    skipped: int
    """Of them, at the beginning, that are not measured."""
    texts: int
    """Of a step; where they are pairs, so many pairs."""
    dropout: float | None
    """None: the model's own."""
    seed: int
    micro: int
    """Tokens of our largest forward pass."""


class Noting(Marks):
    """The time at the end of two steps, and the loss of all."""

    def __init__(self, begin: int, end: int) -> None:
        super().__init__(begin, end)
        self.losses: list[float] = []

    def step(self, done: int, tokens_per_second: float, loss: float | None) -> None:
        super().step(done, tokens_per_second, loss)
        assert loss is not None, "on a CPU the loss of a step is known when it is over"
        self.losses.append(loss)


@dataclass(frozen=True)
class Learned:
    """What a training of vectors did."""

    seconds: float
    losses: list[float]
    tokens: list[int]
    """Of each step: those that the loss is about or that are read, without padding."""


def order(course: Course) -> EvenOrder:
    """Which texts, or pairs, stand in which step, each in one; the peer is handed them in the same order."""
    return EvenOrder(course.steps * course.texts, course.texts, course.seed)


def ranked(bench: Bench, folder: ModelFolder, pairs: Sequence[tuple[str, str]], course: Course) -> Learned:
    """Multiple negatives ranking of pairs, as `embed: {loss: multiple_negatives}`."""
    embedder = load_embedder(folder, dropout=course.dropout)
    examples = Examples.of(list(zip(*pairs, strict=True)))
    read, seconds = _read(folder, embedder, examples.texts)
    loss = named("multiple_negatives")
    objective = RelatedTexts(read, examples, order(course), VECTOR_LOSSES[loss.loss].of(loss), (embedder.width,))
    return _learned(bench, embedder, embedder, objective, course, seconds, lambda step: objective.batch(step).tokens)


def denoised(bench: Bench, folder: ModelFolder, texts: Sequence[str], course: Course) -> Learned:
    """Texts given back from their vectors, as `pretrain: {objective: tsdae}`."""
    form = EmbeddingForm.of(folder.config).model_copy(update={"normalize": False})
    embedder = load_embedder(folder, form, course.dropout)
    read, seconds = _read(folder, embedder, texts)
    deletion = Deletion.of(folder.tokenizer(), DELETED)
    objective = GivenBack(read.store, read.windows, order(course), deletion, course.seed)
    decoder = decoder_for(embedder.encoder.model, embedder.width, embedder.length, course.seed)
    quicken(decoder)
    module = Denoiser(embedder, decoder)
    return _learned(bench, module, embedder, objective, course, seconds, lambda step: int(objective.count(objective.batch(step))))


def _read(folder: ModelFolder, embedder: Embedder, texts: Sequence[str]) -> tuple[Sequences, float]:
    tokenizer, began = folder.tokenizer(), time.perf_counter()
    return read_texts(tokenizer, texts, embedder.length), time.perf_counter() - began


def _learned(
    bench: Bench, module: nn.Module, embedder: Embedder, objective: Objective, course: Course, reading: float, tokens: Callable[[int], int]
) -> Learned:  # fmt: skip
    model = embedder.encoder.model
    own = {id(parameter) for parameter in model.parameters()}
    over = (each for each in module.parameters() if id(each) not in own)
    groups = [*decayed(model, WEIGHT_DECAY), *in_two(over, WEIGHT_DECAY)]
    settings = TrainSettings(
        title="bench", steps=course.steps, lr=LR, warmup=0.0, shape="linear", clip=1.0, seed=course.seed, micro_tokens=course.micro,
        evaluate_every=course.steps, checkpoint_seconds=1e9,
    )  # fmt: skip
    marks, devices = Noting(course.skipped, course.steps), bench.devices
    with TemporaryDirectory() as work:
        around = Surroundings(devices, marks, StopRequest())
        train(settings, objective, module.to(devices.device), groups, None, Checkpoints(Path(work)), around)
    # The peer tokenises the texts of a step within it.
    seconds = marks.seconds + reading * (course.steps - course.skipped) / course.steps
    return Learned(seconds, marks.losses, [tokens(step) for step in range(course.steps)])
