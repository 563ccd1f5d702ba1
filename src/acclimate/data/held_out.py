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


def hold_out(offsets: IntArray, share: float, most_tokens: int, units: IntArray | None = None) -> tuple[Stretches, Stretches]:
    """Split the documents between `offsets` [N + 1] into what is trained on and what is held out.

    Held out are this share of the tokens, at most `most_tokens`, in whole documents, so that nothing is asked for whose neighbour was
    learned. Documents with the same number in `units` [N] are held out together, or not. Those longer than all that are never held out;
    where there are no others, single documents of a unit are, and at last stretches of documents: at least one, unless there is no second
    one to train on. Seed and length of windows have no say in it: losses can be compared, and a later stage with longer
    windows is not judged on what an earlier one learned.
    """
    room = min(most_tokens, share * (offsets[-1] - offsets[0]))
    tokens = np.diff(offsets)
    there = tokens > 0
    offsets, tokens = np.append(offsets[:-1][there], offsets[-1]), tokens[there]
    new = np.ones(len(tokens), dtype=bool)  # [N] whether a document begins here
    held = _chosen(tokens, room) if units is None else _chosen_together(tokens, units[there], room)
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


def _chosen_together(tokens: IntArray, units: IntArray, room: float) -> NDArray[np.bool_]:
    # [N] what is held out, whole units; single ones of it where every unit is too large.
    _, unit_of = np.unique(units, return_inverse=True)
    held = _chosen(np.bincount(unit_of, tokens).astype(np.int64), room)[unit_of] if len(tokens) else np.zeros(0, dtype=bool)
    return held if held.any() else _chosen(tokens, room)


def take(windows: Windows, indices: IntArray) -> Windows:
    """Some of the windows; what was cut and dropped is said of the whole."""
    return Windows(windows.start[indices], windows.length[indices], 0, 0)
