"""How alike texts are by their words: the most frequent ones that two share, and how far apart the frequencies are.

Words are scikit-learn's: lower-cased, of two letters, digits or `_` at least, without its English stop words, as in the script with which
the authors of Gururangan et al. (2020, figure 2) counted theirs. A stop word of another language is a word like others.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import combinations_with_replacement

import numpy as np

MOST_WORDS = 10_000  # of a text are compared (Gururangan et al. 2020)
STOP_WORDS = "scikit-learn's English stop words"

_WORD = re.compile(r"\b\w\w+\b")  # as scikit-learn's CountVectorizer has it


@dataclass(frozen=True)
class Words:
    """The words of a text."""

    counts: Mapping[str, int]
    """How often each occurs; stop words are left out."""
    top: frozenset[str]
    """The most frequent of them; of equally frequent ones those that come first in the alphabet."""

    @property
    def running(self) -> int:
        """Words of the text, each as often as it occurs."""
        return sum(self.counts.values())


def words_of(texts: Iterable[str], most: int = MOST_WORDS) -> Words:
    """Count the words of texts, which are streamed, and take the `most` frequent."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(_WORD.findall(text.lower()))
    for word in stop_words():
        counts.pop(word, None)
    return Words(counts, frozenset(sorted(counts, key=lambda word: (-counts[word], word))[:most]))


@cache
def stop_words() -> frozenset[str]:
    """Words that say little of what a text is about."""
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    return frozenset(ENGLISH_STOP_WORDS)


def shared(one: Words, other: Words) -> int:
    """How many of the most frequent words of one text are among those of the other."""
    return len(one.top & other.top)


def overlap(one: Words, other: Words) -> float:
    """Of the most frequent words of one text (of the shorter list) the share that is among those of the other: 0 to 1.

    Where both have as many, as long texts do, it is the same seen from either side.
    """
    return shared(one, other) / max(1, min(len(one.top), len(other.top)))


def jaccard(one: Words, other: Words) -> float:
    """Of the words that are among the most frequent of either text the share that is among those of both: 0 to 1 (Jaccard 1901)."""
    return shared(one, other) / max(1, len(one.top | other.top))


def divergence(one: Words, other: Words) -> float:
    """The Jensen-Shannon divergence of the frequencies of words, in bits: 0 where they are the same, 1 where no word is shared (Lin 1991).

    Looked at are the words that are among the most frequent of either text; texts without one are 1 from everything.
    """
    from scipy.spatial.distance import jensenshannon

    either = sorted(one.top | other.top)
    counts = [np.array([text.counts.get(word, 0) for word in either], dtype=np.float64) for text in (one, other)]
    if not all(each.sum() for each in counts):
        return 1.0
    return max(0.0, float(jensenshannon(*counts, base=2)) ** 2)  # scipy gives the root, the distance


def compared(texts: Mapping[str, Words]) -> dict[str, dict[str, dict[str, float]]]:
    """Every text beside every one, itself among them, ready for JSON: `shared` words, `overlap`, `jaccard` and `divergence`."""
    measures = {"shared": shared, "overlap": overlap, "jaccard": jaccard, "divergence": divergence}
    found: dict[str, dict[str, dict[str, float]]] = {measure: {name: {} for name in texts} for measure in measures}
    for measure, of_two in measures.items():
        for one, other in combinations_with_replacement(texts, 2):
            value = of_two(texts[one], texts[other])
            found[measure][one][other] = found[measure][other][one] = value
    return {measure: {one: {other: row[other] for other in texts} for one, row in rows.items()} for measure, rows in found.items()}
