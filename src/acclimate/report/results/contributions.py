"""Comparisons that a study's own verdicts do not hold: a recipe's score with an interval of its own, and any two recipes."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from acclimate.errors import SettingsError
from acclimate.evaluation.statistics import Contributions, Level, compare, level
from acclimate.files import read_table
from acclimate.report.results.facts import Verdict, verdict_of_row
from acclimate.report.results.finished import Results
from acclimate.study.outputs.contributions import NAME, SCHEMA
from acclimate.study.outputs.output_folder import AGAIN
from acclimate.tasks.metrics.metric import Numbers


@dataclass(frozen=True)
class Compared:
    """The runs of a finished study at one label budget, item by item, in units of its metric."""

    results: Results
    labels: str

    @property
    def name(self) -> str:
        """Of the metric, as `evaluation.statistics.Score` asks."""
        return self.results.metric

    @property
    def span(self) -> float:
        """From worst to best."""
        return self.results.score.span

    @property
    def lower_is_better(self) -> bool:
        """Whether less of it is more."""
        return self.results.score.lower_is_better

    def level(self, recipe: str) -> Level | None:
        """A recipe's score with its interval; None where no run of it was done.

        Raises:
            SettingsError: the folder was written by an acclimate that kept no contributions, or they cannot be read.
        """
        each, groups = self._runs
        runs = each.get(recipe)
        return level(runs, self.span, groups=groups) if runs else None

    def verdict(self, recipe: str, reference: str) -> Verdict | None:
        """A recipe against any other, None where nothing could be compared: the study's own verdict if that is its reference.

        Else as if it had been the reference: by the same model, Holm's correction over all the other recipes.

        Raises:
            SettingsError: as `level`.
        """
        if reference == self.results.reference:
            return self.results.verdict_of(recipe, self.labels)
        each, groups = self._runs
        if not {recipe, reference} <= each.keys():
            return None
        found = compare(each, reference, self, labels=self.labels, groups=groups)
        verdict = next(verdict for verdict in found if verdict.recipe == recipe)
        return None if verdict.difference is None else verdict_of_row(asdict(verdict), self.lower_is_better)

    @cached_property
    def _runs(self) -> tuple[Mapping[str, Contributions], Sequence[int] | None]:
        """By recipe and seed what every item contributes [N], in the order of the study; and each item's group [N], if there are any."""
        path = self.results.folder / NAME
        if not path.is_file():
            raise SettingsError(f"{path}: is not there, an earlier acclimate kept no such file; {AGAIN}")
        try:
            rows = read_table(path, columns=SCHEMA.names, filters=[("labels", "==", self.labels)])
        except (OSError, pa.ArrowException) as error:
            raise SettingsError(f"{path}: cannot be read as parquet ({error}); {AGAIN}") from error
        each: dict[str, dict[int, Numbers]] = {}
        groups: Sequence[int] | None = None
        for recipe in self.results.recipes:
            for run in self.results.runs_of(recipe, self.labels):
                own = rows.filter((pc.field("recipe") == recipe) & (pc.field("seed") == run.seed)) if run.done else rows[:0]
                if own.num_rows:
                    each.setdefault(recipe, {})[run.seed] = own["contribution"].to_numpy()
                    groups = None if own["group"].null_count else own["group"].to_pylist()
        return each, groups
