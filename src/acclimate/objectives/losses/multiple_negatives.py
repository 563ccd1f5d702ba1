"""Multiple negatives ranking: an anchor must tell its own text among all of the batch (Henderson et al. 2017)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from acclimate.objectives.losses.columns import COLUMN, TEXT, column, of_first
from acclimate.objectives.vector_loss_settings import VectorLossSettings


@dataclass(frozen=True)
class MultipleNegatives:
    """Cross-entropy of scaled cosines of each anchor with all candidates: the second texts of the batch, then its hard negatives."""

    scale: float
    together: ClassVar[bool] = True

    @classmethod
    def of(cls, settings: VectorLossSettings) -> Self:
        """With its scale."""
        return cls(settings.scale)  # type: ignore[attr-defined]

    def count(self, targets: Mapping[str, NDArray[Any]]) -> float:
        """Anchors; 0 where no candidate is a negative of any."""
        anchors, candidates = of_first(targets, TEXT), targets[TEXT][targets[COLUMN] > 0]
        if len(np.unique(candidates)) < 2:
            return 0.0
        return float(len(anchors))

    def summed(self, vectors_BE: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
        """Summed over anchors, nats. A text that is right for an anchor is no negative of it, wherever in the batch it stands."""
        text, place = targets[TEXT], targets[COLUMN]
        anchors_nE, own_n = column(vectors_BE, targets, 0), text[place == 1]
        candidates_CE = torch.cat([column(vectors_BE, targets, 1), normalize(vectors_BE[place > 1].float(), dim=-1)])
        candidates_C = torch.cat([own_n, text[place > 1]])
        logits_nC = anchors_nE @ candidates_CE.T * self.scale
        anchors_n = text[place == 0]
        # Anchors that are the same text share what is right for them.
        same_nn = (anchors_n[:, None] == anchors_n).float()
        right_nC = same_nn @ (own_n[:, None] == candidates_C).float() > 0
        number_n = torch.arange(len(anchors_n), device=logits_nC.device)
        right_nC[number_n, number_n] = False
        return cross_entropy(logits_nC.masked_fill(right_nC, -torch.inf), number_n, reduction="sum")
