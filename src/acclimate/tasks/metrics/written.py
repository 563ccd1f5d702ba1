"""Scores of written answers beside the one that is right: the same words, shared words, the longest common sequence, and what it costs.

What each answer came to stands among the answers (`compared`), so that every score is a mean, or a ratio of sums, of columns.
"""

import math
import re
import string
from collections import Counter
from collections.abc import Sequence

import numpy as np

from acclimate.tasks.metrics.metric import Metric, Numbers, mean_of, of_sums
from acclimate.tasks.metrics.texts import bits_and_bytes, columns_of, ratio
from acclimate.tasks.split import Answers, Split

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_WORDS = re.compile(r"[^\W_]+")


def normalised(text: str) -> list[str]:
    """The words of an answer without case, ASCII punctuation and English articles (Rajpurkar et al. 2016, section 6.1)."""
    return _ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split()


def exact(found: str, gold: str) -> float:
    """1 where both are the same words, in the same order."""
    return float(normalised(found) == normalised(gold))


def token_f1(found: str, gold: str) -> float:
    """Of the words of both the harmonic mean of precision and recall, however they are ordered; 1 where both have none."""
    one, other = normalised(found), normalised(gold)
    if not one or not other:
        return float(one == other)
    shared = sum((Counter(one) & Counter(other)).values())
    return 2 * shared / (len(one) + len(other))


def rouge_l(found: str, gold: str) -> float:
    """The same of the longest sequence of words that stands in both, with other words between them or not (Lin 2004, section 3.1).

    Words are runs of letters and digits of any script, without case; of English text it is what the package rouge-score gives.
    """
    one, other = _WORDS.findall(found.lower()), _WORDS.findall(gold.lower())
    return 2 * _common(one, other) / (len(one) + len(other)) if one and other else 0.0


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """Length of the longest common subsequence, a bit a word of `one` (Hyyrö 2004)."""
    places: dict[str, int] = {}
    for place, word in enumerate(one):
        places[word] = places.get(word, 0) | 1 << place
    full = (1 << len(one)) - 1
    rest = full
    for word in other:
        met = rest & places.get(word, 0)
        rest = ((rest + met) | (rest - met)) & full
    return len(one) - rest.bit_count()


def compared(found: Sequence[str], gold: Sequence[str]) -> dict[str, Numbers]:
    """[N] by the name of a score what each answer has by itself."""
    return {
        name: np.array([score(one, other) for one, other in zip(found, gold, strict=True)], dtype=np.float64)
        for name, score in (("exact_match", exact), ("token_f1", token_f1), ("rouge_l", rouge_l))
    }


def _of(name: str) -> "Metric":
    words = {"exact_match": "exact match", "token_f1": "token F1", "rouge_l": "ROUGE-L"}[name]
    hub = {"exact_match": "exact_match", "rouge_l": "rouge"}.get(name)

    def item(_: Split, answers: Answers) -> Numbers:
        return np.asarray(answers[name], dtype=np.float64)

    return mean_of(name, words, item, reads=(name,), hub=hub)


def _nats_and_tokens(_: Split, answers: Answers) -> Numbers:
    return columns_of("nats", "tokens", answers=answers)


def _perplexity(sums: Numbers) -> float:
    return math.exp(min(ratio(sums), 700.0))


BITS = of_sums(
    "bits_per_byte", "bits per byte of the right answer", bits_and_bytes, ratio, better="lower", span=1.0, reads=("bits", "bytes")
)
METRICS: tuple[Metric, ...] = (
    _of("token_f1"),
    _of("exact_match"),
    _of("rouge_l"),
    BITS,
    # By the token: it sets models of one vocabulary beside each other, and no others.
    of_sums("perplexity", "perplexity of the right answer", _nats_and_tokens, _perplexity, better="lower", span=100.0, compared=False,
            reads=("nats", "tokens")),
)  # fmt: skip
LIKELY = (BITS.name, "perplexity")
"""Those that need no answer to be written: what is right is asked for alone."""
