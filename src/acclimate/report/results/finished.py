"""What a finished study left in its folder, read once and never changed: everything the report says comes from here."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from acclimate.errors import SettingsError
from acclimate.report.results.facts import Run, StageFact, Verdict, run_of_row, stage_of_row, verdict_of_row
from acclimate.report.results.kind_facts import KindFacts, ScoreFacts
from acclimate.report.results.told import blocks_of
from acclimate.study.outputs.output_folder import ATTENTION, LABELLESS, check_whole, unfinished
from acclimate.tasks.blocks import Block

PREDICTED = ("recipe", "labels", "split", "gold")  # what every predictions.parquet has
FILES = ("results.parquet", "predictions.parquet", "verdicts.json", "study.json", "study.yaml")


@dataclass(frozen=True)
class Results:
    """The files of one results folder as values."""

    metric: str  # a column of results.parquet, its split first, e.g. test_macro_f1
    reference: str
    runs: tuple[Run, ...]
    verdicts: tuple[Verdict, ...]
    stages: tuple[StageFact, ...]
    study: Mapping[str, Any]  # study.json as it stands
    study_yaml: str
    folder: Path = Path()  # where larger files lie that are read when they are needed

    @classmethod
    def load(cls, folder: Path) -> "Results":
        """Read a results folder.

        Raises:
            SettingsError: the folder, a file, a column or a field is missing, or a file cannot be read; the message names it.
        """
        if (folder / LABELLESS).is_file() and not (folder / "verdicts.json").is_file():
            raise SettingsError(
                f"{folder}: the results of a study without a task, by an earlier acclimate: its models are in models/, its losses in "
                f"{LABELLESS}, and its report.md stays as it is; run the study again, and its models are compared by held-out text"
            )
        missing = [name for name in FILES if not (folder / name).is_file()]
        if missing:
            raise SettingsError(f"{folder}: not the folder of a finished study, {_listed(missing)} missing — {unfinished(folder)}")
        verdicts = _json(folder / "verdicts.json")
        study = _json(folder / "study.json")
        check_whole(folder, study)
        runs = _table(folder / "results.parquet", ("recipe", "seed", "labels", "status"))
        _opened(folder / "predictions.parquet", PREDICTED)
        kind = KindFacts.of(study, folder / "study.json")
        try:
            lower = kind.score(str(verdicts["metric"])).lower_is_better
            return cls(
                metric=str(verdicts["metric"]),
                reference=str(verdicts["reference"]),
                runs=tuple(run_of_row(row) for row in runs.to_pylist()),
                verdicts=tuple(verdict_of_row(row, lower) for row in verdicts["verdicts"]),
                stages=tuple(stage_of_row(row) for row in study.get("stages", ())),
                study=study,
                study_yaml=(folder / "study.yaml").read_text(encoding="utf-8"),
                folder=folder,
            )
        except KeyError as error:
            raise SettingsError(
                f"{folder}: the field {error} is missing in its files — run `acclimate study` again to rewrite them"
            ) from error
        except UnicodeDecodeError as error:
            raise SettingsError(f"{folder / 'study.yaml'}: not UTF-8 text ({error})") from error

    @classmethod
    def of_run(cls, row: Mapping[str, Any], study: Mapping[str, Any]) -> "Results":
        """One run by itself, compared with nothing: its row as in `results.parquet`, and what `study.json` would say."""
        stages = tuple(stage_of_row(fact) for fact in study.get("stages", ()))
        return cls(f"test_{study['metric']}", str(row["recipe"]), (run_of_row(dict(row)),), (), stages, study, "")

    @cached_property
    def curves(self) -> Mapping[str, Mapping[str, list[tuple[float, float]]]]:
        """Points (step, value) by stage and curve; nothing where an older version wrote the folder."""
        found: dict[str, dict[str, list[tuple[float, float]]]] = {}
        if (self.folder / "curves.parquet").is_file():
            for row in _table(self.folder / "curves.parquet", ("key", "curve", "step", "value")).to_pylist():
                found.setdefault(row["key"], {}).setdefault(row["curve"], []).append((row["step"], row["value"]))
        return found

    @cached_property
    def disagreements(self) -> list[dict[str, Any]]:
        """Test items on which recipes disagree, as acclimate.study.outputs.disagreements wrote them."""
        path = self.folder / "disagreements.json"
        return list(_json_value(path, list)) if path.is_file() else []

    @cached_property
    def attention(self) -> Mapping[str, Any] | None:
        """What `acclimate.study.outputs.attention` wrote; None where the study did not ask."""
        path = self.folder / ATTENTION
        return dict(_json_value(path, dict)) if path.is_file() else None

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """What the kind of task tells of the chosen recipe's answers to test, all seeds at the largest budget together."""
        return blocks_of(self.folder, self.chosen, self.budgets[-1], self.names) if self.chosen is not None else ()

    @cached_property
    def kind(self) -> KindFacts:
        """What is judged, and by which scores."""
        return KindFacts.of(self.study)

    @property
    def score(self) -> ScoreFacts:
        """Of the metric by which recipes are compared."""
        return self.kind.score(self.metric)

    @cached_property
    def judged_on(self) -> str:
        """`1,397 groups (3,469 test texts)`; empty where every item stands by itself."""
        known = next((verdict for verdict in self.verdicts if verdict.groups is not None), None)
        return "" if known is None else f"{known.groups:,} groups ({known.texts or 0:,} test {self.kind.items})"

    @property
    def judged_by(self) -> str:
        """`macro F1 on the test set`, and which direction is better where it is not the usual one."""
        where = " on the test set" if self.metric.startswith("test_") else ""
        return f"{self.score.words}{where}{' (lower is better)' if self.score.lower_is_better else ''}"

    @property
    def best_word(self) -> str:
        """`highest`, or `lowest` where lower scores are better."""
        return "lowest" if self.score.lower_is_better else "highest"

    @property
    def names(self) -> tuple[str, ...]:
        """The classes, tags, ... of the task."""
        return tuple(map(str, self.study.get("labels") or ()))

    @cached_property
    def recipes(self) -> tuple[str, ...]:
        """Recipes in the study's order."""
        return tuple(dict.fromkeys(run.recipe for run in self.runs))

    @cached_property
    def budgets(self) -> tuple[str, ...]:
        """Label budgets from the smallest to the largest; of equal ones "all" is the largest."""
        budgets = dict.fromkeys(run.labels for run in self.runs)
        return tuple(sorted(budgets, key=lambda labels: (self.labels_at(labels) or math.inf, labels == "all")))

    def labels_at(self, budget: str) -> int | None:
        """How many labelled examples a budget comes to; None where nobody knows, as of `all` in old folders."""
        examples = ((self.study.get("data") or {}).get("task") or {}).get("examples") or {}
        known = self.study.get("budget_sizes") or {}
        count = int(budget) if budget.isdecimal() else known.get(budget) or (examples.get("train") if budget == "all" else None)
        return int(count) if count else None

    @property
    def failed(self) -> tuple[Run, ...]:
        return tuple(run for run in self.runs if not run.done)

    @cached_property
    def chosen(self) -> str | None:
        """The recipe that the dev set chose: best mean dev score at the largest budget; None where no run was done."""
        named = (self.study.get("best") or {}).get("recipe")
        return str(named) if named in self.recipes else self.best_on_dev(self.recipes)

    @cached_property
    def plain_baselines(self) -> frozenset[str]:
        # What stands beside a plain baseline uses it, too, and is none.
        plain = {recipe for stage in self.stages if stage.role == "baseline" for recipe in stage.recipes}
        return frozenset(plain.difference(*(stage.recipes for stage in self.stages if stage.role in ("learns", "answers"))))

    @cached_property
    def without_labels(self) -> frozenset[str]:
        """The recipes that answer a task of labels and have learned from none of these: the same at every budget."""
        own = [stage for stage in self.stages if self.kind.labelled and stage.about is None]
        answer = (stage for stage in own if stage.role == "answers" or (stage.role == "baseline" and stage.without_labels))
        answered = {name for stage in answer for name in stage.recipes}
        return frozenset(answered.difference(*(stage.recipes for stage in own if stage.learned)))

    def labels_read(self, recipe: str, budget: str) -> str:
        """How many labels a recipe learned from at a budget: of what learns from none, `0` at every one."""
        return "0" if recipe in self.without_labels else budget

    def best_on_dev(self, recipes: tuple[str, ...]) -> str | None:
        """Of these recipes, the one with the best mean dev score at the largest budget."""
        if not self.budgets:
            return None
        dev_metric, best = "dev_" + self.metric.removeprefix("test_"), min if self.score.lower_is_better else max
        means = {recipe: self.mean(recipe, self.budgets[-1], dev_metric) for recipe in recipes}
        known = {recipe: mean for recipe, mean in means.items() if mean is not None}
        return best(known, key=lambda recipe: known[recipe]) if known else None

    def runs_of(self, recipe: str, labels: str) -> tuple[Run, ...]:
        """Every seed of a recipe at a budget, failed ones among them."""
        return tuple(run for run in self.runs if run.recipe == recipe and run.labels == labels)

    def values(self, recipe: str, labels: str, column: str) -> tuple[float, ...]:
        """A column over the seeds that were done and have it."""
        found = (run.values.get(column) for run in self.runs_of(recipe, labels) if run.done)
        return tuple(value for value in found if value is not None)

    def mean(self, recipe: str, labels: str, column: str) -> float | None:
        """The mean of a column over the seeds that were done."""
        values = self.values(recipe, labels, column)
        return fmean(values) if values else None

    def verdict_of(self, recipe: str, labels: str) -> Verdict | None:
        """The comparison with the reference; None for the reference itself and where nothing could be compared."""
        for verdict in self.verdicts:
            if (verdict.recipe, verdict.labels) == (recipe, labels) and recipe != self.reference and verdict.difference is not None:
                return verdict
        return None

    def checkpoint_only(self, recipe: str) -> bool:
        """Whether a pretraining of this recipe ran once for several seeds, so that its verdict holds for that checkpoint alone."""
        seeds = {run.seed for run in self.runs if run.recipe == recipe and run.done}
        # Their luck of the draw is inherited by every fine-tuning after them.
        trainings = [stage.seed for stage in self.stages if stage.role == "pretrains" and recipe in stage.recipes]
        if len(seeds) < 2 or not trainings:
            return False
        # Per seed, every seed has as many pretrainings as any other; a shared one stands under the first seed (or none) only.
        return None in trainings or len({trainings.count(seed) for seed in seeds}) > 1


def _listed(names: list[str]) -> str:
    return names[0] + " is" if len(names) == 1 else ", ".join(names[:-1]) + f" and {names[-1]} are"


def _json(path: Path) -> dict[str, Any]:
    return dict(_json_value(path, dict))


def _json_value(path: Path, kind: type) -> Any:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path}: cannot be read as JSON ({error}) — run `acclimate study` again to rewrite it") from error
    if not isinstance(value, kind):
        wanted = "a JSON object" if kind is dict else "a JSON list"
        raise SettingsError(f"{path}: holds {type(value).__name__}, not {wanted} — run `acclimate study` again to rewrite it")
    return value


def _table(path: Path, needed: tuple[str, ...]) -> pa.Table:
    """A parquet file as a table."""
    try:
        return _opened(path, needed).read()
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, error) from error


def _opened(path: Path, needed: tuple[str, ...]) -> pq.ParquetFile:
    """A parquet file that has the needed columns; of a large one little is read."""
    try:
        file = pq.ParquetFile(path)
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, error) from error
    absent = [name for name in needed if name not in file.schema_arrow.names]
    # Where every run failed there are no predictions, and a table without rows need not have columns.
    if absent and file.metadata.num_rows:
        raise SettingsError(f"{path}: column {', '.join(absent)} missing — run `acclimate study` again to rewrite it")
    return file


def _unreadable(path: Path, error: Exception) -> SettingsError:
    return SettingsError(f"{path}: cannot be read as parquet ({error}) — run `acclimate study` again to rewrite it")
