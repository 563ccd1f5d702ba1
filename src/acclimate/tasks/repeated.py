"""Whether test texts repeat sentences with other marks, as relation tasks do, though nothing says that they belong together."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from acclimate.tasks.grouping import TextGroups
from acclimate.tasks.split import Split

LOOKED_AT, LOOKED_THROUGH = 20_000, 2_000_000  # texts of a split, and characters of these
LEAST_SHARE, LEAST_TEXTS = 0.05, 5  # of the texts looked at, those that repeat a sentence; fewer are no rule of the data
LEAST_WORDS = 3  # of a sentence: "Oh, yes!" and "oh yes" are no repetition
COMPARED = 200  # pairs of texts from which marks are told
MOST_MARKS = 12
LEAST_TOGETHER = 0.95  # of the sentences, those that a proposed expression must bring together

_PLAIN = re.compile(r"[\s.,;:!?'\"()–—…-]+")  # what parts texts that differ in care alone; marks are something else
_TAG = re.compile(r"<[^<>\s]*>|\[[^\[\]\s]+\]")
_WORD = re.compile(r"\w+")
_TOKENS = re.compile(r"\w+|([^\w\s])\1*")
_TOKENS_WITH_TAGS = re.compile(rf"{_TAG.pattern}|{_TOKENS.pattern}")

Words = tuple[str, ...]


class Repeated(NamedTuple):
    """Texts that repeat sentences."""

    texts: int
    """That were looked at."""
    sentences: int
    """That these are."""
    in_train: int
    """Of the texts, those whose sentence stands in train with other marks."""
    without: str | None
    """An expression that matches the marks by which texts of a sentence differ, where it was found."""


def repeated_sentences(splits: Mapping[str, Split]) -> Repeated | None:
    """What of the test split repeats sentences; None where hardly anything does.

    A sentence are the same words in the same order, whatever stands between them. Texts that differ in case, white space and punctuation
    alone count once, as equal ones do, which are told elsewhere.
    """
    texts = _texts(splits["test"])
    least = max(LEAST_TEXTS, LEAST_SHARE * len(set(texts)))
    # Tags such as <e1> hold letters and are marks all the same; in <<aspirin>> they are none.
    for key, tokens in ((_words, _TOKENS), (_untagged, _TOKENS_WITH_TAGS)):
        said = _sentences(texts, key)
        several = [each for words, each in said.items() if len(each) > 1 and len(words) >= LEAST_WORDS]
        if sum(map(len, several)) >= least:
            without = _marks(several, tokens)
            number = len(said) if without is None else len(set(TextGroups(text_without=without).of([texts])[0]))
            train = _sentences(_texts(splits["train"]), key)
            in_train = sum(any(_bare(other) != _bare(text) for other in train.get(key(text), ())) for text in texts)
            return Repeated(len(texts), number, in_train, without)
    return None


def told(found: Repeated, whole: int, items: str) -> str:
    """What is said of it; `whole` is how many `items` the test split has."""
    first = "the first " if found.texts < whole else ""
    mend = "a column that names what belongs together, or {text_without: REGEX}"
    if found.without is not None:
        written = found.without.replace("'", "''")
        mend = f"{{text_without: '{written}'}}"
    train = f"; the sentences of {found.in_train:,} of them stand in train, too" if found.in_train else ""
    train = "; the sentence of one of them stands in train, too" if found.in_train == 1 else train
    return (
        f"{first}{found.texts:,} test {items} are {found.sentences:,} sentences, many of them more than once with other marks{train}: "
        f"verdicts take {items} as independent; say group: {mend}"
    )


def _texts(split: Split) -> list[str]:
    texts = ["\n".join(each) for each in zip(*(column[:LOOKED_AT] for column in split.inputs), strict=True)]
    return texts[: int(np.searchsorted(np.cumsum([len(text) for text in texts]), LOOKED_THROUGH, side="right"))]


def _words(text: str) -> Words:
    return tuple(_WORD.findall(text.lower()))


def _untagged(text: str) -> Words:
    return _words(_TAG.sub(" ", text))


def _bare(text: str) -> str:
    return _PLAIN.sub("", text.lower())


def _sentences(texts: Iterable[str], key: Callable[[str], Words]) -> dict[Words, list[str]]:
    """The texts of each sentence that differ in more than care."""
    found: dict[Words, list[str]] = {}
    for text in dict.fromkeys(texts):
        found.setdefault(key(text), []).append(text)
    return {words: each if len(each) == 1 else list({_bare(text): text for text in each}.values()) for words, each in found.items()}


def _marks(several: Sequence[Sequence[str]], tokens: re.Pattern[str]) -> str | None:
    """An expression that matches the marks by which texts of a sentence differ; None where marks alone do not make the difference."""
    compared = ((_placed(first, tokens), _placed(second, tokens)) for first, second, *_ in several[:COMPARED])
    counts = Counter(mark for first, second in compared for mark in {mark for mark, _ in first ^ second})
    chosen: list[str] = []
    for mark, _ in counts.most_common(MOST_MARKS):
        chosen.append(mark)
        if _together(chosen, several) >= LEAST_TOGETHER:
            break
    else:
        return None
    for mark in list(chosen):
        fewer = [other for other in chosen if other != mark]
        if fewer and _together(fewer, several) >= _together(chosen, several):
            chosen = fewer
    return _expression(chosen)


def _placed(text: str, tokens: re.Pattern[str]) -> set[tuple[str, int]]:
    """What may be a mark, each with the number of words that stand before it: texts of a sentence have the same words."""
    found, words = set(), 0
    for token in (match[0] for match in tokens.finditer(text)):
        if _WORD.fullmatch(token):
            words += 1
        elif not _PLAIN.fullmatch(token):
            found.add((token, words))
    return found


def _together(marks: Sequence[str], several: Sequence[Sequence[str]]) -> float:
    by = TextGroups(text_without=_expression(marks))
    return sum(len(set(by.of([texts])[0])) == 1 for texts in several) / len(several)


def _expression(marks: Iterable[str]) -> str:
    # Longer ones first: a mark may begin with another one.
    return "|".join(re.escape(mark) for mark in sorted(sorted(marks), key=len, reverse=True))
