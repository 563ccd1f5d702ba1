"""Words of a corpus that a tokenizer writes in several pieces, by how many tokens they would save as entries of their own."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from tokenizers import Tokenizer

from acclimate.data.found_words import marks
from acclimate.data.vocabularies.larger import Spelling, enlarged, lengths

MOST_CHUNKS = 4_000_000  # different ones that are remembered; beyond that those that occurred once are forgotten


@dataclass(frozen=True)
class Candidate:
    """A word that could become an entry."""

    entry: str
    """As the vocabulary would write it."""
    word: str
    """As it stands in the text, in its most frequent spelling."""
    count: int
    pieces: int
    """That it is written in now."""

    @property
    def saved(self) -> int:
        """Tokens that the corpus would need less."""
        return self.count * (self.pieces - 1)


@dataclass(frozen=True)
class Rules:
    """Which words are looked at."""

    min_count: int = 5
    digits: bool = False
    """Those with digits, too, if they have a letter."""
    hyphens: bool = False
    """Several joined by hyphens or apostrophes, too, where the tokenizer keeps them together."""


def count_chunks(documents: Iterable[str]) -> "Counter[str]":
    """How often each run of characters between white space occurs."""
    counts: Counter[str] = Counter()
    most = MOST_CHUNKS
    for text in documents:
        counts.update(text.split())
        if len(counts) > most:
            counts = Counter({chunk: count for chunk, count in counts.items() if count > 1})
            most = max(MOST_CHUNKS, 2 * len(counts))
    return counts


def count_words(chunks: "Counter[str]", spelling: Spelling, rules: Rules) -> "Counter[str]":
    """How often each word of the corpus stands where an entry could stand for it, spelled as in the text.

    Words behind a bracket or another sign count only where the tokenizer writes them like those behind a space.
    """
    words: Counter[str] = Counter()
    for chunk, count in chunks.items():
        for word in _words(chunk, spelling.anywhere, rules):
            words[word] += count
    return words


def candidates(tokenizer: Tokenizer, spelling: Spelling, words: Mapping[str, float], min_count: int) -> list[Candidate]:
    """Words that occur so often and are written in several known pieces, those that save most first; `words` may be weighed."""
    by_entry: dict[str, list[tuple[float, str]]] = {}
    known = tokenizer.get_vocab(with_added_tokens=True)  # an entry of Unigram may lose against its pieces
    for word, count in words.items():
        if (entry := spelling.entry(word)) is not None and entry not in known:
            by_entry.setdefault(entry, []).append((count, word))
    frequent = {entry: spelled for entry, spelled in by_entry.items() if sum(count for count, _ in spelled) >= min_count}
    found = []
    for entry, pieces in zip(frequent, pieces_of(tokenizer, spelling, [max(spelled)[1] for spelled in frequent.values()]), strict=True):
        if pieces > 1:
            spelled = frequent[entry]
            found.append(Candidate(entry, max(spelled)[1], round(sum(count for count, _ in spelled)), pieces))
    return sorted(found, key=lambda each: (-each.saved, each.entry))


def pieces_of(tokenizer: Tokenizer, spelling: Spelling, words: Iterable[str]) -> list[int]:
    """How many pieces each word is written in; 0 where one of them is unknown."""
    counted = lengths(tokenizer, [spelling.lead + word for word in words])
    return [0 if unknown else pieces for pieces, unknown in counted.tolist()]


def harmless(tokenizer: Tokenizer, found: Sequence[Candidate], size: int, chunks: Sequence[str]) -> list[Candidate]:
    """The first `size` candidates by which no chunk of the corpus gets longer, or unknown; `chunks` are written as within a text.

    An entry that WordPiece takes first may leave a rest that needs more pieces than the whole did, or that nothing can write.
    """
    harmful: set[str] = set()
    before = lengths(tokenizer, chunks)
    while chosen := [each for each in found if each.entry not in harmful][:size]:
        larger, _ = enlarged(tokenizer, [each.entry for each in chosen])
        worse = np.flatnonzero((lengths(larger, chunks) > before).any(axis=1)).tolist()
        made, texts = _seen(larger, [chunks[number] for number in worse])
        blamed = {each.entry for each in chosen if each.entry in made or each.entry in texts}
        if not blamed:  # with Unigram an unknown character may cost more, which is no entry's doing
            break
        harmful |= blamed
    return chosen


def _seen(tokenizer: Tokenizer, chunks: list[str]) -> tuple[set[str], str]:
    """(the pieces of the chunks; the chunks as the tokenizer looks at them: what became unknown is no piece)."""
    made = {token for encoding in tokenizer.encode_batch(chunks, add_special_tokens=False) for token in encoding.tokens}
    normalise = (lambda text: text) if tokenizer.normalizer is None else tokenizer.normalizer.normalize_str
    return made, " ".join(map(normalise, chunks))


def _words(chunk: str, anywhere: bool, rules: Rules) -> list[str]:
    pattern = _pattern(chunk.isascii(), rules.digits, rules.hyphens)
    if anywhere:
        return [match.group() for match in pattern.finditer(chunk)]
    match = pattern.match(chunk)
    return [match.group()] if match else []


@cache
def _pattern(ascii_only: bool, digits: bool, hyphens: bool) -> re.Pattern[str]:
    # A run of letters (and marks, without which the words of Hindi, Thai or Arabic would fall into pieces) beside no digit and no `_`.
    more = "" if ascii_only else marks()
    letter = rf"(?:[^\W\d_]|[{more}])" if more else r"[^\W\d_]"
    inside = rf"(?:[^\W_]|[{more}])" if more and digits else r"[^\W_]" if digits else letter
    word = rf"(?=[^\W_]*[^\W\d_]){inside}+" if digits else rf"[^\W\d_]{letter}*"
    joined = rf"{word}(?:[-'’]{word})*" if hyphens else word
    return re.compile(rf"(?<!\w){joined}(?!\w)")
