"""An exported folder in the place of a trained model's: its answers, its scores and its speed, by acclimate's own copy of the runner."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acclimate.data.ragged import Ragged
from acclimate.errors import DataError, ModelError, first_line
from acclimate.evaluation.answer_speed import BY_ONNX, Items, Way, model_bytes
from acclimate.evaluation.unread import Unread
from acclimate.export.onnx_model import FACTS, OnnxModel, facts_of, weights_beside
from acclimate.tasks import KINDS
from acclimate.tasks.kind import Link, TaskKind
from acclimate.tasks.thresholds import Thresholds


@dataclass(frozen=True)
class Served:
    """One form of an exported model, before its weights are read."""

    folder: Path
    facts: dict[str, Any]
    int8: bool = False

    @classmethod
    def forms(cls, folder: Path) -> "tuple[Served, ...]":
        """The model, and where the folder has it the one in 8-bit integers.

        Raises:
            ModelError: the folder holds none, or one of another version.
        """
        try:
            facts = facts_of(folder)
        except ValueError as error:
            raise _damaged(folder, str(error)) from error
        if missing := [name for name in ("kind", "texts", "parameters", "files") if name not in facts]:
            raise _damaged(folder, f"{FACTS} says nothing of {missing[0]}")
        return (cls(folder, facts), *([cls(folder, facts, int8=True)] if "int8" in facts["files"] else []))

    @property
    def name(self) -> str:
        """What a table calls it."""
        return f"{self.folder}, int8" if self.int8 else str(self.folder)

    @property
    def texts(self) -> int | None:
        """Of an item; None where whoever made the model did not say."""
        found: int | None = self.facts["texts"]
        return found

    @property
    def kind(self) -> type[TaskKind] | None:
        """The kind of task that it answers; None where it gives vectors, or nobody said how many texts an item has."""
        return None if self.texts is None else self._kind

    @property
    def _kind(self) -> type[TaskKind] | None:
        return next((kind for kind in KINDS if kind.model_fields["kind"].default == self.facts["kind"]), None)

    def answering(self, texts: int) -> "Answering":
        """The same, for items of so many texts where nobody said it.

        Raises:
            ModelError: it gives vectors, and no answers.
        """
        kind = self._kind
        if kind is None:
            raise ModelError(
                f"{self.folder}: an exported model that gives vectors, and no labels; they are asked for by `encode` of its onnx_model.py, "
                "and timed by `acclimate speed`"
            )
        if self.texts is None and kind.texts() != texts:
            kind = next((other for other in KINDS if other.problem == kind.problem and other.texts() == texts), kind)
        return Answering(self, kind)

    def load(self, threads: int | None = None) -> OnnxModel:
        """The model, ready to be asked by so many threads of the CPU (default all).

        Raises:
            ModelError: files are missing or damaged.
        """
        try:
            return OnnxModel(self.folder, self.int8, threads)
        except Exception as error:  # a damaged tokenizer raises a bare one
            raise _damaged(self.folder, f"{error} is missing" if isinstance(error, KeyError) else first_line(error)) from error

    def way(self, threads: int | None) -> Way:
        """As `answer_speed` times it; with as many threads as torch has where nothing is said."""
        import torch

        threads = threads or torch.get_num_threads()
        model = self.load(threads)

        def ask(items: Items) -> object:
            return outputs_of(model, items.columns, items.words)

        return Way(BY_ONNX, "cpu", threads, ask)

    @property
    def parameters(self) -> int:
        """Numbers in the weights of the model that it was made of."""
        return int(self.facts["parameters"])

    @property
    def disk_bytes(self) -> int:
        """Of all that this form needs to answer."""
        others = [graph for form, graph in self.facts["files"].items() if form != ("int8" if self.int8 else "float32")]
        left_out = {path for graph in others for path in (self.folder / graph, weights_beside(self.folder / graph))}
        return model_bytes(self.folder) - sum(path.stat().st_size for path in left_out if path.is_file())


@dataclass(frozen=True)
class Answering:
    """An exported model that answers items of a kind."""

    served: Served
    kind: type[TaskKind]

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return self.served.folder

    def predictor(self) -> "ServedPredictor":
        """The model, ready to answer.

        Raises:
            ModelError: files are missing or damaged.
        """
        return ServedPredictor(self.served.load())


class ServedPredictor:
    """An exported model behind the face of a trained one."""

    thresholds: Thresholds | None

    def __init__(self, model: OnnxModel) -> None:
        self._model = model
        self.thresholds = model.thresholds
        self.unread = Unread(int(model.facts["max_length"]))

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the order of the columns."""
        return self._model.labels

    @property
    def link(self) -> Link:
        """What its numbers mean."""
        found: Link = self._model.facts["link"]
        return found

    def probabilities(self, *columns: Sequence[str], words: Ragged | None = None) -> NDArray[np.float64]:
        """As `load_predictor` says.

        Raises:
            DataError: a text has no token.
        """
        try:
            found = outputs_of(self._model, columns, words)
            tokens = np.array(self._model.tokens(*columns)).reshape(-1, 2)
        except ValueError as error:
            raise DataError(str(error)) from error
        every, cut = tokens.sum(0).tolist()
        self.unread.count(len(tokens), int((tokens[:, 1] > 0).sum()), every, cut)
        return found


def outputs_of(model: OnnxModel, columns: Sequence[Sequence[str]], words: Ragged | None) -> NDArray[Any]:
    """What an exported model gives for items: [N, L], of a tagger [all words, L], or where it answers nothing vectors [N, E]."""
    if model.facts["output"] == "vectors" and model.facts["head"] is None:
        return model.encode(columns[0])
    spans = None if words is None else [[(begin, end) for begin, end in words[number].tolist()] for number in range(len(words))]
    return model.probabilities(*columns, words=spans)


def _damaged(folder: Path, what: str) -> ModelError:
    return ModelError(f"{folder}: the exported model cannot be read ({what}); copy the folder again, or export the model again")
