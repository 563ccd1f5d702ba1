"""Our side: the training loop with its public pieces, and the stage `finetune` as a study runs it."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import numpy as np
from transformers import PreTrainedModel

from acclimate.data.batches import Batch, TokenOrder
from acclimate.data.hidden_outputs import FACTS_FILE as OUTPUTS
from acclimate.data.tokens import TokenStore
from acclimate.data.windows import Windows, first
from acclimate.modeling import folder as folders
from acclimate.modeling import heads
from acclimate.modeling.execution import Packed
from acclimate.modeling.folder import ModelFolder
from acclimate.objectives.mlm import MaskedText, Vocabulary
from acclimate.stages.base import Context, Outcome, Runtime
from acclimate.stages.distill import Distill
from acclimate.stages.finetune import Finetune
from acclimate.tasks.classify import Classify
from acclimate.tasks.labelled_kind import LabelledKind
from acclimate.tasks.opened import Data, DataSettings
from acclimate.training.checkpoint import Checkpoints
from acclimate.training.devices import Devices
from acclimate.training.groups import decayed
from acclimate.training.interrupt import StopRequest
from acclimate.training.loop import Objective, Surroundings, TrainSettings, train
from acclimate.training.progress import Silent
from bench import texts
from bench.measure import Bench, synchronise

LENGTH = 512  # tokens of a sequence at most, special ones included
LR, RATE, WEIGHT_DECAY, WARMUP = 1e-4, 0.15, 0.01, 0.06  # of masked language modelling, for both sides


@dataclass(frozen=True)
class Text:
    """Tokenised text as windows, ready to train on."""

    store: TokenStore
    windows: Windows
    words: Vocabulary

    @property
    def lengths(self) -> "np.ndarray[Any, np.dtype[np.int64]]":
        """Tokens of each sequence, special ones included."""
        return self.windows.length.astype(np.int64) + len(self.words.prefix) + len(self.words.suffix)

    def sequences(self) -> list[list[int]]:
        """The token ids of each sequence, special ones included: what a peer is given."""
        pairs = zip(self.windows.start.tolist(), self.windows.length.tolist(), strict=True)
        prefix, suffix = list(self.words.prefix), list(self.words.suffix)
        return [[*prefix, *self.store.tokens[start : start + length].tolist(), *suffix] for start, length in pairs]


def lines(bench: Bench, folder: ModelFolder, characters: int, corpora: tuple[str, ...] = texts.CORPORA) -> Text:
    """Documents, each cut to the longest sequence; tokenised once a run."""
    words = Vocabulary.of(folder.tokenizer(), whole_word=False)
    read = texts.documents(bench.options.data, characters, corpora)
    key = f"bench {characters} {' '.join(corpora)}"
    store = TokenStore.build(bench.work / f"tokens-{characters}-{corpora[0]}", iter(read), folder.tokenizer(), key)
    return Text(store, first(store, LENGTH - len(words.prefix) - len(words.suffix)), words)


def blocks(rows: list[list[int]], words: Vocabulary) -> Text:
    """Ready-made blocks, which hold their special tokens already, as a store of their own."""
    lengths = [len(row) for row in rows]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    store = TokenStore(np.array([token for row in rows for token in row], dtype=np.uint32), offsets)
    return Text(store, first(store, max(lengths)), replace(words, prefix=(), suffix=()))


class Marks(Silent):
    """The time at the end of two steps: what lies between is measured."""

    def __init__(self, begin: int, end: int) -> None:
        self._begin, self._end = begin, end
        self.times: dict[int, float] = {}

    def step(self, done: int, tokens_per_second: float, loss: float | None) -> None:
        if done in (self._begin, self._end):
            synchronise()
            self.times[done] = time.perf_counter()

    @property
    def seconds(self) -> float:
        return self.times[self._end] - self.times[self._begin]


@dataclass(frozen=True)
class Trained:
    """What a measured training did."""

    model: PreTrainedModel
    seconds: float
    tokens: int  # real ones, in the measured steps
    operations: float = 0.0  # executed in the measured steps

    @property
    def speed(self) -> float:
        """Real tokens a second."""
        return self.tokens / self.seconds


def settings(steps: int, micro_tokens: int, seed: int, warmup: float = WARMUP) -> TrainSettings:
    """The loop's settings of every benchmark of masked language modelling."""
    return TrainSettings(
        title="bench", steps=steps, lr=LR, warmup=warmup, shape="linear", clip=1.0, seed=seed, micro_tokens=micro_tokens,
        evaluate_every=steps, checkpoint_seconds=1e9,
    )  # fmt: skip


def mlm(
    bench: Bench, folder: ModelFolder, text: Text, *, steps: int, skipped: int, dropout: float, seed: int, warmup: float = WARMUP
) -> Trained:
    """Masked language modelling, measured over the steps after the first `skipped`."""
    order = TokenOrder(text.lengths, bench.batch_tokens, seed)
    objective = MaskedText(text.store, text.windows, order, text.words, RATE, seed)
    model, _ = heads.load_mlm(folder, seed, dropout)
    marks = Marks(skipped, steps)
    fit(bench.devices, model, objective, settings(steps, bench.batch_tokens + LENGTH, seed, warmup), marks)
    measured = [objective.batch(step) for step in range(skipped, steps)]
    tokens = sum(batch.tokens for batch in measured)
    return Trained(model, marks.seconds, tokens, sum(operations(model, batch) for batch in measured))


def fit(devices: Devices, model: PreTrainedModel, objective: Objective, settings: TrainSettings, reporter: Silent) -> None:
    """One call of the loop, its checkpoints thrown away."""
    with TemporaryDirectory() as work:
        packed = Packed(model).to(devices.device)
        groups = decayed(model, WEIGHT_DECAY)
        train(settings, objective, packed, groups, None, Checkpoints(Path(work)), Surroundings(devices, reporter, StopRequest()))


def operations(model: PreTrainedModel, batch: Batch) -> float:
    """Floating-point operations that one step of masked language modelling executes on a packed batch.

    6 x weights of the layers x tokens (2 forward, 4 backward) + 12 x layers x hidden x sum over sequences of L^2 (two products of the
    attention; where a layer sees a window only, L x the window) + 6 x weights of the head, tied decoder included, x masked tokens.
    """
    config = model.config
    base: Any = model.base_model
    masked = len(batch.targets["target_ids"])
    body = {id(p) for p in base.parameters()}
    embeddings = model.get_input_embeddings()
    outside = {id(p) for p in base.embeddings.parameters()}
    layers = sum(p.numel() for p in base.parameters() if p.ndim > 1 and id(p) not in outside)
    head = sum(p.numel() for p in model.parameters() if p.ndim > 1 and id(p) not in body) + sum(p.numel() for p in embeddings.parameters())
    lengths = batch.lengths.astype(np.float64)
    kinds = getattr(config, "layer_types", None) or ["full_attention"] * config.num_hidden_layers
    window = getattr(config, "local_attention", None) or np.inf
    seen = sum(float((lengths * (lengths if kind == "full_attention" else np.minimum(lengths, window))).sum()) for kind in kinds)
    return float(6.0 * layers * batch.tokens + 12.0 * config.hidden_size * seen + 6.0 * head * masked)


@dataclass
class Span:
    """From the moment a stage has its model loaded to the moment it hands it over to be saved."""

    begin: float = 0.0
    end: float = 0.0

    @property
    def seconds(self) -> float:
        """How long it took; everything that is computed for the training is in it, cached features too."""
        assert 0.0 < self.begin < self.end, "the stage no longer loads by load_classifier and saves by save_model"
        return self.end - self.begin


@contextmanager
def span() -> Iterator[Span]:
    """Note when the stage that runs in the block has loaded its model (of a distillation its teacher), and when it begins to save it."""
    measured = Span()
    save = folders.save_model

    def noting(load: Callable[..., Any]) -> Callable[..., Any]:
        def loaded(*arguments: Any, **named: Any) -> Any:
            model = load(*arguments, **named)
            synchronise()
            measured.begin = measured.begin or time.perf_counter()  # a student is loaded when its teacher has been asked
            return model

        return loaded

    def saving(*arguments: Any, **named: Any) -> Any:
        synchronise()
        measured.end = time.perf_counter()
        return save(*arguments, **named)

    with (
        mock.patch.object(heads, "load_classifier", noting(heads.load_classifier)),
        mock.patch.object(heads, "load_tagger", noting(heads.load_tagger)),
        mock.patch("acclimate.stages.teacher.load_trained_classifier", noting(heads.load_trained_classifier)),
        mock.patch("acclimate.stages.trainer.save_model", saving),
    ):
        yield measured


def task_data(place: Path, rows: texts.Labelled, kind: type[LabelledKind] = Classify) -> Data:
    """A labelled task, written to files and opened as a study opens it."""
    for split in ("train", "dev", "test"):
        texts.write_rows(place / f"{split}.jsonl", getattr(rows, split))
    task = kind.model_validate({split: f"{split}.jsonl" for split in ("train", "dev", "test")})
    return Data.open(DataSettings(task=task), place)


def finetune(
    bench: Bench, folder: ModelFolder, data: Data, stage: Finetune | Distill, seed: int, beside: Mapping[str, ModelFolder] = {},
    keep: Path | None = None,
) -> tuple[float, Outcome]:  # fmt: skip
    """The stage as a study runs it; seconds from the loaded model and tokenised texts to the trained, evaluated model.

    `beside` are the models that it needs besides; `keep` is where what it leaves is kept.
    """
    runtime = Runtime(bench.devices, Silent(), StopRequest())
    # Texts stay tokenised from one run to the next; what frozen layers and teachers give is part of what is timed.
    for facts in (bench.work / "cache").glob(f"*/{OUTPUTS}"):
        rmtree(facts.parent)
    with TemporaryDirectory(dir=bench.work) as place, span() as measured:
        output = keep or Path(place) / "output"
        output.mkdir(parents=True)
        work = Path(place) / "work"
        context = Context(data, "all", seed, "bench", bench.work / "cache", work, output, runtime, beside=beside)
        outcome = stage.run(folder, context)
    return measured.seconds, outcome
