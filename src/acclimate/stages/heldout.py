"""The part of a corpus that is never trained on."""

import numpy as np
from numpy.typing import NDArray

from acclimate.data.ragged import IntArray
from acclimate.data.windows import Windows
from acclimate.randomness import generator


def hold_out(windows: Windows, documents: NDArray[np.integer], share: float, most_tokens: int) -> tuple[Windows, Windows]:
    """Split windows into those to train on and those held out: the same ones for every seed, so that losses can be compared.

    Whole documents are held out (`documents` [N] says which one each window is of), so that nothing is asked for whose neighbour was
    learned; only a corpus of so few documents that the share is less than one gives windows. At most `most_tokens` tokens, but at least
    one document or window where there are two or more; a single window is trained on and nothing is held out.
    """
    _, of = np.unique(documents, return_inverse=True)
    units = np.arange(len(windows)) if int(of.max(initial=-1) + 1) * share < 1 else of
    count = int(units.max(initial=-1)) + 1
    permuted = generator("held out").permutation(count)
    running = np.cumsum(np.bincount(units, weights=windows.length, minlength=count)[permuted])
    wanted = min(max(1, int(count * share)), max(1, int(np.searchsorted(running, most_tokens, side="right"))), count - 1)
    held = np.isin(units, permuted[:wanted])
    return take(windows, np.flatnonzero(~held)), take(windows, np.flatnonzero(held))


def take(windows: Windows, indices: IntArray) -> Windows:
    """Some of the windows; what was cut and dropped is said of the whole."""
    return Windows(windows.start[indices], windows.length[indices], 0, 0)
