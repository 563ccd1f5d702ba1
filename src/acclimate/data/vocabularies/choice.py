"""Which words of some corpora a vocabulary gets: how many there are to choose from, and what they would save."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from tokenizers import Tokenizer

from acclimate.data.vocabularies.larger import Spelling, lengths
from acclimate.data.vocabularies.mined import Candidate, Rules, candidates, count_chunks, count_words, harmless
from acclimate.errors import DataError

SHOWN = 10  # words in a sentence


@dataclass(frozen=True, eq=False)
class Choice:
    """The words of corpora that could become entries."""

    tokenizer: Tokenizer
    texts: Mapping[str, Iterable[str]]
    """The documents of each corpus, which are read once."""
    shares: Mapping[str, float]
    """What an occurrence in each counts."""
    rules: Rules

    @cached_property
    def spelling(self) -> Spelling:
        """How the tokenizer writes words."""
        return Spelling(self.tokenizer)

    @cached_property
    def chunks(self) -> "dict[str, Counter[str]]":
        """What stands between white space, by corpus."""
        return {name: count_chunks(self.texts[name]) for name in self.shares}

    @cached_property
    def found(self) -> list[Candidate]:
        """What could be added, that which saves most first."""
        words: dict[str, float] = {}
        for name, share in self.shares.items():
            for word, count in count_words(self.chunks[name], self.spelling, self.rules).items():
                words[word] = words.get(word, 0.0) + share * count
        return candidates(self.tokenizer, self.spelling, words, self.rules.min_count)

    def refuse_fewer(self, size: int, corpus: str) -> None:
        """Refuse a size that the corpora do not hold.

        Raises:
            DataError: how many words there are.
        """
        count, least = len(self.found), self.rules.min_count
        broken = f"that occur {least} times and are written in several pieces"
        if not count:
            raise DataError(
                f"extend: {corpus} has no words {broken}; lower min_count, or leave the stage out: the vocabulary knows what there is"
            )
        if count < size:
            raise DataError(
                f"extend: size: {size:,} words were asked for, and {corpus} has {count:,} {broken}; "
                f"choose at most {count:,}, or a lower min_count"
            )

    def entries(self, size: int) -> list[str]:
        """The first `size` of them by which no text of the corpora gets longer, or unknown; all are read whole for that. May be fewer."""
        every = sorted({self.spelling.lead + chunk for counted in self.chunks.values() for chunk in counted})
        return [each.entry for each in harmless(self.tokenizer, self.found, size, every)]

    @cached_property
    def tokens(self) -> int:
        """Of the corpora in the present vocabulary."""
        total = 0
        for counted in self.chunks.values():
            pieces = lengths(self.tokenizer, [self.spelling.lead + chunk for chunk in counted])
            total += int(pieces[:, 0] @ np.fromiter(counted.values(), np.int64, len(counted)))
        return total

    def share_saved(self, size: int) -> float:
        """What the first `size` would save of all tokens, roughly: words that begin with one of them are not counted."""
        return sum(each.saved for each in self.found[:size]) / max(1, self.tokens)

    def told(self, size: int, where: str) -> str:
        """What the first `size` would save, and which come first; empty where there is none."""
        best = self.found[:size]
        if not best:
            return ""
        words = ", ".join(f"{each.word} ({each.pieces} pieces, {each.count:,} times)" for each in best[:SHOWN])
        more = ", ..." if len(best) > SHOWN else ""
        return f"{len(best):,} words of {where} would save {100 * self.share_saved(size):.1f} % of its tokens: {words}{more}"
