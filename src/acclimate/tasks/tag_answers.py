"""What the outputs of a model that tags words mean: a tag for each word, and the entities that they make, in characters."""

import json
from typing import Any

import numpy as np

from acclimate.data.ragged import Ragged
from acclimate.tasks.metrics.spans import entities_of, tags_of
from acclimate.tasks.one_name import refuse_not_finite
from acclimate.tasks.split import Answers, Split


def most_likely(probabilities_WL: Any, split: Split) -> Answers:
    """The most likely tag of each word, how likely it is, and the entities that they make: JSON texts, a list for each item.

    `probabilities_WL`: all words of all items, one after the other. An entity is `{"start", "end", "label", "text"}`, in characters.

    Raises:
        TrainingError: a probability is not a number.
    """
    probabilities_WL = np.asarray(probabilities_WL, dtype=np.float64)
    refuse_not_finite(probabilities_WL)
    assert split.words is not None
    predicted = Ragged(probabilities_WL.argmax(axis=1), split.words.offsets)
    sure = Ragged(probabilities_WL.max(axis=1), split.words.offsets)
    return {"predicted": predicted, "sure": sure, "entities": written_entities(predicted, split)}


def written_entities(tags: Ragged, split: Split) -> tuple[str, ...]:
    """[N] the entities of each item that tags make, as JSON."""
    return tuple(json.dumps(entities, ensure_ascii=False) for entities in marked(tags, split))


def marked(tags: Ragged, split: Split) -> list[list[dict[str, Any]]]:
    """[N] the entities of each item that tags make: where each begins and ends in characters, its type, and its text."""
    assert split.words is not None
    found: list[list[dict[str, Any]]] = [[] for _ in range(len(tags))]
    types, (texts,) = tags_of(split.names).types, split.inputs
    spans, begins = entities_of(tags, split.names), split.words.offsets
    starts = split.words.values[begins[spans.item] + spans.first, 0] if len(spans) else spans.first
    ends = split.words.values[begins[spans.item] + spans.last, 1] if len(spans) else spans.last
    for item, start, end, number in zip(*(column.tolist() for column in (spans.item, starts, ends, spans.type)), strict=True):
        found[item].append({"start": start, "end": end, "label": types[number], "text": texts[item][start:end]})
    return found
