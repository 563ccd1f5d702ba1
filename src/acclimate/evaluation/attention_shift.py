"""How far the attention of a model moved: one number a head, and one a layer for its states, over a sample of texts.

Of a head it is the Jensen-Shannon divergence of its rows before and after, in bits (0: the same, 1: nothing in common), the mean over all
tokens of the texts. Of a layer it is the linear CKA of its states (Kornblith et al. 2019, "Similarity of Neural Network Representations
Revisited", section 3): 1 where they are the same up to rotation and scale.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from acclimate.modeling.attention_maps import Attended, AttentionReader, Pieces

TEXTS, TOKENS = 50, 128  # of a sample: so many texts, and the first so many tokens of each
DIGITS = 5  # of a divergence or similarity that is kept


@dataclass(frozen=True)
class Shift:
    """From one model to another, by their places in a list."""

    before: int
    after: int
    divergence: list[list[float]]
    """[K][H] bits."""
    cka: list[float | None]
    """[K]; None where a state never changes from token to token."""

    @property
    def most(self) -> tuple[int, int]:
        """(layer, head), from 0, of the head that moved most."""
        heads = [(value, -layer, -head) for layer, row in enumerate(self.divergence) for head, value in enumerate(row)]
        _, layer, head = max(heads)
        return -layer, -head

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"before": self.before, "after": self.after, "divergence": self.divergence, "cka": self.cka}


@dataclass(frozen=True)
class Shifts:
    """What was found over a sample."""

    each: tuple[Shift, ...]
    """Of each two models that follow each other and, of more than two, from the first to the last, which then comes last."""
    texts: int
    tokens: int
    cut: int
    """Texts of which the first tokens alone were read."""
    most_tokens: int = TOKENS

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        counts = {"texts": self.texts, "tokens": self.tokens, "cut": self.cut, "most_tokens": self.most_tokens}
        return counts | {"pairs": [shift.as_json() for shift in self.each]}


def divergence(before: Tensor, after: Tensor) -> Tensor:
    """[...] bits between distributions [..., T]: the entropy of their mean, less the mean of their entropies (Lin 1991)."""
    mixed = (before + after) / 2
    return ((_entropy(mixed) - (_entropy(before) + _entropy(after)) / 2) / math.log(2)).clamp(0, 1)


def _entropy(shares: Tensor) -> Tensor:
    return -(shares * shares.clamp_min(torch.finfo(shares.dtype).tiny).log()).sum(-1)  # a weight of 0 adds nothing


def incomparable(readers: Sequence[AttentionReader], samples: Sequence[Sequence[Pieces]]) -> str | None:
    """Why two models of a list cannot be compared head by head; None where all can. `samples` are the same texts as each of them reads."""
    first = readers[0]
    if any((each.layers, each.heads) != (first.layers, first.heads) for each in readers):
        return "they have other numbers of layers and heads"
    if any([piece.labels for piece in sample] != [piece.labels for piece in samples[0]] for sample in samples):
        return "their tokenizers cut the texts into other tokens"
    return None


def shifts(readers: Sequence[AttentionReader], samples: Sequence[Sequence[Pieces]], say: Callable[[int], None] = lambda _: None) -> Shifts:
    """How far every head, and every layer, moved from each model to the next, and from the first to the last.

    `samples` holds of each model the same texts; of each text the first `TOKENS` tokens are read, or as many as all of them have
    positions for. All models are read text by text, so that no map is kept.
    """
    most = min(TOKENS, *(reader.positions for reader in readers))
    pairs = [*pairwise(range(len(readers)))]
    if len(readers) > 2:
        pairs.append((0, len(readers) - 1))
    layers, heads = readers[0].layers, readers[0].heads
    moved = torch.zeros(len(pairs), layers, heads, dtype=torch.float64)
    likeness = _Likeness(pairs, [reader.width for reader in readers], layers)
    tokens = 0
    for number, texts in enumerate(zip(*samples, strict=True)):
        read = [reader.read(pieces.first(most)) for reader, pieces in zip(readers, texts, strict=True)]
        tokens += read[0].maps.shape[-1]
        for place, (before, after) in enumerate(pairs):
            moved[place] += divergence(read[before].maps, read[after].maps).sum(-1).double()
        likeness.add(read)
        say(number + 1)
    moved /= max(tokens, 1)
    cut = sum(len(pieces.ids) > most for pieces in samples[0])
    found = [Shift(before, after, _rounded(moved[place].tolist()), likeness.cka(place)) for place, (before, after) in enumerate(pairs)]
    return Shifts(tuple(found), len(samples[0]), tokens, cut, most)


class _Likeness:
    """Linear CKA of states that come text by text: what is kept are products of features [D, D] a layer, in float64."""

    def __init__(self, pairs: Sequence[tuple[int, int]], widths: Sequence[int], layers: int) -> None:
        def zeros(*sizes: int) -> Tensor:
            return torch.zeros(layers, *sizes, dtype=torch.float64)

        self._pairs, self._count = pairs, 0
        self._sums = [zeros(width) for width in widths]
        self._own = [zeros(width, width) for width in widths]
        self._across = [zeros(widths[before], widths[after]) for before, after in pairs]

    def add(self, read: Sequence[Attended]) -> None:
        states = [each.states.double() for each in read]
        self._count += states[0].shape[1]
        for place, each in enumerate(states):
            self._sums[place] += each.sum(1)
            self._own[place] += each.mT @ each
        for place, (before, after) in enumerate(self._pairs):
            self._across[place] += states[before].mT @ states[after]

    def cka(self, place: int) -> list[float | None]:
        before, after = self._pairs[place]
        across = self._centred(self._across[place], before, after).square().sum((1, 2))
        own = [self._centred(self._own[each], each, each).square().sum((1, 2)).sqrt() for each in (before, after)]
        return [
            None if min(one, other) <= 0 else round(min(1.0, both / (one * other)), DIGITS)
            for both, one, other in zip(across.tolist(), own[0].tolist(), own[1].tolist(), strict=True)
        ]

    def _centred(self, products: Tensor, before: int, after: int) -> Tensor:
        means = [self._sums[each] / max(self._count, 1) for each in (before, after)]
        return products - self._count * means[0][:, :, None] * means[1][:, None, :]


def _rounded(rows: list[list[float]]) -> list[list[float]]:
    return [[round(value, DIGITS) for value in row] for row in rows]
