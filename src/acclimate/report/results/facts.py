"""Runs, verdicts and stages as a report knows them, each from its row in the files of a results folder."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Claim = Literal["better", "worse", "cannot tell"]

# What the stages of folders were that do not say it.
ROLES = {
    "start": "start", "cut": "changes", "prune": "changes", "pretrain": "pretrains", "finetune": "learns",
    "majority": "baseline", "tfidf": "baseline", "bilstm": "baseline",
}  # fmt: skip


@dataclass(frozen=True)
class Run:
    """One recipe with one seed and one label budget; `values` holds every numeric column, None where nothing was measured."""

    recipe: str
    seed: int
    labels: str
    status: str
    error: str
    values: Mapping[str, float | None]
    key: str = ""  # of its last stage

    @property
    def done(self) -> bool:
        return self.status == "done"


@dataclass(frozen=True)
class Verdict:
    """One recipe against the reference at one label budget, in units of the metric; numbers are None where nothing could be compared."""

    recipe: str
    reference: str
    labels: str
    mean: float | None
    difference: float | None
    low: float | None
    high: float | None
    p_holm: float | None
    detectable: float | None
    verdict: str
    seeds: int
    # What advice about the size of a study needs (`evaluation.power`); None in folders of acclimate 0.1.0 and with one seed.
    texts: int | None = None
    compared: int | None = None
    seed_variance: float | None = None
    text_variance: float | None = None
    both_variance: float | None = None
    lower_is_better: bool = False  # of the metric
    groups: int | None = None  # of the test texts, where they belong together: what all numbers are of

    @property
    def units(self) -> int:
        """What the test split holds of what stands by itself: groups where texts belong together, else texts; 0 where nobody knows."""
        return (self.texts if self.groups is None else self.groups) or 0

    @property
    def claim(self) -> Claim:
        """The verdict, weakened to "cannot tell" where one seed or the interval does not bear it."""
        if self.gains is None or self.seeds < 2:
            return "cannot tell"
        least, most = self.gains
        if self.verdict == "better" and least > 0:
            return "better"
        return "worse" if self.verdict == "worse" and most < 0 else "cannot tell"

    @property
    def gains(self) -> tuple[float, float] | None:
        """How much better it is, at least and at most: the interval, turned where lower is better."""
        if self.low is None or self.high is None:
            return None
        return (-self.high, -self.low) if self.lower_is_better else (self.low, self.high)


@dataclass(frozen=True)
class StageFact:
    """One node of the plan: which recipes used it, what it measured and cost. `seed` and `labels` are None where it depends on neither."""

    key: str
    stage: str
    recipes: tuple[str, ...]
    seed: int | None
    labels: str | None
    seconds: float | None
    cached: bool
    status: str
    metrics: Mapping[str, Any]
    notes: tuple[str, ...]
    cost: Mapping[str, Any]
    role: str = ""  # what it is to its recipes: `stages.base.Role`
    reads: tuple[str, ...] = ()  # of the data; empty where the files are older
    title: str = ""
    does: str = ""  # the title without whose it is
    parent: str | None = None  # the key of the stage it starts from
    beside: Mapping[str, str] = field(default_factory=dict)  # of each recipe whose model it needs besides, the key of its end
    search: str | None = None  # the key of the search whose values it took
    about: str | None = None  # the task that it learned, by name; None: the study's
    runs: int = 0  # that it is part of
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def learned(self) -> bool:
        """Whether it learned from labels: what answers by vectors fits a classifier to some tasks, and nothing to others."""
        return self.role == "learns" or ("labels" in self.reads and not self.without_labels)

    @property
    def without_labels(self) -> bool:
        """Whether it is given labels, and says that it has learned from none."""
        return self.metrics.get("learned_from") == 0


def _number(value: Any) -> float | None:
    """A finite number, or None: a failed run has nulls, and a missing float may have become NaN on its way."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return value


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _count(value: Any) -> int:
    """How many: a count, or the list of what is counted."""
    return len(value) if isinstance(value, list) else int(value or 0)


def run_of_row(row: Mapping[str, Any]) -> Run:
    """A run as `results.parquet` has it."""
    text = {"recipe", "seed", "labels", "status", "error", "reference", "key"}
    return Run(
        recipe=str(row["recipe"]),
        seed=int(row["seed"]),
        labels=str(row["labels"]),
        status=str(row["status"]),
        error=str(row.get("error") or ""),
        values={name: _number(value) for name, value in row.items() if name not in text},
        key=str(row.get("key") or ""),
    )


def verdict_of_row(row: Mapping[str, Any], lower: bool) -> Verdict:
    """A verdict as `verdicts.json` has it; `lower` says that less of the metric is more."""
    return Verdict(
        recipe=str(row["recipe"]),
        reference=str(row["reference"]),
        labels=str(row["labels"]),
        mean=_number(row.get("mean")),
        difference=_number(row.get("difference")),
        low=_number(row.get("low")),
        high=_number(row.get("high")),
        p_holm=_number(row.get("p_holm")),
        detectable=_number(row.get("detectable")),
        verdict=str(row["verdict"]),
        seeds=_count(row.get("seeds")),
        texts=_whole(row.get("texts")),
        groups=_whole(row.get("groups")),
        compared=_whole(row.get("compared")),
        seed_variance=_number(row.get("seed_variance")),
        text_variance=_number(row.get("text_variance")),
        both_variance=_number(row.get("both_variance")),
        lower_is_better=lower,
    )


def stage_of_row(row: Mapping[str, Any]) -> StageFact:
    """A stage as `study.json` has it."""
    title = str(row.get("title") or row["stage"])
    return StageFact(
        key=str(row.get("key", "")),
        stage=str(row["stage"]),
        role=str(row.get("role") or ROLES.get(str(row["stage"]), "")),
        reads=tuple(map(str, row.get("reads") or ())),
        recipes=tuple(map(str, row.get("recipes") or ())),
        seed=None if row.get("seed") is None else int(row["seed"]),
        labels=None if row.get("labels") is None else str(row["labels"]),
        seconds=_number(row.get("seconds")),
        cached=bool(row.get("cached")),
        status=str(row.get("status", "")),
        metrics=row.get("metrics") or {},
        notes=tuple(map(str, row.get("notes") or ())),
        cost=row.get("cost") or {},
        title=title,
        does=str(row.get("does") or title.rpartition(": ")[2] or row["stage"]),
        parent=None if row.get("parent") is None else str(row["parent"]),
        beside=row.get("beside") or {},
        search=row.get("search"),
        about=None if row.get("about") is None else str(row["about"]),
        runs=_count(row.get("runs")),
        settings=row.get("settings") or {},
    )
