"""Losses of names: what is right for an item (one class, several labels, a tag for every word) with the term that a wrong answer costs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from acclimate.data.ragged import Ragged
from acclimate.objectives.losses.loss import Given, Loss, Term
from acclimate.tasks.metrics.spans import OUTSIDE
from acclimate.tasks.split import Split

BEGINS, CONTINUES = "B-", "I-"


@dataclass(frozen=True)
class OfClasses:
    """A term of one class among L, the examples of each class with its weight."""

    weights: NDArray[np.float64]  # [L] of each class
    term: Term

    takes: ClassVar[str] = "class"
    together: ClassVar[bool] = False

    def targets(self, split: Split, rows: NDArray[np.integer]) -> Mapping[str, NDArray[Any]]:
        """The classes [B] and their weights [B]."""
        classes = np.asarray(split.gold)[rows]
        # Weights travel with the batch: fetched in the loss, they would make a GPU wait for the host in every step.
        return {"labels": classes, "weights": self.weights[classes].astype(np.float32)}

    def count(self, targets: Mapping[str, NDArray[Any]]) -> float:
        """The summed class weights of the batch's examples (their number when nothing is weighted)."""
        return float(targets["weights"].sum(dtype=np.float64))

    def summed(self, outputs: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
        """Summed over logits [B, L], nats."""
        return self.term.one(outputs.float(), targets["labels"], targets["weights"]).sum()


@dataclass(frozen=True)
class OfSets:
    """A term of L labels, each a question of its own; the mean over labels. That a label holds counts as much as its weight says.

    With cross-entropy it is BCEWithLogitsLoss of PyTorch with its `pos_weight`, which transformers takes for `multi_label_classification`.
    """

    weights: NDArray[np.float64]  # [L] of the examples of each label
    term: Term

    takes: ClassVar[str] = "set"
    together: ClassVar[bool] = False

    def targets(self, split: Split, rows: NDArray[np.integer]) -> Mapping[str, NDArray[Any]]:
        """Which labels [B, L], and the weight of each answer [B, L]."""
        labels = np.asarray(split.gold, dtype=bool)[rows]
        return {"labels": labels.astype(np.float32), "weights": np.where(labels, self.weights, 1.0).astype(np.float32)}

    def count(self, targets: Mapping[str, NDArray[Any]]) -> float:
        """Texts, whatever their weights."""
        return float(len(targets["labels"]))

    def summed(self, outputs: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
        """Summed over logits [B, L], nats: of each text the mean over labels."""
        return self.term.each(outputs.float(), targets["labels"], targets["weights"]).mean(dim=1).sum()


@dataclass(frozen=True)
class OfTags:
    """A term of one tag among L for every piece of a word that is asked about, each tag with its weight.

    A word's later pieces go on with what its first one begins: B-x becomes I-x. So a span of pieces has one beginning, as whoever joins
    them (transformers' pipeline) expects.
    """

    weights: NDArray[np.float64]  # [L] of each tag
    term: Term

    takes: ClassVar[str] = "tags"
    together: ClassVar[bool] = False

    def targets(self, split: Split, rows: NDArray[np.integer]) -> Mapping[str, NDArray[Any]]:
        """The tags [M] and their weights [M] of these pieces [M, 2]: the word, counted through the split, and which of its pieces it is."""
        assert isinstance(split.gold, Ragged)
        word, number = rows.T
        tags = learned(split.names)[np.sign(number), split.gold.values[word]]
        return {"target_labels": np.maximum(tags, 0), "target_weights": np.where(tags < 0, 0.0, self.weights[tags]).astype(np.float32)}

    def count(self, targets: Mapping[str, NDArray[Any]]) -> float:
        """The summed weights of the batch's pieces (their number when nothing is weighted)."""
        return float(targets["target_weights"].sum(dtype=np.float64))

    def summed(self, outputs: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
        """Summed over logits [M, L], nats."""
        return self.term.one(outputs.float(), targets["target_labels"], targets["target_weights"]).sum()


def of_names(term: Callable[[Given], Term]) -> Callable[[Given], Loss]:
    """A loss of such a term, for whatever a model answers with names."""

    def made(given: Given) -> Loss:
        return _OF[given.head.form, given.head.link](given.weights, term(given))

    return made


_OF: Mapping[tuple[str, str], Callable[[NDArray[np.float64], Term], Loss]] = {
    ("sequence", "softmax"): OfClasses,
    ("sequence", "sigmoid"): OfSets,
    ("tokens", "softmax"): OfTags,
}


def learned(names: tuple[str, ...]) -> NDArray[np.int64]:
    """[3, L] what is learned at a word of each tag: by its first piece (0), a later one (1), one before the word (-1, the last row).

    What stands before a word is part of the entity that the word goes on with (I-x), or else outside (O); -1 where there is no such tag.
    """
    number = {name: place for place, name in enumerate(names)}
    if OUTSIDE not in number:  # plain tags, whatever they begin with
        return np.array([range(len(names)), range(len(names)), [-1] * len(names)], dtype=np.int64)
    later = [number.get(CONTINUES + name.removeprefix(BEGINS), number[name]) if name.startswith(BEGINS) else number[name] for name in names]
    before = [number[name] if name.startswith(CONTINUES) else number[OUTSIDE] for name in names]
    return np.array([range(len(names)), later, before], dtype=np.int64)
