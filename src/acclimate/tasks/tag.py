"""A tag for every word of a sentence: names in text (IOB2, whatever the files' scheme is), or parts of speech and their like."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import field_validator, model_validator

from acclimate.data.ragged import Ragged, offsets_of
from acclimate.data.readers.every_text import Asked
from acclimate.data.readers.problems import Problems
from acclimate.data.readers.reading import Offsets, Reading
from acclimate.data.readers.records import Record, Source
from acclimate.errors import SettingsError
from acclimate.tasks.asked_words import asked_words
from acclimate.tasks.blocks import Block
from acclimate.tasks.budgets import ClassesOf
from acclimate.tasks.kind import OF_NAMES, ColumnRole, Form, Head, Judged, many
from acclimate.tasks.label_checks import without_labels
from acclimate.tasks.labelled_kind import LabelledKind
from acclimate.tasks.labels import in_order, label_name
from acclimate.tasks.metrics.metric import Metric
from acclimate.tasks.metrics.spans import METRICS, OUTSIDE, entities_of, entity_f1, tags_of, type_of
from acclimate.tasks.metrics.spans import rows as rows_of
from acclimate.tasks.named import label_counts
from acclimate.tasks.rows import Row, Rows
from acclimate.tasks.schemes import ALSO_CALLED, Scheme
from acclimate.tasks.span_blocks import TOLD
from acclimate.tasks.split import Answers, Column, Split
from acclimate.tasks.tag_answers import marked, most_likely, tuned
from acclimate.tasks.tagged_columns import SPANS, TAGS, TEXT, TOKENS, columns_of
from acclimate.tasks.tagged_rows import Reader, alike, detected_scheme, refuse_unknown, types_in, types_of
from acclimate.tasks.tagged_types import rarest_type, types_of_each
from acclimate.tasks.thresholds import Choice, Thresholded

NO_ENTITY = "no entity"
PLAIN_USE = """\
from transformers import pipeline

# "." is this folder; a hub id serves as well. Of a text longer than the model's window all is read with `stride=64`.
tag = pipeline("token-classification", model=".", aggregation_strategy="simple")
for found in tag("a text to tag"):
    print(found["entity_group"], found["start"], found["end"], found["word"], found["score"])"""
TUNED_PLAIN_USE = """\
from torch import tensor
from transformers import pipeline

# "." is this folder; a hub id serves as well. Of a text longer than the model's window all is read with `stride=64`.
tag = pipeline("token-classification", model=".", aggregation_strategy="simple")
# O has a threshold of its own, of which the pipeline knows nothing: taken off the last layer it counts, and the scores are by it, too.
tag.model.classifier.bias.data -= tensor(tag.model.config.acclimate_thresholds).log()
for found in tag("a text to tag"):
    print(found["entity_group"], found["start"], found["end"], found["word"], found["score"])"""
OWN_USE = """\
from pathlib import Path

from acclimate import load_predictor

model = load_predictor(Path("."))  # this folder
print(model.entities(["a text to tag"]))  # a list a text, with where each begins and ends"""
# Of one, and of several.
TOLD_OF_ROWS = {
    "repaired": ("tag that stood against the scheme was repaired", "tags that stood against the scheme were repaired"),
    "trimmed": ("span had blanks at its ends, which were left out", "spans had blanks at their ends, which were left out"),
}


class Tag(LabelledKind):
    """Sentences with a tag for every word: lists of tokens and tags, sentences in columns (CoNLL), or texts with marked spans.

    A bare string stands for `path`.
    """

    kind: Literal["tag"] = "tag"
    """What is to be learned: `tag` gives every word of a text a tag, and thereby finds the entities in it."""
    tokens: str | None = None
    """The column that holds the words (of a CoNLL file its number, from 1); detected when not given."""
    tags: str | None = None
    """The column that holds a tag for every word (of a CoNLL file its number, from 1); detected when not given."""
    text: str | None = None
    """Of texts with marked spans the column that holds the text; detected when not given."""
    spans: str | None = None
    """The column that holds the marked spans of a text, `{start, end, label}` or `[start, end, label]`; detected when not given."""
    offsets: Offsets = "characters"
    """What `start` and `end` of spans count: `characters` (code points, as Python does), or `utf-16` units, as JavaScript does."""
    scheme: Scheme | None = None
    """How tags say where entities begin: `IOB1`, `IOB2`, `BIOES`, `BILOU`, `BMES`, `IO` (types alone) or `plain` (parts of speech);
    detected over the whole of train when not given. Everything is made into IOB2."""
    repair: bool = False
    """Read tags that their scheme does not allow, such as an I- that nothing begins in IOB2, as what seems to be meant, and count them,
    instead of stopping."""
    labels: tuple[str, ...] | None = None
    """The closed set of types (or of tags), in order; those of train when not given. Where tags are numbers, the tags that these stand
    for, from 0 on."""

    item: ClassVar[str] = "sentence"
    roles: ClassVar[tuple[ColumnRole, ...]] = (TAGS, SPANS, TOKENS, TEXT)
    right_is: ClassVar[str] = "F1 of entities"
    metrics: ClassVar[tuple[Metric, ...]] = METRICS
    answered: ClassVar[Mapping[Form, Callable[[Any, Split], Answers]]] = {"tokens": most_likely}
    thresholded: ClassVar[Mapping[Form, Thresholded]] = {"tokens": Thresholded(most_likely, tuned)}
    blocks: ClassVar[tuple[Callable[[Judged], Block | None], ...]] = TOLD
    named: ClassVar[tuple[str, ...]] = ("gold", "predicted")
    architecture: ClassVar[str | tuple[str, ...] | None] = "ForTokenClassification"
    every_word: ClassVar[bool] = True
    card: ClassVar[tuple[str, str]] = (
        "token-classification",
        "gives every word of a text one of {count} tags",
    )
    limits: ClassVar[tuple[str, ...]] = (
        "It knows the types of its tags alone; what it finds neither overlaps nor nests.",
        "Its probabilities were not calibrated.",
    )
    plain_use: ClassVar[str] = PLAIN_USE
    own_use: ClassVar[str] = OWN_USE
    tuned_plain_use: ClassVar[str] = TUNED_PLAIN_USE
    whole_use: ClassVar[str] = "acclimate predict FOLDER texts.jsonl --out entities.jsonl"
    name_is: ClassVar[str] = "type"
    classed: ClassVar[bool] = True
    counted: ClassVar[str] = "entity"

    @classmethod
    def asked(cls, source: Source, stated: Mapping[str, str]) -> Asked:
        """Words that rows have, or those that are found in a text."""
        return asked_words(source, stated.get("text"), TOKENS.known_as)

    @field_validator("tokens", "tags", mode="before")
    @classmethod
    def _numbered(cls, value: Any) -> Any:
        """`tags: 4` is the fourth column of a CoNLL file."""
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @field_validator("scheme", mode="before")
    @classmethod
    def _also_called(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        name = value.strip().upper()
        return ALSO_CALLED.get(name, "plain" if name == "PLAIN" else name)

    @field_validator("labels", mode="before")
    @classmethod
    def _named_as_they_are_read(cls, value: Any) -> Any:
        return [label_name(each) or each for each in value] if isinstance(value, list | tuple) else value

    @model_validator(mode="after")
    def _one_form(self) -> "Tag":
        if (self.tokens or self.tags) and (self.text or self.spans):
            raise ValueError("`tokens` and `tags` are lists, `text` and `spans` are marked text: say those of one of them")
        if self.labels is not None and len(set(self.labels)) != len(self.labels):
            raise ValueError("`labels` names one label twice")
        return self

    @property
    def reading(self) -> Reading:
        """As of every kind; files are looked at for sentences in columns, too."""
        return replace(super().reading, sentences=True)

    # Rows

    def detect(self, source: Source, names: tuple[str, ...] = ()) -> tuple[Self, dict[str, str]]:
        """The scheme of all tags; marked spans have none."""
        columns, _ = self.columns(source)
        if self.scheme is not None or "tags" not in columns:
            return self, {}
        found = detected_scheme(source, columns["tags"], self.labels)
        return self.model_copy(update={"scheme": found.scheme}), {"scheme": f"{found.scheme}{f' ({found.told})' if found.told else ''}"}

    def columns(self, source: Source) -> tuple[dict[str, str], dict[str, str]]:
        """Tokens and tags, or text and spans."""
        stated = {name: value for name in ("tokens", "tags", "text", "spans") if (value := getattr(self, name)) is not None}
        columns, detected = columns_of(source, stated | ({"group": self.group_column} if self.group_column else {}))
        about, of_others = ("marked text", ("scheme", "repair")) if "spans" in columns else ("words and tags", ("offsets",))
        for name in of_others:
            if getattr(self, name) != type(self).model_fields[name].default:
                raise SettingsError(f"`{name}:` says nothing of {source.files[0]}, which holds {about}; leave it out")
        return columns, {**source.detected, **detected}

    @classmethod
    def texts(cls) -> int:
        """One: words are joined."""
        return 1

    def read(self, record: Record, columns: Mapping[str, str], problems: Problems) -> Row | None:
        """A sentence and its tags in IOB2: words joined by one space each, or a text as it stands."""
        return Reader(self.scheme or "IOB2", self.labels, self.repair, self.offsets).read(record, columns, problems)

    def lacking(self, source: Source, columns: Mapping[str, str], train: Rows | None) -> str | None:
        """Why no sentence of a source says what is right."""
        column = columns.get("tags") or columns["spans"]
        if train is None and column not in source.columns:
            return None  # the reader of its rows says so
        if why := without_labels(source, (column,), frozenset()):
            return why
        if train is None or not types_in(train, self.scheme) or self.scheme == "plain":
            return None
        values = (record.values[column] for record in source.records((column,), Problems(skip_bad=True)))
        hidden = all(not value or (isinstance(value, list) and set(map(str, value)) == {OUTSIDE}) for value in values)
        return f"{column!r} names no entity in any sentence" if hidden else None

    def odd(self, rows: Mapping[str, Rows], columns: Mapping[str, str], problems: Problems) -> tuple[str, ...]:
        """What was repaired and trimmed, by split; types that are written in two ways are a mistake."""
        notes = []
        train = rows["train"]
        for names in alike(types_in(train, self.scheme)) if self.labels is None and self.scheme != "plain" else ():
            message = f"{names}; where all of these are types, name them with `labels:`"
            problems.fatal("types that differ in case or white space alone", train.files[0], None, message)
        for split, each in rows.items():
            for name, (of_one, of_several) in TOLD_OF_ROWS.items():
                counts = [count for target in each.targets if (count := getattr(target, name))]
                told = of_one if sum(counts) == 1 else of_several
                if counts:
                    notes.append(f"{split}: {sum(counts):,} {told} in {len(counts):,} {many(self.item) if len(counts) > 1 else self.item}")
        return tuple(notes)

    def settle(self, rows: Mapping[str, Rows], problems: Problems) -> dict[str, Rows]:
        """The rows whose types train has; a train without any is refused."""
        settled, train = dict(rows), rows["train"]
        known = types_in(train, self.scheme)
        if len(train) and not problems.told and len(known) < (2 if self.scheme == "plain" else 1):
            what = "every tag in train is " + repr(next(iter(known), OUTSIDE))
            problems.fatal("nothing to be found", train.files[0], None, f"{what}: there is nothing to learn")
        for split in ("dev", "test"):
            if split in settled and known:
                why = f"the {split} type {{}} is never seen in train, which has"
                settled[split] = refuse_unknown(settled[split], known, self.scheme, why, problems)
        return settled

    def known_to_model(self, rows: Rows, names: tuple[str, ...], problems: Problems) -> Rows:
        """The rows whose types are among the model's."""
        return refuse_unknown(rows, tags_of(names).types, self.scheme, "the type {} is not among the model's", problems)

    def found(self, train: Rows) -> tuple[str, ...]:
        """O, and a tag for the first and one for the further words of each type; plain tags as they are."""
        return self._names(in_order(types_in(train, self.scheme)))

    def names(self, train: Rows) -> tuple[str, ...]:
        """Those of the study file, or of train."""
        stated = types_of(self.labels, self.scheme)
        return self.found(train) if stated is None else self._names(stated)

    def noted(self, train: Rows, made: bool) -> tuple[str, ...]:
        """How many words there are, how many of them belong to no entity, and what the types have."""
        tags = Counter(tag == OUTSIDE for target in train.targets for tag in target.tags)
        entities = types_in(train, self.scheme)
        where = "" if made else " of train"
        if self.scheme == "plain":
            return (f"{tags.total():,} words{where} in {len(train):,} sentences, {len(entities):,} different tags",)
        none = sum(all(tag == OUTSIDE for tag in target.tags) for target in train.targets)
        share = tags[True] / max(tags.total(), 1)
        told = (
            f"{tags.total():,} words{where} in {len(train):,} sentences, {100 * share:.1f} % of them {OUTSIDE}; "
            f"{entities.total():,} entities, and {none:,} sentences without one"
        )
        once = [name for name, count in entities.items() if count == 1]
        return (told, *([f"{len(once):,} of {len(entities):,} types have one entity ({', '.join(map(repr, once[:8]))})"] if once else []))

    def too_few(self, train: Rows, split: str) -> str:
        """Why nothing could be taken out of train; one sentence is all where no blank line ends any."""
        told = super().too_few(train, split)
        return f"{told}; this is one sentence: does a blank line stand behind every one?" if len(train) == 1 else told

    def absent(self, counts: Mapping[str, int], split: str) -> tuple[str, ...]:
        """Types that a split does not hold."""
        none = [name for name, count in counts.items() if not count]
        if not none:
            return ()
        named = ", ".join(map(repr, none[:8]))
        return (f"{len(none):,} of {len(counts):,} types have no entity in {split}: macro F1 counts them as 0 ({named})",)

    def gold(self, targets: Sequence[Any], names: tuple[str, ...]) -> Column:
        """Ragged int64, the number of each word's tag."""
        numbers = {name: number for number, name in enumerate(names)}
        # Of a model with names of its own, a type may stand for both of its tags, and B- for I-.
        known = {tag: _number(tag, numbers) for tag in {tag for target in targets for tag in target.tags}}
        return Ragged.of([[known[tag] for tag in target.tags] for target in targets])

    def words(self, targets: Sequence[Any]) -> Ragged:
        """Where each word begins and ends."""
        lengths = np.array([len(target.ends) for target in targets], dtype=np.int64)
        flat = np.array([ends for target in targets for ends in target.ends], dtype=np.int64)
        return Ragged(flat.reshape(-1, 2), offsets_of(lengths))

    def strata(self, gold: Column) -> Ragged:
        """The type of a sentence that is rarest in all of them; those without entities are a stratum of their own."""
        assert isinstance(gold, Ragged)
        return rarest_type(gold, gold.values + 1 if self.scheme == "plain" else (gold.values + 1) // 2)

    def classes(self, gold: Column, names: tuple[str, ...]) -> ClassesOf:
        """The types of entities in each sentence."""
        assert isinstance(gold, Ragged)
        meaning = tags_of(names)
        return ClassesOf(types_of_each(gold, meaning.type[gold.values], len(meaning.types)), meaning.types)

    def counts(self, gold: Column, names: tuple[str, ...]) -> dict[str, int]:
        """Entities of each type, zeros included."""
        assert isinstance(gold, Ragged)
        return label_counts(entities_of(gold, names).type, tags_of(names).types)

    def written(self, split: Split, row: int) -> dict[str, Any]:
        """Words and tags; a text and its spans, where it was one."""
        assert isinstance(split.gold, Ragged)
        if self.scheme is None:
            one = split.take(np.array([row]))
            entities = marked(rows_of(one.gold), one)[0]
            return {"text": split.inputs[0][row], "spans": [{name: each[name] for name in ("start", "end", "label")} for each in entities]}
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
            f"{types[number]} (word {first + 1})" if first == last else f"{types[number]} (words {first + 1} to {last + 1})"
            for first, last, number in zip(spans.first.tolist(), spans.last.tolist(), spans.type.tolist(), strict=True)
        )
        return ", ".join(told) or NO_ENTITY

    def head(self, names: tuple[str, ...], form: Form) -> Head:
        """A number a tag, for every word."""
        if form not in self.answered:
            raise SettingsError(f"a model that gives {form} cannot answer tag")
        return Head("tokens", names, "softmax", OF_NAMES)

    @classmethod
    def check_thresholds(cls, choice: Choice, names: tuple[str, ...]) -> None:
        """Refuse them where no tag is O."""
        super().check_thresholds(choice, names)
        if choice != "half" and OUTSIDE not in names:
            raise SettingsError(f"thresholds: it is that of {OUTSIDE} which is tuned, and none of these tags is; leave `thresholds` out")

    def _names(self, types: Sequence[str]) -> tuple[str, ...]:
        if self.scheme == "plain":
            return tuple(types)
        return (OUTSIDE, *(f"{letter}-{name}" for name in types for letter in "BI"))


def _number(tag: str, numbers: Mapping[str, int]) -> int:
    return next(numbers[name] for name in (tag, type_of(tag), f"B-{type_of(tag)}", f"I-{type_of(tag)}") if name in numbers)
