"""The part of a corpus that is never trained on."""

import numpy as np

from acclimate.data.windows import Windows
from acclimate.randomness import generator


def hold_out(windows: Windows, share: float, most_tokens: int) -> tuple[Windows, Windows]:
    """Split windows into those to train on and those held out: the same ones for every seed, so that losses can be compared.

    At least one window is held out where there are two or more; a single window is trained on and nothing is held out.
    """
    count = len(windows.start)
    permuted = generator("held out").permutation(count)
    running = np.cumsum(windows.length[permuted])
    wanted = min(max(1, int(count * share)), max(1, int(np.searchsorted(running, most_tokens, side="right"))), count - 1)
    held = np.sort(permuted[:wanted])
    kept = np.sort(permuted[wanted:])
    return _take(windows, kept), _take(windows, held)


def _take(windows: Windows, indices: np.ndarray) -> Windows:
    return Windows(windows.start[indices], windows.length[indices], 0, 0)
