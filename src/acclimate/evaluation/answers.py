"""What a model answers, by the kind of model: a label, several, a number, entities or a text; as a JSON object and as cells of a table."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from acclimate.data.ragged import Ragged
from acclimate.evaluation.entities import entities_in
from acclimate.evaluation.writing_predictor import WrittenAnswer
from acclimate.modeling.links import ProblemType
from acclimate.tasks.thresholds import HALF, Thresholds, largest_multiple

DIGITS = 6  # of a probability behind the point


class AnswerForm(Protocol):
    """The form of all answers of one model."""

    def answers(self, outputs: Any, texts: Sequence[str], words: Ragged | None) -> list[dict[str, Any]]:
        """An answer for each of the items that the model's outputs are about; `words` as in `Split.words`, where these are asked about."""

    @property
    def none(self) -> dict[str, None]:
        """In the place of an answer to a row without text."""

    @property
    def columns(self) -> list[str]:
        """The columns of a table of answers."""

    def cells(self, answer: dict[str, Any]) -> Sequence[Any]:
        """An answer's cells below `columns`; empty ones where there is none."""


@dataclass(frozen=True)
class LabelForm:
    """One label, several or numbers, for an item as a whole."""

    labels: tuple[str, ...]
    problem: ProblemType
    thresholds: Thresholds | None = None
    """[L] above which probability each of several labels is given; of one label by which multiple of them. None: one half."""

    def answers(self, outputs: NDArray[np.float64], texts: Sequence[str], words: Ragged | None) -> list[dict[str, Any]]:
        """An answer for each row of outputs [N, L]."""
        return [self.of(output_L) for output_L in outputs]

    def of(self, output_L: NDArray[np.float64]) -> dict[str, Any]:
        """The answer that these outputs mean."""
        if self.problem == "regression":
            # Seven digits are what a float32 holds, whatever its size.
            numbers = {label: float(f"{value:.7g}") for label, value in zip(self.labels, output_L.tolist(), strict=True)}
            return {"value": next(iter(numbers.values()))} if len(numbers) == 1 else {"values": numbers}
        probabilities = {label: round(value, DIGITS) for label, value in zip(self.labels, output_L.tolist(), strict=True)}
        if self.problem == "multi_label_classification":
            above = output_L > (HALF if self.thresholds is None else self.thresholds)
            given = [label for label, holds in zip(self.labels, above.tolist(), strict=True) if holds]
            return {"labels": given, "probabilities": probabilities}
        return {"label": self.labels[int(largest_multiple(output_L[None], self.thresholds)[0])], "probabilities": probabilities}

    @property
    def none(self) -> dict[str, None]:
        """In the place of an answer to a row without text."""
        return dict.fromkeys(self.of(np.zeros(len(self.labels))))

    @property
    def columns(self) -> list[str]:
        """The columns of a table of answers."""
        if self.problem == "regression":
            return ["value"] if len(self.labels) == 1 else [f"value_{label}" for label in self.labels]
        first = "labels" if self.problem == "multi_label_classification" else "label"
        return [first, *(f"p_{label}" for label in self.labels)]

    def cells(self, answer: dict[str, Any]) -> Sequence[Any]:
        """An answer's cells below `columns`; empty ones where there is none. Several labels stand as a JSON array."""
        if not any(value is not None for value in answer.values()):
            return [""] * len(self.columns)
        match answer:
            case {"value": value}:
                return [value]
            case {"values": values}:
                return list(values.values())
            case {"labels": labels, "probabilities": probabilities}:
                return [json.dumps(labels, ensure_ascii=False), *probabilities.values()]
        return [answer["label"], *answer["probabilities"].values()]


@dataclass(frozen=True)
class EntityForm:
    """The entities that the words of a text make."""

    labels: tuple[str, ...]
    tokens: bool = False
    """Whether the words are the row's own: then each one's tag is told, too."""
    thresholds: Thresholds | None = None
    """[L] a tag is given by which multiple of them its probability is; None: the most likely one."""

    def answers(self, outputs: NDArray[np.float64], texts: Sequence[str], words: Ragged | None) -> list[dict[str, Any]]:
        """An answer for each text; outputs [all words, L]."""
        assert words is not None
        found: list[dict[str, Any]] = [
            {"entities": [{**entity._asdict(), "score": round(entity.score, DIGITS)} for entity in entities]}
            for entities in entities_in(texts, words, outputs, self.labels, self.thresholds)
        ]
        if self.tokens:
            tags = Ragged(largest_multiple(outputs, self.thresholds), words.offsets)
            for row, answer in enumerate(found):
                answer["tags"] = [self.labels[number] for number in tags[row].tolist()]
        return found

    @property
    def none(self) -> dict[str, None]:
        """In the place of an answer to a row without text."""
        return dict.fromkeys(self.columns)

    @property
    def columns(self) -> list[str]:
        """The columns of a table of answers."""
        return ["entities", *(["tags"] if self.tokens else [])]

    def cells(self, answer: dict[str, Any]) -> Sequence[Any]:
        """JSON arrays; empty cells where there is no answer."""
        return ["" if answer[name] is None else json.dumps(answer[name], ensure_ascii=False) for name in self.columns]


class WrittenForm:
    """A text that was written."""

    columns: ClassVar[list[str]] = ["answer", "ended"]

    def answers(self, outputs: Sequence[WrittenAnswer], texts: Sequence[str], words: Ragged | None) -> list[dict[str, Any]]:
        """Each as it is."""
        return [written._asdict() for written in outputs]

    @property
    def none(self) -> dict[str, None]:
        """In the place of an answer to a row without text."""
        return dict.fromkeys(self.columns)

    def cells(self, answer: dict[str, Any]) -> Sequence[Any]:
        """The text, and whether it had ended."""
        return ["" if answer[name] is None else answer[name] for name in self.columns]
