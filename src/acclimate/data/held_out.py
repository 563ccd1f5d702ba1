"""The part of a corpus that is never trained on."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from acclimate.data.ragged import IntArray
from acclimate.data.windows import Windows
from acclimate.randomness import generator

SHORTEST, LONGEST = 8, 512  # tokens of a stretch that is held out of a document


class Stretches(NamedTuple):
    """`P` stretches of a token store, each of one document."""

    begin: NDArray[np.int64]
    """[P] first token, counted in the store."""
    length: NDArray[np.int64]
    """[P] tokens."""

    @property
    def tokens(self) -> int:
        """Tokens of all of them."""
        return int(self.length.sum())


def hold_out(offsets: IntArray, share: float, most_tokens: int) -> tuple[Stretches, Stretches]:
    """Split the documents between `offsets` [N + 1] into what is trained on and what is held out.

    Held out are this share of the tokens, at most `most_tokens`, in whole documents, so that nothing is asked for whose neighbour was
    learned. Documents longer than all that are never held out; where there are no others, stretches of them are: at least one, unless
    there is no second one to train on. Seed and length of windows have no say in it: losses can be compared, and a later stage with longer
    windows is not judged on what an earlier one learned.
    """
    room = min(most_tokens, share * (offsets[-1] - offsets[0]))
    tokens = np.diff(offsets)
    offsets, tokens = np.append(offsets[:-1][tokens > 0], offsets[-1]), tokens[tokens > 0]
    new = np.ones(len(tokens), dtype=bool)  # [N] whether a document begins here
    held = _chosen(tokens, room)
    if len(tokens) and not held.any():
        parts = -(-tokens // int(np.clip(room, SHORTEST, LONGEST)))
        number = np.arange(parts.sum()) - np.repeat(np.cumsum(parts) - parts, parts)
        # Parts of a document are of the same length, but for one token.
        begin = np.repeat(offsets[:-1], parts) + number * np.repeat(tokens, parts) // np.repeat(parts, parts)
        offsets, tokens, new = np.append(begin, offsets[-1]), np.diff(begin, append=offsets[-1]), number == 0
        held = _chosen(tokens, max(room, int(tokens.min())))
    if held.all():
        held[:] = False
    # Neighbours that go the same way are one stretch: windows are cut where they must be, and nowhere else.
    first = new | np.append(True, held[1:] != held[:-1])[: len(held)]
    begin = offsets[:-1][first].astype(np.int64)
    length, out = np.diff(begin, append=offsets[-1]), held[first]
    return Stretches(begin[~out], length[~out]), Stretches(begin[out], length[out])


def _chosen(tokens: IntArray, room: float) -> NDArray[np.bool_]:
    # [N] what is held out: units in a random order, those alone that fit, as long as they fit together.
    permuted = generator("held out").permutation(len(tokens))
    fitting = permuted[tokens[permuted] <= room]
    return np.isin(np.arange(len(tokens)), fitting[np.cumsum(tokens[fitting]) <= room])


def take(windows: Windows, indices: IntArray) -> Windows:
    """Some of the windows; what was cut and dropped is said of the whole."""
    return Windows(windows.start[indices], windows.length[indices], 0, 0)
