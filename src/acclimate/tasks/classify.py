"""Classification: one of several labels for a text."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np

from acclimate.data.readers.problems import Problems
from acclimate.data.readers.records import Record
from acclimate.data.readers.texts import checked_text
from acclimate.tasks.one_name import OneNameKind
from acclimate.tasks.relations import ByClass, Relation
from acclimate.tasks.rows import Row
from acclimate.tasks.split import Split

PLAIN_USE = """\
from transformers import pipeline

classify = pipeline("text-classification", model=".")  # "." is this folder; a hub id serves as well
print(classify(["a text to label"], truncation=True{cut}))"""
OWN_USE = """\
from pathlib import Path

from acclimate import load_predictor

model = load_predictor(Path("."))  # this folder
probabilities = model.probabilities(["a text to label"])  # a row a text, a column a label
print(model.labels[probabilities[0].argmax()])"""
TUNED_PLAIN_USE = """\
from transformers import pipeline

model = pipeline("text-classification", model=".", top_k=None)  # "." is this folder; a hub id serves as well
# Its answer is the label whose probability is the largest multiple of its threshold; the pipeline alone knows no thresholds.
config = model.model.config
thresholds = {config.id2label[number]: each for number, each in enumerate(config.acclimate_thresholds)}
for found in model(["a text to label"], truncation=True{cut}):
    print(max(found, key=lambda each: each["score"] / thresholds[each["label"]]))"""
TUNED_OWN_USE = """\
from pathlib import Path

from acclimate import load_predictor

model = load_predictor(Path("."))  # this folder
probabilities = model.probabilities(["a text to label"])  # a row a text, a column a label
print(model.labels[(probabilities[0] / model.thresholds).argmax()])"""


class Classify(OneNameKind):
    """Where the labelled examples are and how to read them: `path` for the whole, or `train` with or without `dev` and `test`.

    A bare string stands for `path`.
    """

    kind: Literal["classify"] = "classify"
    """What is to be learned: `classify` gives one of several labels to a text."""

    traced: ClassVar[bool] = False
    relates: ClassVar[Relation | None] = ByClass()
    card: ClassVar[tuple[str, str]] = ("text-classification", "gives a text one of {count} labels")
    limits: ClassVar[tuple[str, ...]] = (
        "It gives every text one of its {count} labels, also a text that fits none of them.",
        "Its probabilities were not calibrated.",
    )
    plain_use: ClassVar[str] = PLAIN_USE
    own_use: ClassVar[str] = OWN_USE
    tuned_plain_use: ClassVar[str] = TUNED_PLAIN_USE
    tuned_own_use: ClassVar[str] = TUNED_OWN_USE
    problem: ClassVar[str | None] = "single_label_classification"

    def read(self, record: Record, columns: Mapping[str, str], problems: Problems) -> Row | None:
        """A text and its label."""
        if self.repeats_header(record, columns, problems):
            return None
        text = checked_text(record, columns["text"], problems)
        if text is None:
            return None
        label = self.checked(record, columns["label"], record.values[columns["label"]], problems)
        return None if label is None else Row((text,), label)

    def written(self, split: Split, row: int) -> dict[str, Any]:
        """Text and label."""
        return {"text": split.inputs[0][row], "label": split.names[int(np.asarray(split.gold)[row])]}
