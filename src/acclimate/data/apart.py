"""Pairs of texts of which each is read by itself, for models that give every text a vector."""

from dataclasses import dataclass

from acclimate.data.ragged import IntArray
from acclimate.data.sequences import Sequences


@dataclass(frozen=True, kw_only=True)
class ApartSequences(Sequences):
    """`N` pairs: what `Sequences` has is of the first texts. Batches bring `hidden`, made of both, and tokens of the first."""

    second: Sequences
    """The second texts."""

    @classmethod
    def of(cls, first: Sequences, second: Sequences) -> "ApartSequences":
        """The pairs of two columns, whole."""
        return cls(first.store, first.windows, first.prefix, first.suffix, second=second)

    @property
    def first(self) -> Sequences:
        """The first texts alone."""
        return Sequences(self.store, self.windows, self.prefix, self.suffix)

    @property
    def lengths(self) -> IntArray:
        """[N] tokens of both, special ones included."""
        return super().lengths + self.second.lengths

    @property
    def cut_tokens(self) -> int:
        """Tokens of both that are not read."""
        return super().cut_tokens + self.second.cut_tokens

    @property
    def tokens(self) -> int:
        """Of both, read or not, without special ones."""
        return super().tokens + self.second.tokens

    @property
    def unknown_share(self) -> float:
        """Of the tokens of both, those that are unknown to the vocabulary: 0 to 1."""
        unknown = super().unknown_share * super().tokens + self.second.unknown_share * self.second.tokens
        return min(1.0, unknown / max(1, self.tokens))
