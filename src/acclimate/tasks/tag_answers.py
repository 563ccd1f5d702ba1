"""What the outputs of a model that tags words mean: a tag for each word, and the entities that they make, in characters."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from acclimate.data.ragged import Ragged
from acclimate.tasks.metrics.spans import Spans, entities_of, tags_of
from acclimate.tasks.one_name import refuse_not_finite
from acclimate.tasks.outside_threshold import best_entity_f1
from acclimate.tasks.split import Answers, Split
from acclimate.tasks.thresholds import Thresholds, largest_multiple


def most_likely(probabilities_WL: Any, split: Split, thresholds: Thresholds | None = None) -> Answers:
    """The most likely tag of each word, how likely it is, and the entities that they make: JSON texts, a list for each item.

    With thresholds it is the tag whose probability is the largest multiple of its own. `probabilities_WL`: all words of all items, one
    after the other. An entity is `{"start", "end", "label", "text"}`, in characters.

    Raises:
        TrainingError: a probability is not a number.
    """
    probabilities_WL = np.asarray(probabilities_WL, dtype=np.float64)
    refuse_not_finite(probabilities_WL)
    assert split.words is not None
    said = largest_multiple(probabilities_WL, thresholds)
    predicted = Ragged(said, split.words.offsets)
    sure = Ragged(probabilities_WL[np.arange(len(said)), said], split.words.offsets)
    entities = tuple(json.dumps(each, ensure_ascii=False) for each in marked(predicted, split))
    return {"predicted": predicted, "sure": sure, "entities": entities}


def tuned(probabilities_WL: Any, dev: Split) -> Thresholds:
    """[L] one half, but for O the threshold by which entity F1 on dev is highest."""
    probabilities_WL = np.asarray(probabilities_WL, dtype=np.float64)
    refuse_not_finite(probabilities_WL)
    return best_entity_f1(probabilities_WL, dev)


def placed(spans: Spans, words: Ragged, names: tuple[str, ...], texts: Sequence[str]) -> Iterator[tuple[int, int, int, str, str]]:
    """Of each entity its item, where it begins and ends in characters, its type, and its text; `words` as in `Split.words`."""
    types = tags_of(names).types
    starts, ends = words.values[words.offsets[spans.item] + spans.first, 0], words.values[words.offsets[spans.item] + spans.last, 1]
    for item, start, end, number in zip(*(column.tolist() for column in (spans.item, starts, ends, spans.type)), strict=True):
        yield item, start, end, types[number], texts[item][start:end]


def marked(tags: Ragged, split: Split) -> list[list[dict[str, Any]]]:
    """[N] the entities of each item that tags make: where each begins and ends in characters, its type, and its text."""
    assert split.words is not None
    found: list[list[dict[str, Any]]] = [[] for _ in range(len(tags))]
    for item, start, end, label, text in placed(entities_of(tags, split.names), split.words, split.names, split.inputs[0]):
        found[item].append({"start": start, "end": end, "label": label, "text": text})
    return found
