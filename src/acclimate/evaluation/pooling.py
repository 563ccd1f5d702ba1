"""From what a model says of each window of a long text to one answer: the mean of the windows, or for each name its highest. No torch."""

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from acclimate.data.sequences import Sequences
from acclimate.tasks.kind import Link

Pool = Literal["mean", "max"]
POOLS: tuple[Pool, ...] = get_args(Pool)


def pooled(outputs_NL: NDArray[np.float64], texts: Sequences, pool: Pool, link: Link) -> NDArray[np.float64]:
    """Probabilities [texts, L] from those of N windows: their mean, or for each name the highest of any window.

    Probabilities and not logits: the mean of the windows' answers is an answer, and none counts for more because it is surer of itself than
    probabilities tell (the sum and max rules of Kittler et al. 1998). The highest ones of names of which one holds (softmax) are divided by
    their sum, so that they sum to 1. A text of one window is answered by it as it stands.
    """
    if not texts.whole or not len(outputs_NL):
        return outputs_NL
    first = texts.windows_of_text
    counts = np.diff(first)
    if pool == "mean":
        summed_BL: NDArray[np.float64] = np.add.reduceat(outputs_NL, first[:-1], axis=0)
        return summed_BL / counts[:, None]
    highest_BL: NDArray[np.float64] = np.maximum.reduceat(outputs_NL, first[:-1], axis=0)
    if link == "softmax":
        several = counts > 1
        highest_BL[several] /= highest_BL[several].sum(axis=1, keepdims=True)
    return highest_BL
