"""The squared error of a number."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from acclimate.tasks.split import Split


@dataclass(frozen=True)
class SquaredError:
    """(output - number)^2; the mean of it is MSELoss of PyTorch, which transformers takes for `regression`."""

    takes: ClassVar[str] = "number"
    together: ClassVar[bool] = False

    def targets(self, split: Split, rows: NDArray[np.integer]) -> Mapping[str, NDArray[Any]]:
        """The numbers [B]."""
        return {"labels": np.asarray(split.gold, dtype=np.float32)[rows]}

    def count(self, targets: Mapping[str, NDArray[Any]]) -> float:
        """Items."""
        return float(len(targets["labels"]))

    def summed(self, outputs: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
        """Summed squared error of outputs [B, 1]; of several outputs that are all the same number, their mean."""
        errors_BL = outputs.float() - targets["labels"][:, None]
        return errors_BL.square().mean(dim=1).sum()
