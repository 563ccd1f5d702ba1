"""Pairs of texts with a number each: how alike they are in meaning, how relevant one is to the other."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from acclimate.data.ragged import Ragged
from acclimate.data.readers.couples import TEXTS
from acclimate.data.readers.every_text import Asked
from acclimate.data.readers.problems import Problems
from acclimate.data.readers.records import Record, Source
from acclimate.data.readers.texts import checked_texts
from acclimate.errors import SettingsError
from acclimate.tasks.blocks import Block
from acclimate.tasks.kind import ColumnRole, Form, Head, Judged
from acclimate.tasks.label_checks import without_labels
from acclimate.tasks.labelled_kind import LabelledKind
from acclimate.tasks.labels import is_missing
from acclimate.tasks.metrics.correlation import METRICS, absolute_error
from acclimate.tasks.metrics.metric import Metric
from acclimate.tasks.one_name import refuse_not_finite
from acclimate.tasks.relations import ByScore, Relation
from acclimate.tasks.rows import Row, Rows
from acclimate.tasks.score_blocks import TOLD
from acclimate.tasks.split import Answers, Column, Split
from acclimate.tasks.two_texts import TEXT, TEXT_B, asked_pair, paired_columns, shared_first_texts

SCORE = ColumnRole(
    "score",
    (
        "score", "similarity", "similarity_score", "sim", "relatedness", "relatedness_score", "gold_score", "gold", "relevance", "rating",
        "stars", "mean", "target", "value", "label", "labels",
    ),
)  # fmt: skip
STRATA = 5  # equal parts of the scores, over which splits and budgets are balanced
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_COMMA = re.compile(r"[+-]?\d+,\d+", re.ASCII)
PLAIN_USE = """\
from transformers import pipeline

score = pipeline("text-classification", model=".", function_to_apply="none")  # "." is this folder; a hub id serves as well
print(score([{"text": "the first text", "text_pair": "the second text"}], truncation=True{cut}))"""
OWN_USE = """\
from pathlib import Path

from acclimate import load_predictor

model = load_predictor(Path("."))  # this folder
print(model.probabilities(["the first text"], ["the second text"]))  # a row a pair: its score"""


def estimated(outputs_N1: Any, split: Split) -> Answers:
    """The one number that a model gives for each item, or the cosine of two vectors.

    Raises:
        TrainingError: it is none.
    """
    outputs_N1 = np.asarray(outputs_N1, dtype=np.float64)
    refuse_not_finite(outputs_N1)
    return {"predicted": outputs_N1[:, 0]}


class Similarity(LabelledKind):
    """Two texts with a score, and how they are read: `path` for the whole, or `train` with or without `dev` and `test`.

    A bare string stands for `path`.
    """

    kind: Literal["similarity"] = "similarity"
    """What is to be learned: `similarity` gives two texts a score, on the scale of the data."""
    text: str | None = None
    """The column that holds the first text; both are detected by their usual names when not given: sentence1 and sentence2, ..."""
    text_b: str | None = None
    """The column that holds the second text."""
    score: str | None = None
    """The column that holds the score, a number; detected when not given."""

    item: ClassVar[str] = "pair"
    right_is: ClassVar[str] = "closeness to the score (100 %: it is met, 0 %: missed by as much as all scores of test differ)"
    gold_is: ClassVar[str] = "gold scores"
    roles: ClassVar[tuple[ColumnRole, ...]] = (SCORE, TEXT, TEXT_B)
    metrics: ClassVar[tuple[Metric, ...]] = METRICS
    answered: ClassVar[Mapping[Form, Callable[[Any, Split], Answers]]] = {"sequence": estimated, "embedding": estimated}
    blocks: ClassVar[tuple[Callable[[Judged], Block | None], ...]] = TOLD
    relates: ClassVar[Relation | None] = ByScore()
    card: ClassVar[tuple[str, str]] = ("sentence-similarity", "gives a pair of texts a score, as the data it learned from does")
    limits: ClassVar[tuple[str, ...]] = (
        "It takes two texts, in this order, and gives a number on the scale of its training data, which may lie outside of it.",
    )
    plain_use: ClassVar[str] = PLAIN_USE
    own_use: ClassVar[str] = OWN_USE
    whole_use: ClassVar[str] = "acclimate predict FOLDER pairs.jsonl --out scores.csv"
    problem: ClassVar[str | None] = "regression"

    # Rows

    def columns(self, source: Source) -> tuple[dict[str, str], dict[str, str]]:
        """Score and texts, by their usual names where they are not stated."""
        stated = {role.name: name for role in self.roles if (name := getattr(self, role.name)) is not None}
        return paired_columns(source, stated, SCORE, [name for name in (self.group_column,) if name])

    def read(self, record: Record, columns: Mapping[str, str], problems: Problems) -> Row | None:
        """Two texts and their score."""
        texts = checked_texts(record, [columns[name] for name in TEXTS], problems)
        if texts is None:
            return None
        column = columns["score"]
        score = _number(record.values[column])
        if isinstance(score, str):
            kind = "no score" if is_missing(record.values[column]) else "not a number"
            problems.add(kind, record.file, record.line, f"{column!r} {score}", record.values)
            return None
        return Row(texts, score)

    def lacking(self, source: Source, columns: Mapping[str, str], train: Rows | None) -> str | None:
        """Why no row of a source has a score."""
        if train is None and columns["score"] not in source.columns:
            return None  # the reader of its rows says so
        return without_labels(source, (columns["score"],), frozenset())

    def settle(self, rows: Mapping[str, Rows], problems: Problems) -> dict[str, Rows]:
        """The rows as they are; scores that are all equal say nothing."""
        for split, each in rows.items():
            if len(set(each.targets)) == 1 and not problems.told:
                message = (
                    f"every score of {split} is {each.targets[0]:g}: there is nothing to {'learn' if split == 'train' else 'judge by'}"
                )
                problems.fatal("scores all equal", *each.places[0], message)
        return dict(rows)

    def noted(self, train: Rows, made: bool) -> tuple[str, ...]:
        """The scale of the scores."""
        scores = np.array(train.targets)
        return (f"scores from {scores.min():g} to {scores.max():g}, in the mean {scores.mean():.3g}",)

    @classmethod
    def asked(cls, source: Source, stated: Mapping[str, str]) -> Asked:
        """Two texts."""
        return asked_pair(source, stated)

    def ungrouped(self, splits: Mapping[str, Split], made: tuple[str, ...], columns: Mapping[str, str]) -> tuple[str, ...]:
        """First texts that several pairs share."""
        return shared_first_texts(splits, made, columns["text"])

    def gold(self, targets: Sequence[Any], names: tuple[str, ...]) -> Column:
        """float64 [N] scores."""
        return np.array(targets, dtype=np.float64)

    def strata(self, gold: Column) -> Ragged:
        """The fifth of the scores to which each belongs; equal scores stand in one."""
        scores = np.asarray(gold, dtype=np.float64)
        bounds = np.quantile(scores, np.arange(1, STRATA) / STRATA) if len(scores) else np.zeros(0)
        return Ragged.single(np.searchsorted(np.unique(bounds), scores, side="left").astype(np.int64))

    def written(self, split: Split, row: int) -> dict[str, Any]:
        """Texts and score."""
        first, second = (column[row] for column in split.inputs)
        return {"text": first, "text_b": second, "score": float(np.asarray(split.gold)[row])}

    # Judging

    @classmethod
    def right(cls, split: Split, answers: Answers) -> NDArray[np.float64]:
        """1 where the score is met, 0 where it is missed by as much as all scores differ."""
        gold = np.asarray(split.gold, dtype=np.float64)
        return np.asarray(np.clip(1 - absolute_error(split, answers) / (np.ptp(gold) or 1.0), 0.0, 1.0))

    @classmethod
    def shown(cls, column: Column, row: int, names: tuple[str, ...]) -> str:
        """The score, to two places."""
        return f"{float(np.asarray(column)[row]):.2f}"

    @classmethod
    def agreed(cls, columns: Sequence[Column], row: int, names: tuple[str, ...]) -> str:
        """The mean of what the seeds said: no two of them say the same number."""
        return cls.shown(np.mean([np.asarray(column, dtype=np.float64) for column in columns], axis=0), row, names)

    def head(self, names: tuple[str, ...], form: Form) -> Head:
        """One number."""
        if form not in self.answered:
            raise SettingsError(f"a model that gives {form} cannot answer similarity")
        return Head(form, (SCORE.name,), "none", ("squared_error",))


def _number(value: object) -> float | str:
    """A score, or what is wrong with it."""
    if is_missing(value):
        return "is empty" if value is None or value == "" else f"is {value!r}, which is no number"
    number = None
    if isinstance(value, int | float) and not isinstance(value, bool):
        number = float(value) if abs(value) < 1e300 else math.inf
    elif isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        number = float(value)
    if number is not None:
        return number if math.isfinite(number) else f"is {value!r}, and a score must be finite"
    if isinstance(value, str) and _COMMA.fullmatch(value.strip()):
        return f"is {value!r}, which is no number — a decimal comma? Write {value.strip().replace(',', '.')}"
    words = isinstance(value, str | bool)
    return f"is {value!r}, which is no number{' (pairs with labels are `kind: pair`)' if words else ''}"
