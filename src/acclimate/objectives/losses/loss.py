"""What a loss of labelled training is, and what it is made from."""

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from acclimate.tasks.kind import Head
from acclimate.tasks.split import Split


class Loss(Protocol):
    """From what is right for some items of a split, and what a model gives for them, to a sum."""

    takes: ClassVar[str]
    """What gold it understands: `class`, one of L names an item (int64 [N]), `set`, several (bool [N, L]), `tags`, one a word
    (Ragged), `number` (float64 [N]), ..."""
    together: ClassVar[bool]
    """Whether the items of a batch see each other (in-batch negatives), so that the losses of its parts do not add up to its own.

    The loop then asks for the loss of all outputs of a batch at once, over all processes, and still works on the batch in parts of the size
    that fits (`training/cached_gradients.py`).
    """

    def targets(self, split: Split, rows: NDArray[np.integer]) -> Mapping[str, NDArray[Any]]:
        """What travels with a batch of these items, row by row; where every word is answered, of these pieces of words [M, 2], each as
        the word, counted through the split, and which of its pieces it is (as in `Pieces`)."""

    def count(self, targets: Mapping[str, NDArray[Any]]) -> float:
        """What the summed loss of a batch, over all processes, is divided by; a batch of 0 is passed over."""

    def summed(self, outputs: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
        """The summed loss, a scalar, from the model's outputs [B, ...]: of a micro-batch, or where items see each other of the whole batch.

        A function of the two alone, which draws nothing and does not depend on the order of the items.
        """


class Given(NamedTuple):
    """What a loss is made from."""

    head: Head
    weights: NDArray[np.float64]
    """[L] how much the examples of each name count."""
    counts: NDArray[np.float64]
    """[L] training examples of each name: items, or words."""
    examples: int
    """All of them."""
    settings: Any = None
    """Its own, where the study says some."""


class Term(Protocol):
    """What a single answer costs, nats: the part in which the losses of names differ, whatever is answered (`losses/of_names.py`).

    Logits are float32; weights are those of what is right, and 0 where nothing is asked: what an answer costs is multiplied by them.
    """

    @classmethod
    def of(cls, given: Given) -> Self:
        """The term with its settings."""

    def one(self, logits_ML: Tensor, labels_M: Tensor, weights_M: Tensor) -> Tensor:
        """[M] of items that have one name of L each (softmax)."""

    def each(self, logits_BL: Tensor, labels_BL: Tensor, weights_BL: Tensor) -> Tensor:
        """[B, L] of labels that hold (1) or do not (0), each by itself (sigmoid)."""
