"""Pairs of texts with one label each: entailment, paraphrase, relevance."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np

from acclimate.data.readers.columns import NAMES
from acclimate.data.readers.couples import TEXTS
from acclimate.data.readers.every_text import Asked
from acclimate.data.readers.problems import Problems
from acclimate.data.readers.records import Record, Source
from acclimate.data.readers.texts import checked_texts
from acclimate.tasks.kind import ColumnRole
from acclimate.tasks.labels import label_name
from acclimate.tasks.one_name import OneNameKind
from acclimate.tasks.relations import ByLabel, Relation
from acclimate.tasks.rows import Row
from acclimate.tasks.split import Split
from acclimate.tasks.two_texts import TEXT, TEXT_B, asked_pair, paired_columns, shared_first_texts

LABEL = ColumnRole(
    "label",
    (
        *NAMES["label"], "entailment_label", "entailment_judgment", "is_duplicate", "is_paraphrase", "judgment", "judgement", "relation",
        "relevance", "relevant", "quality", "stance",
    ),
)  # fmt: skip
NO_AGREEMENT = ("-", "-1")  # in the place of a label in SNLI and its kin, where annotators did not agree
PLAIN_USE = """\
from transformers import pipeline

classify = pipeline("text-classification", model=".")  # "." is this folder; a hub id serves as well
print(classify([{"text": "the first text", "text_pair": "the second text"}], truncation=True{cut}))"""
OWN_USE = """\
from pathlib import Path

from acclimate import load_predictor

model = load_predictor(Path("."))  # this folder
probabilities = model.probabilities(["the first text"], ["the second text"])  # a row a pair, a column a label
print(model.labels[probabilities[0].argmax()])"""
TUNED_PLAIN_USE = """\
from transformers import pipeline

model = pipeline("text-classification", model=".", top_k=None)  # "." is this folder; a hub id serves as well
# Its answer is the label whose probability is the largest multiple of its threshold; the pipeline alone knows no thresholds.
config = model.model.config
thresholds = {config.id2label[number]: each for number, each in enumerate(config.acclimate_thresholds)}
for found in model([{"text": "the first text", "text_pair": "the second text"}], truncation=True{cut}):
    print(max(found, key=lambda each: each["score"] / thresholds[each["label"]]))"""
TUNED_OWN_USE = """\
from pathlib import Path

from acclimate import load_predictor

model = load_predictor(Path("."))  # this folder
probabilities = model.probabilities(["the first text"], ["the second text"])  # a row a pair, a column a label
print(model.labels[(probabilities[0] / model.thresholds).argmax()])"""


class Pair(OneNameKind):
    """Two texts with one label, and how they are read: `path` for the whole, or `train` with or without `dev` and `test`.

    A bare string stands for `path`.
    """

    kind: Literal["pair"] = "pair"
    """What is to be learned: `pair` gives one of several labels to two texts, such as entailment or not, same meaning or another."""
    text: str | None = None
    """The column that holds the first text; both are detected by their usual names when not given: premise and hypothesis, ..."""
    text_b: str | None = None
    """The column that holds the second text."""

    item: ClassVar[str] = "pair"
    roles: ClassVar[tuple[ColumnRole, ...]] = (LABEL, TEXT, TEXT_B)
    relates: ClassVar[Relation | None] = ByLabel()
    card: ClassVar[tuple[str, str]] = ("text-classification", "gives a pair of texts one of {count} labels")
    limits: ClassVar[tuple[str, ...]] = (
        "It takes two texts, in this order, and gives every pair one of its {count} labels, also a pair that fits none of them.",
        "Its probabilities were not calibrated.",
    )
    plain_use: ClassVar[str] = PLAIN_USE
    own_use: ClassVar[str] = OWN_USE
    tuned_plain_use: ClassVar[str] = TUNED_PLAIN_USE
    tuned_own_use: ClassVar[str] = TUNED_OWN_USE
    whole_use: ClassVar[str] = "acclimate predict FOLDER pairs.jsonl --out labels.csv"
    problem: ClassVar[str | None] = "single_label_classification"

    def columns(self, source: Source) -> tuple[dict[str, str], dict[str, str]]:
        """Label and texts, by their usual names where they are not stated."""
        stated = {role.name: name for role in self.roles if (name := getattr(self, role.name)) is not None}
        return paired_columns(source, stated, LABEL, [name for name in (self.group_column,) if name])

    def read(self, record: Record, columns: Mapping[str, str], problems: Problems) -> Row | None:
        """Two texts and their label."""
        if self.repeats_header(record, columns, problems):
            return None
        texts = checked_texts(record, [columns[name] for name in TEXTS], problems)
        if texts is None:
            return None
        column = columns["label"]
        value = record.values[column]
        if self._without_agreement(value):
            message = (
                f"{column!r} is {value!r}, as SNLI and its kin write it where annotators did not agree, which is no label: say "
                "`skip_bad: true` to leave such pairs out, or `odd_labels: keep` where it is a class"
            )
            problems.add("no agreement", record.file, record.line, message, record.values)
            return None
        if isinstance(value, float) and math.isfinite(value) and not value.is_integer():
            message = f"{column!r} is {value!r}, and a label is a word or a whole number; pairs with scores are of `kind: similarity`"
            problems.add("no label", record.file, record.line, message, record.values)
            return None
        label = self.checked(record, column, value, problems)
        return None if label is None else Row(texts, label)

    @classmethod
    def asked(cls, source: Source, stated: Mapping[str, str]) -> Asked:
        """Two texts."""
        return asked_pair(source, stated)

    def ungrouped(self, splits: Mapping[str, Split], made: tuple[str, ...], columns: Mapping[str, str]) -> tuple[str, ...]:
        """First texts that several pairs share."""
        return shared_first_texts(splits, made, columns["text"])

    def written(self, split: Split, row: int) -> dict[str, Any]:
        """Texts and label."""
        first, second = (column[row] for column in split.inputs)
        return {"text": first, "text_b": second, "label": split.names[int(np.asarray(split.gold)[row])]}

    def _without_agreement(self, value: object) -> bool:
        name = label_name(value)
        return self.odd_labels != "keep" and name is not None and name.strip() in NO_AGREEMENT and name not in (self.labels or ())
