"""Entities in text: what a model's probabilities of tags make of the words, and a model that is asked for them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from acclimate.data.found_words import found_words
from acclimate.data.ragged import Ragged
from acclimate.evaluation.trained_folder import refuse_one_text
from acclimate.tasks.metrics.spans import entities_of, tags_of
from acclimate.tasks.tag_answers import placed
from acclimate.tasks.thresholds import Thresholds, largest_multiple


class Entity(NamedTuple):
    """A name in a text, or whatever else a model was taught to find."""

    start: int
    """Where it begins, in characters of the text."""
    end: int
    """And where it ends: `text[start:end]`."""
    label: str
    """What it is."""
    text: str
    """As it is written."""
    score: float
    """How sure the model is: the mean probability of the tags of its words."""


def entities_in(
    texts: Sequence[str], words: Ragged, probabilities_WL: NDArray[np.float64], names: tuple[str, ...],
    thresholds: Thresholds | None = None,
) -> list[list[Entity]]:  # fmt: skip
    """The entities of each text, in order, by the most likely tag of every word; by `thresholds` [L] where these were tuned.

    `words` as in `Split.words`; `probabilities_WL`: of all words of all texts, one after the other; `names` are those of the L tags.
    """
    found: list[list[Entity]] = [[] for _ in texts]
    said = largest_multiple(probabilities_WL, thresholds)
    sure = np.append(probabilities_WL[np.arange(len(said)), said], 0.0)
    spans = entities_of(Ragged(said, words.offsets), names)
    first, last = words.offsets[spans.item] + spans.first, words.offsets[spans.item] + spans.last
    # Sums from each entity's first word to its last: every second stretch lies between entities.
    sums = np.add.reduceat(sure, np.stack([first, last + 1], axis=1).ravel())[::2] if len(spans) else sure[:0]
    scores = sums / (last - first + 1)
    for (item, start, end, label, text), score in zip(placed(spans, words, names, texts), scores.tolist(), strict=True):
        found[item].append(Entity(start, end, label, text, score))
    return found


class TagPredictor:
    """A model that gives every word of a text a tag."""

    unread = None  # texts are read whole

    def __init__(self, model: Any, thresholds: Thresholds | None = None) -> None:
        """`model` has `labels`, and `probabilities(texts, words=words)`."""
        self._model = model
        self.thresholds = thresholds

    @property
    def labels(self) -> tuple[str, ...]:
        """The L tags, in the order of the columns."""
        return tuple(self._model.labels)

    @property
    def types(self) -> tuple[str, ...]:
        """What entities there may be: the tags without their B- and I-."""
        return tags_of(self.labels).types

    def probabilities(self, texts: Sequence[str], words: Ragged | None = None) -> NDArray[np.float64]:
        """Probabilities [all words of all texts, L].

        `words`, rows of begin and end in characters, are those of `acclimate.data.found_words` where they are not given: runs of letters,
        digits and marks, and single other characters.

        Raises:
            TypeError: `texts` is one text, whose characters would be taken for texts.
        """
        refuse_one_text(texts)
        return np.asarray(self._model.probabilities(texts, words=found_words(texts) if words is None else words))

    def entities(self, texts: Sequence[str], words: Ragged | None = None) -> list[list[Entity]]:
        """The entities of each text, in order; `words` and what is raised are as in `probabilities`."""
        words = found_words(texts) if words is None else words
        return entities_in(texts, words, self.probabilities(texts, words), self.labels, self.thresholds)
