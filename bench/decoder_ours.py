"""Our side of the rows about decoders: the training loop with its public pieces, put together as `pretrain` and `finetune` do it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from transformers import PreTrainedModel

from acclimate.data.batches import Batch, CountOrder, TokenOrder, evaluation_batches
from acclimate.data.completions import Completions
from acclimate.data.ended import ended
from acclimate.data.ragged import IntArray
from acclimate.data.tokens import TokenStore
from acclimate.data.windows import Windows, first, sliding
from acclimate.evaluation.heldout_texts import next_words
from acclimate.modeling import heads
from acclimate.modeling.execution import Packed
from acclimate.modeling.folder import ModelFolder
from acclimate.objectives.clm import Borders, FollowingText, NextTokens, following
from acclimate.objectives.completing import Completing
from acclimate.training.checkpoint import Checkpoints
from acclimate.training.groups import decayed
from acclimate.training.interrupt import StopRequest
from acclimate.training.loop import Objective, Surroundings, train
from acclimate.training.progress import Silent
from bench import texts
from bench.measure import Bench
from bench.ours import LENGTH, WEIGHT_DECAY, Marks, Trained, settings

TOKENS = 8192  # of a forward pass of evaluation
PROMPT = 5  # a fifth of a document's words is the prompt, the rest the answer


@dataclass(frozen=True)
class Course:
    """How long both sides train, and on what a step."""

    steps: int
    skipped: int
    """Of them, at the beginning, that are not measured."""
    tokens: int
    """Real ones of a step, about."""
    seed: int


@dataclass(frozen=True)
class Documents:
    """Documents of which every token is asked for, each cut to the longest sequence."""

    store: TokenStore
    windows: Windows
    borders: Borders

    @property
    def lengths(self) -> IntArray:
        """[N] tokens."""
        return self.windows.length.astype(np.int64) + 1

    def batch(self, rows: IntArray) -> Batch:
        """Those documents."""
        return following(self.store, self.windows, rows, self.borders)

    def apart(self, held: int) -> "tuple[Documents, Documents]":
        """What is trained on, and the first so many, on which nobody trains."""
        parts = (slice(held, None), slice(held))
        learned, kept = (replace(self, windows=Windows(self.windows.start[at], self.windows.length[at], 0, 0)) for at in parts)
        return learned, kept

    def across(self) -> "Documents":
        """The same tokens in windows of one length that go on across documents, as `windows: across` has them; the last one is shorter."""
        pieces = zip(self.windows.start.tolist(), self.windows.length.tolist(), strict=True)
        text = np.concatenate([self.store.tokens[start : start + length] for start, length in pieces])
        store = TokenStore(text, np.array([0, len(text)], dtype=np.int64))
        return replace(self, store=store, windows=sliding(store, LENGTH - 1))

    def objective(self, course: Course) -> Objective:
        """As `pretrain: {objective: clm}` has it."""
        return FollowingText(self.store, self.windows, TokenOrder(self.lengths, course.tokens, course.seed), self.borders)


@dataclass(frozen=True)
class Prompts:
    """Prompts with their answers, which alone are asked for."""

    texts: Completions
    rows: IntArray

    @property
    def lengths(self) -> IntArray:
        """[N] tokens."""
        return self.texts.lengths[self.rows]

    def batch(self, rows: IntArray) -> Batch:
        """Those of `rows`."""
        return self.texts.batch(self.rows[rows])

    def apart(self, held: int) -> "tuple[Prompts, Prompts]":
        """What is trained on, and the first so many, on which nobody trains."""
        return replace(self, rows=self.rows[held:]), replace(self, rows=self.rows[:held])

    def objective(self, course: Course) -> Objective:
        """As `finetune` has it where answers are written."""
        size = max(1, round(course.tokens / self.lengths.mean()))
        return Completing(self.texts, self.rows, CountOrder(len(self.rows), size, course.seed))


Learned = Documents | Prompts


def documents(bench: Bench, folder: ModelFolder, characters: int) -> Documents:
    """Documents in tokens, each with its end."""
    borders = Borders.of(folder)
    store = ended(_stored(bench, folder, texts.documents(bench.options.data, characters), "documents"), borders.end)
    return Documents(store, first(store, LENGTH - 1), borders)


def prompts(bench: Bench, folder: ModelFolder, characters: int) -> Prompts:
    """The same documents: their beginnings are the prompts, the rest of them the answers."""
    borders, pairs = Borders.of(folder), [document.split() for document in texts.documents(bench.options.data, characters)]
    asked, right = zip(*((" ".join(w[: len(w) // PROMPT]), " ".join(w[len(w) // PROMPT :])) for w in pairs), strict=True)
    begun, rest = (_stored(bench, folder, part, name) for part, name in ((asked, "prompts"), (right, "answers")))
    made = Completions.learned(begun, rest, (borders.begin,), borders.end, LENGTH, borders.unknown)
    return Prompts(made, made.answered)


def _stored(bench: Bench, folder: ModelFolder, read: Sequence[str], name: str) -> TokenStore:
    size = sum(map(len, read))
    return TokenStore.build(bench.work / f"decoder-{name}-{size}", iter(read), folder.tokenizer(), f"bench {name} {size}")


def learn(bench: Bench, folder: ModelFolder, read: Learned, course: Course) -> Trained:
    """Train on next words, measured over the steps after the first `skipped`."""
    objective, marks = read.objective(course), Marks(course.skipped, course.steps)
    model = fit(bench, folder, objective, course, course.tokens + LENGTH, marks)
    return Trained(model, marks.seconds, sum(objective.batch(step).tokens for step in range(course.skipped, course.steps)))


def fit(bench: Bench, folder: ModelFolder, objective: Any, course: Course, micro: int, reporter: Silent) -> PreTrainedModel:
    """One call of the loop from the folder's weights; returns the model."""
    model, _ = heads.load_mlm(folder, course.seed, 0.0)
    devices = bench.devices
    with TemporaryDirectory() as work:
        around = Surroundings(devices, reporter, StopRequest())
        module = NextTokens(Packed(model).to(devices.device))
        # Without warm-up: the peers would take their first step at a learning rate of zero.
        chosen = settings(course.steps, micro, course.seed, warmup=0.0)
        train(chosen, objective, module, decayed(model, WEIGHT_DECAY), None, Checkpoints(Path(work)), around)
    return model


def loss_of(bench: Bench, folder: ModelFolder, weights: Any, kept: Learned) -> float:
    """Mean loss, nats a token that is asked for, of a model with these weights (or the folder's) on texts that nobody trained on."""
    model, _ = heads.load_mlm(folder, 0, 0.0)  # a peer's own class may have been changed by its trainer
    if weights is not None:
        model.load_state_dict(weights.state_dict())
    devices = bench.devices
    batches = [kept.batch(rows) for rows in evaluation_batches(kept.lengths, TOKENS)]
    return next_words(NextTokens(Packed(model).to(devices.device)), batches, devices).loss
