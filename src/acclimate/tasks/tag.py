"""A tag for every word of a sentence: names in text (IOB2, whatever the files' scheme is), or parts of speech and their like."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from acclimate.data.ragged import Ragged, offsets_of
from acclimate.data.readers.every_text import Asked
from acclimate.data.readers.problems import Problems
from acclimate.data.readers.records import Record, Source
from acclimate.errors import SettingsError
from acclimate.tasks.asked_words import asked_words
from acclimate.tasks.blocks import Block
from acclimate.tasks.kind import ColumnRole, Form, Head, Judged
from acclimate.tasks.labelled_kind import LabelledKind
from acclimate.tasks.labels import in_order, label_hint, some_labels
from acclimate.tasks.metrics.metric import Metric
from acclimate.tasks.metrics.spans import METRICS, OUTSIDE, entities_of, entity_f1, tags_of, type_of
from acclimate.tasks.named import label_counts
from acclimate.tasks.one_name import refuse_not_finite
from acclimate.tasks.rows import Row, Rows
from acclimate.tasks.split import Answers, Column, Split

TOKENS = ColumnRole("tokens", ("tokens", "words", "token", "word"), is_text=True)
TAGS = ColumnRole("tags", ("tags", "ner_tags", "ner", "tag", "labels", "label", "iob", "bio"))
NO_ENTITY = "no entity"


class Tagged(NamedTuple):
    """What is right for an item: a tag for every word, in IOB2 or plain, and where each word begins and ends in its text."""

    tags: tuple[str, ...]
    ends: tuple[tuple[int, int], ...]


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


class Tag(LabelledKind):
    """Sentences with a tag for every word, and how they are written: lists of tokens and of tags.

    A bare string stands for `path`.
    """

    kind: Literal["tag"] = "tag"
    """What is to be learned: `tag` gives every word of a text a tag, and thereby finds the entities in it."""
    tokens: str | None = None
    """The column that holds the words; detected when not given."""
    tags: str | None = None
    """The column that holds a tag for every word; detected when not given."""

    item: ClassVar[str] = "sentence"
    roles: ClassVar[tuple[ColumnRole, ...]] = (TAGS, TOKENS)
    metrics: ClassVar[tuple[Metric, ...]] = METRICS
    answered: ClassVar[Mapping[Form, Callable[[Any, Split], Answers]]] = {"tokens": most_likely}
    blocks: ClassVar[tuple[Callable[[Judged], Block | None], ...]] = ()
    named: ClassVar[tuple[str, ...]] = ("gold", "predicted")
    architecture: ClassVar[str | None] = "ForTokenClassification"
    every_word: ClassVar[bool] = True
    card: ClassVar[tuple[str, str]] = ("token-classification", "finds entities of {count} tags in text, word by word")
    name_is: ClassVar[str] = "type"

    @classmethod
    def asked(cls, source: Source, stated: Mapping[str, str]) -> Asked:
        """Words that rows have, or those that are found in a text."""
        return asked_words(source, stated.get("text"), TOKENS.known_as)

    # Rows

    def read(self, record: Record, columns: Mapping[str, str], problems: Problems) -> Row | None:
        """A sentence, its words joined by one space each, and their tags."""
        words = self._listed(record, columns["tokens"], problems)
        tags = None if words is None else self._listed(record, columns["tags"], problems)
        if words is None or tags is None:
            return None
        if len(words) != len(tags):
            message = f"{columns['tokens']!r} has {len(words):,} and {columns['tags']!r} has {len(tags):,}: every word needs one tag"
            problems.add("tokens and tags of different length", record.file, record.line, message, record.values)
            return None
        for number, word in enumerate(words, start=1):
            if not word or any(letter.isspace() for letter in word):
                what = "is empty" if not word else f"{word!r} holds white space"
                problems.add("odd token", record.file, record.line, f"token {number:,} of {columns['tokens']!r} {what}", record.values)
                return None
        return Row((" ".join(words),), Tagged(tuple(tags), _joined(words)))

    def settle(self, rows: Mapping[str, Rows], problems: Problems) -> dict[str, Rows]:
        """The rows whose types of entities train has; a train without any is refused."""
        settled, train = dict(rows), rows["train"]
        known = set(_types(train))
        if len(train) and not known and not problems.told:
            problems.fatal("no entities", train.files[0], None, f"every tag in train is {OUTSIDE!r}: there is nothing to be found")
        for split in ("dev", "test"):
            if split in settled and known:
                settled[split] = _known(settled[split], known, f"the {split}", "is never seen in train, which has", problems)
        return settled

    def known_to_model(self, rows: Rows, names: tuple[str, ...], problems: Problems) -> Rows:
        """The rows whose types of entities are among the model's."""
        return _known(rows, set(tags_of(names).types), "the", "is not among the model's", problems)

    def found(self, train: Rows) -> tuple[str, ...]:
        """O, and a tag for the first and one for the further words of each type; plain tags as they are."""
        types = in_order(_types(train))
        if _plain(train):
            return types
        return (OUTSIDE, *(f"{letter}-{name}" for name in types for letter in "BI"))

    def gold(self, targets: Sequence[Any], names: tuple[str, ...]) -> Column:
        """Ragged int64, the number of each word's tag."""
        numbers = {name: number for number, name in enumerate(names)}
        return Ragged.of([[numbers[tag] for tag in target.tags] for target in targets])

    def words(self, targets: Sequence[Any]) -> Ragged:
        """Where each word begins and ends."""
        lengths = np.array([len(target.ends) for target in targets], dtype=np.int64)
        flat = np.array([ends for target in targets for ends in target.ends], dtype=np.int64)
        return Ragged(flat.reshape(-1, 2), offsets_of(lengths))

    def strata(self, gold: Column) -> Ragged:
        """The type of a sentence that is rarest in all of them; those without entities are a stratum of their own."""
        assert isinstance(gold, Ragged)
        kinds = gold.values + 1 if self._plain_names else (gold.values + 1) // 2
        pairs = np.unique(np.stack([np.repeat(np.arange(len(gold)), gold.lengths), kinds], axis=1), axis=0)
        pairs = pairs[pairs[:, 1] > 0]
        often = np.bincount(pairs[:, 1], minlength=1)
        ranked = pairs[np.lexsort((pairs[:, 1], often[pairs[:, 1]], pairs[:, 0]))]
        items, first = np.unique(ranked[:, 0], return_index=True)
        strata = np.zeros(len(gold), dtype=np.int64)
        strata[items] = ranked[first, 1]
        return Ragged.single(strata)

    def counts(self, gold: Column, names: tuple[str, ...]) -> dict[str, int]:
        """Entities of each type, zeros included."""
        assert isinstance(gold, Ragged)
        return label_counts(entities_of(gold, names).type, tags_of(names).types)

    def written(self, split: Split, row: int) -> dict[str, Any]:
        """Words and tags."""
        assert isinstance(split.gold, Ragged)
        return {"tokens": split.inputs[0][row].split(" "), "tags": [split.names[number] for number in split.gold[row].tolist()]}

    # Judging

    @classmethod
    def right(cls, split: Split, answers: Answers) -> NDArray[np.float64]:
        """The F1 of each sentence's entities."""
        return entity_f1(split, answers)

    @classmethod
    def shown(cls, column: Column, row: int, names: tuple[str, ...]) -> str:
        """The entities by the numbers of their words, from 1, or that there is none."""
        assert isinstance(column, Ragged)
        spans, types = entities_of(column.take(np.array([row])), names), tags_of(names).types
        told = (
            f"{types[number]} ({first + 1})" if first == last else f"{types[number]} ({first + 1} to {last + 1})"
            for first, last, number in zip(spans.first.tolist(), spans.last.tolist(), spans.type.tolist(), strict=True)
        )
        return ", ".join(told) or NO_ENTITY

    def head(self, names: tuple[str, ...], form: Form) -> Head:
        """A number a tag, for every word."""
        if form not in self.answered:
            raise SettingsError(f"a model that gives {form} cannot answer tag")
        return Head("tokens", names, "softmax", ("token_cross_entropy",))

    # Cells

    @property
    def _plain_names(self) -> bool:
        """Whether tags are plain: each is a type of its own, and none is O."""
        return False

    def _listed(self, record: Record, column: str, problems: Problems) -> list[str] | None:
        value = record.values[column]
        if not isinstance(value, list) or not value or not all(isinstance(each, str) for each in value):
            what = "is empty" if value == [] else f"is {value!r}; a list of strings is wanted"
            problems.add("odd list", record.file, record.line, f"{column!r} {what}", record.values)
            return None
        return value


def _joined(words: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Where words begin and end that one space each joins."""
    ends, start = [], 0
    for word in words:
        ends.append((start, start + len(word)))
        start += len(word) + 1
    return tuple(ends)


def _types(rows: Rows) -> list[str]:
    tags = Counter(tag for target in rows.targets for tag in target.tags)
    return list(dict.fromkeys(type_of(tag) for tag in tags if tag != OUTSIDE))


def _plain(rows: Rows) -> bool:
    return not any(tag == OUTSIDE or tag[:2] in ("B-", "I-") for target in rows.targets for tag in target.tags)


def _known(rows: Rows, known: set[str], whose: str, what: str, problems: Problems) -> Rows:
    """The rows that have no other types than these."""
    unknown = {}
    for row, target in enumerate(rows.targets):
        odd = next((type_of(tag) for tag in target.tags if tag != OUTSIDE and type_of(tag) not in known), None)
        if odd is not None:
            unknown[row] = odd
            message = f"{whose} type {odd!r} {what} {some_labels(known)}"
            problems.add("unknown type", *rows.places[row], message, {"text": rows.shown(row)}, partial(label_hint, odd, known))
    return rows.take([row for row in range(len(rows)) if row not in unknown]) if unknown else rows
