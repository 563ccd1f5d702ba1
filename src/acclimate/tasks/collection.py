"""The documents among which queries find theirs: the same for all splits of a task."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice

import numpy as np

from acclimate.data.ragged import Ragged
from acclimate.tasks.split import Split, text_digest

HIGHEST = 1_000_000  # grade; more are no grades but numbers of something else


@dataclass(frozen=True, eq=False)
class Collection:
    """D documents in order; what is right for a query, and what is found, points into them."""

    texts: tuple[str, ...]
    ids: tuple[str, ...]
    """As their files call them, or their numbers."""
    numbered: bool = False
    """Whether ids are numbers that nobody but us gave."""

    def __len__(self) -> int:
        return len(self.texts)

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Collection":
        """Different texts in alphabetical order, numbered from 0: whoever deals the same rows to other files has the same collection."""
        different = sorted(set(texts))
        return cls(tuple(different), tuple(map(str, range(len(different)))), numbered=True)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of texts and ids."""
        return text_digest(text for column in (self.ids, self.texts) for text in column)

    def same_as(self, texts: Iterable[str]) -> Ragged:
        """[N] for each text the documents that are the same, word for word."""
        asked = list(texts)
        found: dict[str, list[int]] = {text: [] for text in asked}
        for number, text in enumerate(self.texts):
            if text in found:
                found[text].append(number)
        return Ragged.of([found[text] for text in asked])


def judged(split: Split) -> tuple[Ragged, Ragged]:
    """[N] of each query the documents that somebody judged, and their grades: above 0 is relevant."""
    gold = split.gold
    assert isinstance(gold, Ragged)
    values_M2 = gold.values.reshape(-1, 2)
    return Ragged(values_M2[:, 0], gold.offsets), Ragged(values_M2[:, 1], gold.offsets)


def among_fewer(splits: Sequence[Split], more: int) -> list[Split]:
    """The same queries, among the documents that somebody judged for one of them and `more` others."""
    collection = splits[0].collection
    assert collection is not None
    wanted = {int(document) for split in splits for document in judged(split)[0].values}
    others = (number for number in range(len(collection)) if number not in wanted)
    kept = np.array(sorted(wanted.union(islice(others, more))), dtype=np.int64)
    numbers = kept.tolist()
    fewer = replace(collection, texts=tuple(collection.texts[n] for n in numbers), ids=tuple(collection.ids[n] for n in numbers))
    found = []
    for split in splits:
        documents, grades = judged(split)
        gold = np.stack([np.searchsorted(kept, documents.values), grades.values], axis=1)
        found.append(replace(split, gold=Ragged(gold, documents.offsets), collection=fewer))
    return found


def relevance(split: Split, documents: Ragged) -> Ragged:
    """[N] the grades of other documents of each query, 0 where nobody judged them."""
    known, grades = judged(split)
    width = 1 + max((int(each.values.max(initial=0)) for each in (known, documents)), default=0)
    keys = _keys(known, width)
    order = np.argsort(keys, kind="stable")
    asked = _keys(documents, width)
    place = np.searchsorted(keys[order], asked)
    there = place < len(keys)
    there[there] = keys[order][place[there]] == asked[there]
    found = np.zeros(len(asked), dtype=np.int64)
    found[there] = grades.values[order][place[there]]
    return Ragged(found, documents.offsets)


def _keys(documents: Ragged, width: int) -> np.ndarray:
    query = np.repeat(np.arange(len(documents), dtype=np.int64), documents.lengths)
    return np.asarray(query * width + documents.values.astype(np.int64))
