"""Kinds of task whose items have one name each out of a closed set: a class of a text, a relation of two."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from acclimate.data.ragged import Ragged
from acclimate.errors import SettingsError, TrainingError
from acclimate.tasks.blocks import Block
from acclimate.tasks.class_blocks import TOLD
from acclimate.tasks.class_thresholds import best_macro_f1
from acclimate.tasks.kind import OF_NAMES, Form, Head, Judged
from acclimate.tasks.metrics.classes import METRICS
from acclimate.tasks.metrics.metric import Metric
from acclimate.tasks.named import NamedKind, label_counts
from acclimate.tasks.split import Answers, Column, Split
from acclimate.tasks.thresholds import Thresholded, Thresholds, largest_multiple


def highest(probabilities_NL: Any, split: Split, thresholds: Thresholds | None = None) -> Answers:
    """The class with the highest probability, or with the largest multiple of its threshold, and the probabilities.

    Raises:
        TrainingError: a probability is not a number, as those of a model whose weights are not.
    """
    probabilities_NL = np.asarray(probabilities_NL, dtype=np.float64)
    refuse_not_finite(probabilities_NL)
    return {"predicted": largest_multiple(probabilities_NL, thresholds), "probabilities": probabilities_NL}


def tuned(probabilities_NL: Any, dev: Split) -> Thresholds:
    """[L] the thresholds of the classes by which macro F1 on dev is highest."""
    probabilities_NL = np.asarray(probabilities_NL, dtype=np.float64)
    refuse_not_finite(probabilities_NL)
    return best_macro_f1(np.asarray(dev.gold), probabilities_NL)


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


class OneNameKind(NamedKind):
    """A task whose items have one name each."""

    metrics: ClassVar[tuple[Metric, ...]] = METRICS
    answered: ClassVar[Mapping[Form, Callable[[Any, Split], Answers]]] = {"sequence": highest}
    thresholded: ClassVar[Mapping[Form, Thresholded]] = {"sequence": Thresholded(highest, tuned)}
    blocks: ClassVar[tuple[Callable[[Judged], Block | None], ...]] = TOLD
    named: ClassVar[tuple[str, ...]] = ("gold", "predicted")

    @staticmethod
    def of(target: Any) -> tuple[str]:
        """The one label."""
        return (target,)

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
            raise SettingsError(f"a model that gives {form} cannot answer {self.kind}")
        return Head("sequence", names, "softmax", OF_NAMES)
