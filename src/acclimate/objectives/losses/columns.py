"""What losses of vectors of texts share. Rows are texts, example after example: `item` [B] says of which, `column` [B] where in it."""

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol, Self

from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from acclimate.objectives.vector_loss_settings import VectorLossSettings

ITEM, COLUMN, TEXT, GOLD = "item", "column", "text", "gold"


class VectorLoss(Protocol):
    """From vectors of the texts of a batch, and how they belong together, to a sum."""

    together: ClassVar[bool]
    """As in `Loss`: whether examples see each other; the texts of one always do."""

    @classmethod
    def of(cls, settings: VectorLossSettings) -> Self:
        """With its settings."""

    def count(self, targets: Mapping[str, NDArray[Any]]) -> float:
        """What the summed loss of a batch is divided by; a batch of 0 teaches nothing, and is passed over."""

    def summed(self, vectors_BE: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
        """The summed loss, a scalar. Vectors are compared by their cosines, whatever their lengths."""


def column(vectors_BE: Tensor, targets: Mapping[str, Tensor], number: int) -> Tensor:
    """[n, E] the unit vectors of one column, example by example."""
    return normalize(vectors_BE[targets[COLUMN] == number].float(), dim=-1)


def cosines(vectors_BE: Tensor, targets: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Of pairs their cosines [n], and what is right for them [n]."""
    found = (column(vectors_BE, targets, 0) * column(vectors_BE, targets, 1)).sum(dim=-1)
    return found, targets[GOLD][targets[COLUMN] == 0].to(found.dtype)


def of_first(targets: Mapping[str, NDArray[Any]], name: str) -> NDArray[Any]:
    """[n] a target of the first texts of the examples."""
    found: NDArray[Any] = targets[name][targets[COLUMN] == 0]
    return found
