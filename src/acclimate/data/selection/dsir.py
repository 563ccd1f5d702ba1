"""Data selection by importance resampling (DSIR; Xie et al. 2023): documents whose n-grams are more likely in the target than elsewhere."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from acclimate.data.ragged import IntArray, Ragged
from acclimate.data.selection.candidates import Candidates
from acclimate.data.selection.ranked import Best, Budget, Choice, Floats
from acclimate.data.selection.words import BASE, mixed, words_of
from acclimate.randomness import generator

BUCKETS = 10_000  # of hashed n-grams (Xie et al. 2023, section 4)
SMALLEST = 1e-8  # added to the share of each bucket, as in the authors' code


class Grams(NamedTuple):
    """The words and pairs of words of `N` texts."""

    buckets: IntArray
    """[grams] of each."""
    text_of: IntArray
    """[grams] which text it stands in."""
    texts: int

    def counts(self) -> Floats:
        """[BUCKETS] how many grams fall into each."""
        return np.bincount(self.buckets, minlength=BUCKETS).astype(np.float64)


def grams_of(words: Ragged) -> Grams:
    """The words of the texts, and pairs of words that follow each other in one, hashed into buckets."""
    values, text_of = words.values, np.repeat(np.arange(len(words)), words.lengths)
    inside = text_of[1:] == text_of[:-1]
    pairs = mixed(values[:-1][inside] * np.uint64(BASE) + values[1:][inside])
    buckets = np.concatenate([values, pairs]) % np.uint64(BUCKETS)
    return Grams(buckets.astype(np.int64), np.concatenate([text_of, text_of[1:][inside]]), len(words))


def log_ratio(target: NDArray[np.floating], raw: NDArray[np.floating]) -> Floats:
    """[BUCKETS] log p_target - log p_raw of each bucket, from the counts of both."""
    shares = [counts / max(1.0, counts.sum()) + SMALLEST for counts in (target, raw)]
    return np.asarray(np.log(shares[0]) - np.log(shares[1]))


def weights(grams: Grams, ratio: Floats) -> Floats:
    """[N] the log importance weight of each text: the sum over its n-grams."""
    return np.asarray(np.bincount(grams.text_of, weights=ratio[grams.buckets], minlength=grams.texts), dtype=np.float64)


def gumbel(seed: int, numbers: IntArray, documents: int) -> Floats:
    """[N] Gumbel noise of documents: with it the k highest are a sample without replacement (Kool et al. 2019)."""
    first = int(numbers[0]) if len(numbers) else 0
    return generator(seed, "select by importance", first).gumbel(size=documents)[numbers - first]


def choose(like: Iterable[Sequence[str]], candidates: Candidates, budget: Budget, seed: int) -> Choice:
    """The documents with the highest log importance weight plus Gumbel noise, in two passes; `like` gives texts chunk by chunk."""
    target, raw = np.zeros(BUCKETS), np.zeros(BUCKETS)
    for texts in like:
        target += grams_of(words_of(texts)).counts()
    for chunk in candidates.chunks():
        raw += grams_of(chunk.words()).counts()
    ratio, best = log_ratio(target, raw), Best(budget)
    for chunk in candidates.chunks():
        if not len(chunk.numbers):
            continue
        words = chunk.words()
        drawn = gumbel(seed, chunk.numbers, int(chunk.numbers[-1] - chunk.numbers[0]) + 1)
        best.add(chunk.numbers, weights(grams_of(words), ratio) + drawn, words.lengths)
    return best.chosen()


def choose_randomly(candidates: Candidates, budget: Budget, seed: int) -> Choice:
    """Documents at random, each as likely as any other."""
    best = Best(budget)
    for chunk in candidates.chunks():
        if len(chunk.numbers):
            drawn = generator(seed, "select at random", int(chunk.numbers[0])).random(len(chunk.numbers))
            best.add(chunk.numbers, drawn, chunk.words().lengths)
    return best.chosen()
