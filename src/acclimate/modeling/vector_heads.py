"""From vectors of texts, whatever makes them, to answers: logistic regression, nearest neighbours, or the cosine of two.

Kept as safetensors and JSON beside whatever makes them, never as a pickle: the tensors in `vectors.safetensors`, the rest in config.json.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from acclimate.data.exact_search import most_similar, unit
from acclimate.errors import ModelError, SettingsError
from acclimate.files import read_json, write_json
from acclimate.modeling.base_files import CONFIG, VECTORS
from acclimate.modeling.baselines.softmax_regression import each_by_itself, softmax_regression
from acclimate.modeling.finite import check_finite
from acclimate.modeling.links import link_of, said
from acclimate.tasks.kind import Link

FILE = "vectors.safetensors"
Vectors = NDArray[np.floating]
ITERATIONS = 2000  # of a logistic regression, at most


class VectorHead(Protocol):
    """Answers items by the vectors of their texts."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The L labels, in the order of the columns; of a number its name."""

    @property
    def link(self) -> Link:
        """What its numbers mean."""

    @property
    def tensors(self) -> Mapping[str, NDArray[Any]]:
        """All its numbers, by name."""

    @property
    def told(self) -> Mapping[str, Any]:
        """What else is to be known of it, as JSON."""

    def outputs(self, *columns_ND: Vectors) -> NDArray[np.float64]:
        """[N, L] for items of these columns of texts, each of which has a vector."""


@dataclass(frozen=True)
class Logistic:
    """A fitted regression: `weights` [L, F] and `bias` [L] on the features of an item (`features`)."""

    labels: tuple[str, ...]
    weights: NDArray[np.float64]
    bias: NDArray[np.float64]
    link: Link = "softmax"

    @property
    def tensors(self) -> Mapping[str, NDArray[Any]]:
        """Weights and bias."""
        return {"weights": self.weights, "bias": self.bias}

    @property
    def told(self) -> Mapping[str, Any]:
        """Nothing more."""
        return {}

    def outputs(self, *columns_ND: Vectors) -> NDArray[np.float64]:
        """Probabilities; or the numbers themselves."""
        from scipy.special import expit, softmax

        outputs_NL = features(columns_ND) @ self.weights.T + self.bias
        if self.link == "none":
            return outputs_NL
        return np.asarray(expit(outputs_NL) if self.link == "sigmoid" else softmax(outputs_NL, axis=1))

    @classmethod
    def kept(cls, told: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> Self:
        """As it was written."""
        return cls(tuple(told["labels"]), tensors["weights"], tensors["bias"], link_of(told))


@dataclass(frozen=True)
class Nearest:
    """The labels of the training items that are most similar by cosine, all counted alike."""

    labels: tuple[str, ...]
    vectors: NDArray[np.float32]
    """[M, F] of the M training items, of length 1."""
    gold: NDArray[np.bool_]
    """[M, L] which labels they have."""
    neighbours: int
    link: Link = "softmax"

    @property
    def tensors(self) -> Mapping[str, NDArray[Any]]:
        """Vectors and gold."""
        return {"vectors": self.vectors, "gold": self.gold}

    @property
    def told(self) -> Mapping[str, Any]:
        """How many are asked."""
        return {"neighbours": self.neighbours}

    def outputs(self, *columns_ND: Vectors) -> NDArray[np.float64]:
        """Of each label the share of the neighbours that have it."""
        found = most_similar(unit(features(columns_ND)), self.vectors, self.neighbours)
        outputs_NL: NDArray[np.float64] = self.gold[found.rows].mean(axis=1)
        return outputs_NL

    @classmethod
    def kept(cls, told: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> Self:
        """As it was written."""
        return cls(tuple(told["labels"]), tensors["vectors"], tensors["gold"], int(told["neighbours"]), link_of(told))


@dataclass(frozen=True)
class Cosine:
    """How alike two texts are: the cosine of their vectors. Nothing is fitted."""

    labels: tuple[str, ...]
    link: Link = "none"

    @property
    def tensors(self) -> Mapping[str, NDArray[Any]]:
        """None."""
        return {}

    @property
    def told(self) -> Mapping[str, Any]:
        """Nothing more."""
        return {}

    def outputs(self, *columns_ND: Vectors) -> NDArray[np.float64]:
        """[N, 1] the cosine of the two vectors of each item; 0 where one is nothing but zeros."""
        first, second = (unit(column) for column in columns_ND)
        return np.asarray(np.einsum("nd,nd->n", first, second, dtype=np.float64)[:, None])

    @classmethod
    def kept(cls, told: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> Self:
        """As it was written."""
        return cls(tuple(told["labels"]))


HEADS: Mapping[str, type[Logistic | Nearest | Cosine]] = {"logistic": Logistic, "knn": Nearest, "cosine": Cosine}
"""By the word for each in config.json."""


def features(columns_ND: Sequence[Vectors]) -> NDArray[np.float64]:
    """[N, F] of items: the vector of a text; of two texts u and v these, |u - v| and u * v (Conneau et al. 2017, section 3)."""
    columns = [np.asarray(column, dtype=np.float64) for column in columns_ND]
    if len(columns) == 1:
        return columns[0]
    first, second = columns
    return np.concatenate([first, second, np.abs(first - second), first * second], axis=1)


def logistic(
    columns_ND: Sequence[Vectors], gold: NDArray[Any], labels: tuple[str, ...], strengths: Sequence[float], link: Link
) -> Iterator[tuple[float, Logistic]]:
    """Each strength (inverse regularisation C of scikit-learn) with the regression fitted by it to items with these vectors.

    `gold`: class numbers [N], or which labels items have [N, L], each of which is then fitted by itself.
    """
    from sklearn.linear_model import LogisticRegression

    matrix_NF = features(columns_ND)
    for strength in strengths:

        def regression(_: object = None, strength: float = strength) -> Any:
            return LogisticRegression(C=strength, max_iter=ITERATIONS)

        if link == "sigmoid":
            weights, bias = each_by_itself(regression, matrix_NF, gold)
        else:
            weights, bias = softmax_regression(regression(), matrix_NF, gold, len(labels))
        yield strength, Logistic(labels, weights, bias, link)


def nearest(columns_ND: Sequence[Vectors], gold: NDArray[Any], labels: tuple[str, ...], neighbours: int, link: Link) -> Nearest:
    """The neighbours among items with these vectors, `gold` as in `logistic`; all of them where there are fewer than `neighbours`."""
    gold_NL = gold.astype(np.bool_) if gold.ndim == 2 else np.eye(len(labels), dtype=np.bool_)[gold]
    vectors_NF = unit(features(columns_ND)).astype(np.float32)
    return Nearest(labels, vectors_NF, gold_NL, min(neighbours, len(vectors_NF)), link)


def write_head(folder: Path, head: VectorHead | None, texts: int, read: Mapping[str, Any] | None = None) -> None:
    """Write a head into the folder of what makes the vectors, whose config.json is there; items have so many `texts`.

    `read` says how texts are read where the folder itself does not. None: the vectors are searched, and nothing judges them.
    """
    if head is None:
        write_json(folder / CONFIG, {**read_json(folder / CONFIG), VECTORS: {"head": None, "texts": texts, **(read or {})}})
        return
    word = next(word for word, known in HEADS.items() if isinstance(head, known))
    told = {"head": word, "labels": list(head.labels), "texts": texts, **said(head.link), **head.told, **(read or {})}
    write_json(folder / CONFIG, {**read_json(folder / CONFIG), VECTORS: told})
    if head.tensors:
        save_file({name: np.ascontiguousarray(tensor) for name, tensor in head.tensors.items()}, folder / FILE)


def read_head(folder: Path) -> tuple[VectorHead, dict[str, Any]] | None:
    """The head in a folder that `write_head` wrote, and all that is said of it; None where there is none.

    Raises:
        ModelError: its files do not belong together, or its numbers are not finite.
        SettingsError: its vectors are searched, and nothing judges them.
    """
    told = read_json(folder / CONFIG).get(VECTORS)
    if told is None:
        return None
    if isinstance(told, dict) and told.get("head") is None:
        raise SettingsError(f"{folder}: this model finds documents by vectors; it is asked by `acclimate search`, `encode` and `evaluate`")
    if not isinstance(told, dict) or told.get("head") not in HEADS:
        raise ModelError(f"{folder / CONFIG}: {VECTORS} names none of the heads {', '.join(HEADS)}")
    made = HEADS[told["head"]]
    tensors = {} if made is Cosine else load_file(folder / FILE)
    check_finite(folder, ((name, bool(np.isfinite(tensor).all())) for name, tensor in tensors.items()))
    head: VectorHead = made.kept(told, tensors)
    if any(len(head.labels) not in tensor.shape for name, tensor in tensors.items() if name in ("bias", "gold")):
        raise ModelError(f"{folder}: {FILE} and {CONFIG} do not belong together ({len(head.labels)} labels); copy the folder again")
    return head, told


def refuse_columns(given: int, texts: int) -> None:
    """Refuse items of another number of texts than a head answers.

    Raises:
        SettingsError: they are.
    """
    if given != texts:
        what = "pairs, and was given single texts" if texts == 2 else "single texts, and was given pairs"
        raise SettingsError(f"this model answers {what}")
