"""Scores of entities in sentences, and of the tags that make them.

Gold and what was said (`predicted`) are Ragged int64, for every word of every item the number of a tag in the names. F1 and its kin are
micro-averaged over entities and equal nervaluate's (Batista 2018, after SemEval 2013 task 9.1) on entities without a type that is unknown:
strict, exact (bounds alone), partial (half for overlapping bounds) and ent_type (the type of what overlaps).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from acclimate.data.ragged import IntArray, Ragged, ranges
from acclimate.tasks.metrics.classes import ratio
from acclimate.tasks.metrics.metric import Metric, Numbers, jackknifed, of_sums
from acclimate.tasks.split import Answers, Split

OUTSIDE = "O"


class Spans(NamedTuple):
    """Entities in the order of the text, [E] each: of which item, its first and its last word in it, from 0, and the number of its type."""

    item: IntArray
    first: IntArray
    last: IntArray
    type: IntArray

    def __len__(self) -> int:  # entities, not columns
        return len(self.item)


class Tags(NamedTuple):
    """What the names of tags mean: types, and for each name the number of its type (-1 for O) and whether it begins an entity."""

    types: tuple[str, ...]
    type: IntArray
    begins: NDArray[np.bool_]


def tags_of(names: tuple[str, ...]) -> Tags:
    """The meaning of names in IOB2; where O is none of them tags are plain, and each word is an entity of its own."""
    if OUTSIDE not in names:
        return Tags(names, np.arange(len(names)), np.ones(len(names), dtype=bool))
    typed = [None if name == OUTSIDE else type_of(name) for name in names]
    types = tuple(dict.fromkeys(each for each in typed if each is not None))
    numbers = [-1 if each is None else types.index(each) for each in typed]
    return Tags(types, np.array(numbers, dtype=np.int64), np.array([name.startswith("B-") for name in names]))


def type_of(tag: str) -> str:
    """The type of a tag in IOB2; a tag without B- or I- is one."""
    return tag[2:] if tag[:2] in ("B-", "I-") else tag


def entities_of(tags: Ragged, names: tuple[str, ...]) -> Spans:
    """The entities that tags say: one begins at B-x, or at I-x that follows O or another type; of plain tags each word is one.

    As transformers' pipeline reads tags with `aggregation_strategy="simple"`.
    """
    meaning = tags_of(names)
    values = np.asarray(tags.values, dtype=np.int64)
    if not len(values):
        return Spans(*(np.zeros(0, dtype=np.int64) for _ in range(4)))
    types, item = meaning.type[values], np.repeat(np.arange(len(tags)), tags.lengths)
    fresh = np.ones(len(values), dtype=bool)  # the first word of an item, or of another type than the one before
    fresh[1:] = (item[1:] != item[:-1]) | (types[1:] != types[:-1])
    starts = (types >= 0) & (fresh | meaning.begins[values])
    begin, stop = np.flatnonzero(starts), np.flatnonzero(starts | fresh)
    following = np.searchsorted(stop, begin, side="right")
    end = np.append(stop, len(values))[following] - 1
    return Spans(item[begin], begin - tags.offsets[item[begin]], end - tags.offsets[item[begin]], types[begin])


def both(split: Split, answers: Answers) -> tuple[Spans, Spans]:
    """Gold entities and those that were said."""
    return entities_of(rows(split.gold), split.names), entities_of(rows(answers["predicted"]), split.names)


def rows(column: Any) -> Ragged:
    """A column of tags."""
    assert isinstance(column, Ragged)
    return column


def overlaps(gold: Spans, said: Spans, tags: Ragged) -> tuple[IntArray, IntArray]:
    """Pairs of a gold and a said entity that have a word in common, in the order of the text; `tags` are those of either."""
    owners = []
    for spans in (gold, said):
        owner = np.full(len(tags.values), -1, dtype=np.int64)
        lengths = spans.last - spans.first + 1
        owner[ranges(tags.offsets[spans.item] + spans.first, lengths)] = np.repeat(np.arange(len(spans)), lengths)
        owners.append(owner)
    shared = (owners[0] >= 0) & (owners[1] >= 0)
    pairs = np.unique(np.stack([owners[1][shared], owners[0][shared]], axis=1), axis=0)  # by what was said, as it is gone through
    return pairs[:, 1], pairs[:, 0]


class Matched(NamedTuple):
    """What gold and said entities have in common, by pairs of numbers into them."""

    strict: tuple[IntArray, IntArray]
    """The same words and the same type."""
    exact: tuple[IntArray, IntArray]
    """The same words."""
    overlapping: tuple[IntArray, IntArray]
    """Some word."""


def matched(gold: Spans, said: Spans, tags: Ragged) -> Matched:
    """Which entities are the same, and which overlap."""
    ours, theirs = overlaps(gold, said, tags)
    exact = (gold.first[ours] == said.first[theirs]) & (gold.last[ours] == said.last[theirs])
    strict = exact & (gold.type[ours] == said.type[theirs])
    return Matched((ours[strict], theirs[strict]), (ours[exact], theirs[exact]), (ours, theirs))


def entity_f1(split: Split, answers: Answers) -> Numbers:
    """[N] the strict F1 of each item's entities; 1 where there is none and none was said."""
    sums = _sums(split, answers)
    whole = sums[:, 1] + sums[:, 2]
    return np.asarray(np.where(whole == 0, 1.0, ratio(2 * sums[:, 0], whole)))


def _of_items(numbers: Any, count: int, weights: Any = None) -> Numbers:
    return np.asarray(np.bincount(numbers, weights, minlength=count), dtype=np.float64)


Credit = Callable[[Spans, Spans, Ragged], tuple[IntArray, Numbers]]
"""Gold entities that are found, and how much of a hit each is."""


def _strict(gold: Spans, said: Spans, tags: Ragged) -> tuple[IntArray, Numbers]:
    found = matched(gold, said, tags).strict[0]
    return found, np.ones(len(found))


def _exact(gold: Spans, said: Spans, tags: Ragged) -> tuple[IntArray, Numbers]:
    found = matched(gold, said, tags).exact[0]
    return found, np.ones(len(found))


def _partial(gold: Spans, said: Spans, tags: Ragged) -> tuple[IntArray, Numbers]:
    """Each said entity takes the gold one with its bounds, or else for a half the first that it overlaps and no other has taken."""
    match = matched(gold, said, tags)
    taken = dict(zip(match.exact[0].tolist(), np.ones(len(match.exact[0])).tolist(), strict=True))
    served = set(match.exact[1].tolist())
    for ours, theirs in zip(*(column.tolist() for column in match.overlapping), strict=True):
        if ours not in taken and theirs not in served:
            taken[ours] = 0.5
            served.add(theirs)
    return np.array([*taken], dtype=np.int64), np.array([*taken.values()])


def paired(gold: Spans, said: Spans, tags: Ragged) -> tuple[IntArray, IntArray]:
    """Pairs of entities, none in two of them: each said one takes, of the gold ones that it overlaps and none has taken, that of its type
    with the nearest bounds, else the first.
    """
    ours, theirs = overlaps(gold, said, tags)
    same = gold.type[ours] == said.type[theirs]
    apart = np.abs(gold.first[ours] - said.first[theirs]) + np.abs(gold.last[ours] - said.last[theirs])
    candidates: dict[int, list[tuple[bool, int, int]]] = {}
    for each, number, right, distance in zip(theirs.tolist(), ours.tolist(), same.tolist(), apart.tolist(), strict=True):
        candidates.setdefault(each, []).append((not right, distance if right else 0, number))
    taken: dict[int, int] = {}
    for each, pairs in candidates.items():
        free = [pair for pair in pairs if pair[2] not in taken]
        if free:
            taken[min(free)[2]] = each
    return np.array([*taken], dtype=np.int64), np.array([*taken.values()], dtype=np.int64)


def _by_type(gold: Spans, said: Spans, tags: Ragged) -> tuple[IntArray, Numbers]:
    """Those that are paired with one of their type."""
    ours, theirs = paired(gold, said, tags)
    return ours, (gold.type[ours] == said.type[theirs]).astype(np.float64)


def _counted(credit: Credit) -> Callable[[Split, Answers], Numbers]:
    """[N, 3] of each item: entities that are right, its own, and those that are said."""

    def parts(split: Split, answers: Answers) -> Numbers:
        gold, said = both(split, answers)
        found, worth = credit(gold, said, rows(split.gold))
        count = len(split)
        right = _of_items(gold.item[found], count, worth)
        return np.stack([right, _of_items(gold.item, count), _of_items(said.item, count)], axis=1)

    return parts


_sums = _counted(_strict)


def _type_sums(split: Split, answers: Answers) -> Numbers:
    """[N, 3 T] of each item, by type: entities that are strictly right, its own, and those that are said."""
    gold, said = both(split, answers)
    types, count = len(tags_of(split.names).types), len(split)
    found = matched(gold, said, rows(split.gold)).strict[0]
    flat = [(gold.item[found], gold.type[found]), (gold.item, gold.type), (said.item, said.type)]
    return np.concatenate([_of_items(item * types + kind, count * types).reshape(count, types) for item, kind in flat], axis=1)


def by_type(split: Split, answers: Answers) -> Numbers:
    """[3, T] by type: entities that are strictly right, gold ones, and those that are said."""
    return np.asarray(_type_sums(split, answers).sum(axis=0).reshape(3, -1), dtype=np.float64)


def _macro(split: Split, answers: Answers) -> float:
    right, gold, said = by_type(split, answers)
    return float(ratio(2 * right, gold + said).mean()) if len(right) else 0.0


def _macro_slope(split: Split, answers: Answers) -> Numbers:
    # Not by differences: types may be thousands of times as rare as others.
    right_NT, gold_NT, said_NT = np.split(_type_sums(split, answers), 3, axis=1)
    whole = (gold_NT + said_NT).sum(axis=0)
    loss = ratio(ratio(2 * right_NT.sum(axis=0), whole), whole)  # d(a/b) = da/b - (a/b) db/b
    return np.asarray((right_NT @ ratio(2.0, whole) - (gold_NT + said_NT) @ loss) / max(len(whole), 1))


def _f1(sums: Numbers) -> float:
    return float(ratio(2 * sums[0], sums[1] + sums[2]))


def _word_sums(outside: bool) -> Callable[[Split, Answers], Numbers]:
    """[N, 2] of each item: words whose tag is right, and words; without `outside` of those alone whose gold tag is not O."""

    def parts(split: Split, answers: Answers) -> Numbers:
        gold, said = rows(split.gold), rows(answers["predicted"])
        item = np.repeat(np.arange(len(gold)), gold.lengths)
        counted = np.ones(len(gold.values), dtype=bool) if outside else tags_of(split.names).type[gold.values] >= 0
        right = counted & (gold.values == said.values)
        return np.stack([_of_items(item[right], len(gold)), _of_items(item[counted], len(gold))], axis=1)

    return parts


ENTITY_F1 = of_sums("entity_f1", "entity F1", _sums, _f1, hub="f1")
MACRO_F1 = jackknifed("macro_f1", "macro F1 over types", _macro, _macro_slope)
PARTIAL_F1 = of_sums("partial_f1", "partial F1", _counted(_partial), _f1)
TYPE_F1 = of_sums("type_f1", "type-only F1", _counted(_by_type), _f1)
BOUNDS_F1 = of_sums("bounds_f1", "bounds-only F1", _counted(_exact), _f1)
PRECISION = of_sums(
    "entity_precision", "entity precision", _sums, lambda sums: float(ratio(sums[0], sums[2])), compared=False, hub="precision"
)
RECALL = of_sums("entity_recall", "entity recall", _sums, lambda sums: float(ratio(sums[0], sums[1])), compared=False, hub="recall")
TOKEN_ACCURACY = of_sums(
    "token_accuracy", "token accuracy", _word_sums(True), lambda sums: float(ratio(sums[0], sums[1])), compared=False, hub="accuracy"
)
TOKEN_ACCURACY_WITHOUT_O = of_sums(
    "token_accuracy_without_o", "token accuracy without O", _word_sums(False), lambda sums: float(ratio(sums[0], sums[1])), compared=False
)
METRICS: tuple[Metric, ...] = (
    ENTITY_F1, PRECISION, RECALL, MACRO_F1, PARTIAL_F1, TYPE_F1, BOUNDS_F1, TOKEN_ACCURACY, TOKEN_ACCURACY_WITHOUT_O,
)  # fmt: skip
