"""The part of a corpus that is never trained on."""

import numpy as np
from numpy.typing import NDArray

from acclimate.data.ragged import IntArray
from acclimate.data.windows import Windows
from acclimate.randomness import generator


def hold_out(windows: Windows, documents: NDArray[np.integer], share: float, most_tokens: int) -> tuple[Windows, Windows]:
    """Split windows into those to train on and those held out: the same ones for every seed, so that losses can be compared.

    Held out are this share of the tokens, at most `most_tokens`, in whole documents (`documents` [N] says which one each window is of), so
    that nothing is asked for whose neighbour was learned. Documents longer than all that are never held out; where there are no others,
    windows are: at least one, unless there is no second one to train on.
    """
    room = min(most_tokens, share * windows.tokens)
    _, of = np.unique(documents, return_inverse=True)
    held = _chosen(of, windows, room)
    if len(windows) and not held.any():
        held = _chosen(np.arange(len(windows)), windows, max(room, int(windows.length.min())))
    if held.all():
        held[:] = False
    return take(windows, np.flatnonzero(~held)), take(windows, np.flatnonzero(held))


def _chosen(units: IntArray, windows: Windows, room: float) -> NDArray[np.bool_]:
    # [N] whether a window is of a unit that is held out: units in a random order, those alone that fit, as long as they fit together.
    tokens = np.bincount(units, weights=windows.length)
    permuted = generator("held out").permutation(len(tokens))
    fitting = permuted[tokens[permuted] <= room]
    return np.isin(units, fitting[np.cumsum(tokens[fitting]) <= room])


def take(windows: Windows, indices: IntArray) -> Windows:
    """Some of the windows; what was cut and dropped is said of the whole."""
    return Windows(windows.start[indices], windows.length[indices], 0, 0)
