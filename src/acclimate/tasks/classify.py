"""Classification: one of several labels for a text."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from acclimate.data.corpus import checked_text
from acclimate.data.ragged import Ragged
from acclimate.data.readers.problems import Problems
from acclimate.data.readers.records import Record
from acclimate.errors import SettingsError, TrainingError
from acclimate.tasks.blocks import Block
from acclimate.tasks.class_blocks import TOLD
from acclimate.tasks.kind import Form, Head, Judged
from acclimate.tasks.metrics.classes import METRICS
from acclimate.tasks.metrics.metric import Metric
from acclimate.tasks.named import NamedKind, label_counts
from acclimate.tasks.rows import Row
from acclimate.tasks.split import Answers, Column, Split

PLAIN_USE = """\
from transformers import pipeline

classify = pipeline("text-classification", model=".")  # "." is this folder; a hub id serves as well
print(classify(["a text to label"], truncation=True{cut}))"""
OWN_USE = """\
from pathlib import Path

from acclimate import load_predictor

model = load_predictor(Path("."))  # this folder
probabilities = model.probabilities(["a text to label"])  # a row a text, a column a label
print(model.labels[probabilities[0].argmax()])"""


def highest(probabilities_NL: Any, split: Split) -> Answers:
    """The class with the highest probability, and the probabilities.

    Raises:
        TrainingError: a probability is not a number, as those of a model whose weights are not.
    """
    probabilities_NL = np.asarray(probabilities_NL, dtype=np.float64)
    refuse_not_finite(probabilities_NL)
    return {"predicted": probabilities_NL.argmax(axis=1), "probabilities": probabilities_NL}


def refuse_not_finite(outputs: Any) -> None:
    """Answers are made of numbers.

    Raises:
        TrainingError: one is none.
    """
    if not np.isfinite(outputs).all():
        raise TrainingError(
            "the model's probabilities are not numbers: its weights grew without bound in training; "
            "a lower learning rate (lr) or longer warm-up usually mends this"
        )


class Classify(NamedKind):
    """Where the labelled examples are and how to read them: `path` for the whole, or `train` with or without `dev` and `test`.

    A bare string stands for `path`.
    """

    kind: Literal["classify"] = "classify"
    """What is to be learned: `classify` gives one of several labels to a text."""

    traced: ClassVar[bool] = False
    metrics: ClassVar[tuple[Metric, ...]] = METRICS
    answered: ClassVar[Mapping[Form, Callable[[Any, Split], Answers]]] = {"sequence": highest}
    blocks: ClassVar[tuple[Callable[[Judged], Block | None], ...]] = TOLD
    named: ClassVar[tuple[str, ...]] = ("gold", "predicted")
    card: ClassVar[tuple[str, str]] = ("text-classification", "gives a text one of {count} labels")
    limits: ClassVar[tuple[str, ...]] = (
        "It gives every text one of its {count} labels, also a text that fits none of them.",
        "Its probabilities were not calibrated.",
    )
    plain_use: ClassVar[str] = PLAIN_USE
    own_use: ClassVar[str] = OWN_USE
    problem: ClassVar[str | None] = "single_label_classification"

    @staticmethod
    def of(target: Any) -> tuple[str]:
        """The one label."""
        return (target,)

    def read(self, record: Record, columns: Mapping[str, str], problems: Problems) -> Row | None:
        """A text and its label."""
        if self.repeats_header(record, columns, problems):
            return None
        text = checked_text(record, columns["text"], problems)
        if text is None:
            return None
        label = self.checked(record, columns["label"], record.values[columns["label"]], problems)
        return None if label is None else Row((text,), label)

    def gold(self, targets: Sequence[Any], names: tuple[str, ...]) -> Column:
        """int64 [N] class numbers."""
        numbers = {name: number for number, name in enumerate(names)}
        return np.array([numbers[name] for name in targets], dtype=np.int64)

    def strata(self, gold: Column) -> Ragged:
        """The class."""
        assert isinstance(gold, np.ndarray)
        return Ragged.single(gold)

    def counts(self, gold: Column, names: tuple[str, ...]) -> dict[str, int]:
        """Items of each class, zeros included."""
        return label_counts(gold, names)

    def written(self, split: Split, row: int) -> dict[str, Any]:
        """Text and label."""
        return {"text": split.inputs[0][row], "label": split.names[int(np.asarray(split.gold)[row])]}

    @classmethod
    def right(cls, split: Split, answers: Answers) -> NDArray[np.float64]:
        """Whether the class is right."""
        return np.asarray(np.asarray(split.gold) == np.asarray(answers["predicted"]), dtype=np.float64)

    @classmethod
    def shown(cls, column: Column, row: int, names: tuple[str, ...]) -> str:
        """The class."""
        return names[int(np.asarray(column)[row])]

    def head(self, names: tuple[str, ...], form: Form) -> Head:
        """A number a class."""
        if form not in self.answered:
            raise SettingsError(f"a model that gives {form} cannot answer classify")
        return Head("sequence", names, "softmax", ("cross_entropy",))
