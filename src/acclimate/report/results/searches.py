"""The searches of a study: what was tried for which recipe, how each trial came out, and what was taken."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from acclimate.report.results.facts import StageFact
from acclimate.report.results.finished import Results


@dataclass(frozen=True)
class Tried:
    """One trial."""

    number: int
    values: Mapping[str, float]  # by the name of the setting
    state: str  # done, pruned or diverged
    score: float | None  # on dev
    steps: int | None
    seconds: float | None
    taken: bool


@dataclass(frozen=True)
class SearchFact:
    """One search: of one stage of some recipes, at one label budget, with one seed."""

    stage: StageFact
    trials: tuple[Tried, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Of the settings that were searched."""
        return tuple(self.trials[0].values) if self.trials else ()

    @property
    def judged_by(self) -> str:
        """The column of the score that chose, e.g. `dev_macro_f1`."""
        return str(self.stage.metrics.get("judged_by") or "score")


def searches(results: Results) -> tuple[SearchFact, ...]:
    """Those that were done, recipe by recipe in the order of the plan, each by its budgets from the smallest to the largest."""
    done = [stage for stage in results.stages if stage.role == "searches" and stage.metrics.get("trials")]
    alike = [*dict.fromkeys((stage.recipes, stage.does) for stage in done)]
    size = {labels: place for place, labels in enumerate(results.budgets)}
    done.sort(key=lambda stage: (alike.index((stage.recipes, stage.does)), size.get(stage.labels or "", -1)))
    return tuple(SearchFact(stage, _trials(stage)) for stage in done)


def _trials(stage: StageFact) -> tuple[Tried, ...]:
    best = stage.metrics.get("best_trial")
    rows: list[dict[str, Any]] = list(stage.metrics["trials"])
    return tuple(
        Tried(
            number=int(row["trial"]),
            values=dict(row["values"]),
            state=str(row["state"]),
            score=row.get("score"),
            steps=row.get("steps"),
            seconds=row.get("seconds"),
            taken=row["trial"] == best,
        )
        for row in rows
    )


def trials_of(results: Results) -> Mapping[str, int]:
    """How many trials each recipe had for a model, over all of its searches; 0 where nothing was searched.

    Left out are those that have no setting to be searched, and those of which a search is not done.
    """
    planned, found = [stage for stage in results.stages if stage.role == "searches"], {}
    able = {
        recipe for stage in results.stages if stage.role in ("learns", "baseline") and len(stage.settings) > 1 for recipe in stage.recipes
    }
    for recipe in (each for each in results.recipes if each in able):
        # Every budget and every seed has as many: one of each stands for all.
        at = {(search.stage.does, search.stage.about): len(search.trials) for search in searches(results) if recipe in search.stage.recipes}
        if at.keys() == {(stage.does, stage.about) for stage in planned if recipe in stage.recipes}:
            found[recipe] = sum(at.values())
    return found
