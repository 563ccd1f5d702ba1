"""How much the examples of each class count in the loss. No torch: a plan checks them."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from acclimate.data.ragged import Ragged
from acclimate.errors import SettingsError
from acclimate.tasks.labels import in_order, label_hint, some_labels
from acclimate.tasks.split import Column

ClassWeights = Literal["none", "balanced"] | Mapping[str, float]


def class_weights(choice: ClassWeights, gold: Column, names: tuple[str, ...]) -> NDArray[np.float64]:
    """The weight of each class [L], from the classes of the training examples [N] (or their words), or which labels they have [N, L].

    `balanced` is N / (L * count of the class) (King & Zeng 2001, as in scikit-learn). Of labels each by itself it is (N - n) / n for one
    with n examples: with this weight they count as much as all texts without it. A mapping names weights, 1 where it is silent.

    Raises:
        SettingsError: the mapping names a label that the task does not have.
    """
    check_class_weights(choice, names)
    if isinstance(choice, Mapping):
        return np.array([choice.get(name, 1.0) for name in names])
    if choice == "none":
        return np.ones(len(names))
    counts, examples = counted(gold, names)
    # A class without an example in a small budget gets the weight of a class with one.
    with_name = np.maximum(counts, 1)
    if isinstance(gold, np.ndarray) and gold.ndim == 2:
        # Of a label that every text has no example is left aside.
        return np.maximum(examples - counts, 1) / with_name
    return examples / (len(names) * with_name)


def counted(gold: Column, names: tuple[str, ...]) -> tuple[NDArray[np.float64], int]:
    """[L] training examples of each name, and all of them: items, or words. Numbers have no names."""
    found = gold.values if isinstance(gold, Ragged) else np.asarray(gold)
    if not names:
        return np.zeros(0), len(found)
    counts = found.sum(axis=0) if found.ndim == 2 else np.bincount(found, minlength=len(names))
    return counts.astype(np.float64), len(found)


def check_class_weights(choice: ClassWeights, names: tuple[str, ...]) -> None:
    """Refuse weights of labels that the task does not have.

    Raises:
        SettingsError: the first of them, and what the labels are; or that there are none.
    """
    if not names and choice != "none":
        raise SettingsError("class_weights: this task has no classes that could weigh more or less; leave it out")
    if isinstance(choice, Mapping) and (unknown := in_order(choice.keys() - set(names))):
        raise SettingsError(f"class_weights: label {unknown[0]!r} is not among {some_labels(names)}{label_hint(unknown[0], set(names))}")
