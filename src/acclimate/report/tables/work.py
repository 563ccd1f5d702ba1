"""What was done and what it cost: stages with who shares them, costs by recipe, and every score."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean

from acclimate.report.results.facts import StageFact
from acclimate.report.results.finished import Results
from acclimate.report.results.groups import groups, of_recipes
from acclimate.report.tables.grid import Grid
from acclimate.report.words.text import amount, duration, label_count, listing, recipe_names, score, size, with_labels


def stages_grid(results: Results) -> Grid:
    """One line for each stage of each group of recipes, its seeds together."""
    rows = tuple(
        (
            group.name,
            recipe_names(group.recipes) + (f" (shared by {len(group.recipes)})" if len(group.recipes) > 1 else ""),
            label_count(group.labels_read or "–"),
            ", ".join(sorted({str(each.seed) for each in group.stages if each.seed is not None}, key=int)) or "–",
            f"{sum(each.status == 'done' for each in group.stages)} of {len(group.stages)}",
            str(sum(each.cached for each in group.stages)),
            duration(_sum(each.seconds for each in group.stages)),
            amount(_sum(each.cost.get("tokens") for each in group.stages)),
            _heldout(group.stages),
        )
        for group in groups(of_recipes(results.stages))
    )
    headings = ("stage", "recipes", "labels", "seeds", "done", "from the store", "time", "tokens", "held-out loss")
    return Grid("Stages, each run once for all recipes that share it", headings, rows, frozenset({0, 1})).without_empty_columns()


def time_grid(results: Results) -> Grid:
    """What training took. Shared stages count in full, then once (with the run that came first), then by equal parts."""
    grid = _costs(results, "Time and work", _TIME)
    if not grid.rows:
        return grid
    # Only what adds up to the whole study is added up.
    done = [run.values for run in results.runs if run.done]
    sums = {column: duration(_sum(values.get(column) for values in done)) for column in ("seconds_shared_once", "seconds_pro_rata")}
    whole = ("All recipes", "–", str(len(done)), *(sums.get(column, "–") for column in _TIME))
    return Grid(grid.caption, grid.headings, (*grid.rows, whole)).without_empty_columns()


def size_grid(results: Results) -> Grid:
    """How large and how fast the models are that the recipes hand over."""
    speed = {"inference_texts_per_second": _Cost(f"{results.kind.items}/s", fmean, amount)}
    return _costs(results, "Size and speed", _SIZE | speed).without_empty_columns()


def scores_grid(results: Results, labels: str, split: str) -> Grid:
    """Every metric of `dev` or `test` at one budget in the kind's order, as means over seeds."""
    found = {name for run in results.runs for name, value in run.values.items() if value is not None and name.startswith(f"{split}_")}
    names, kind = results.kind.ordered(found), results.kind
    measured = [recipe for recipe in results.recipes if names and any(run.done for run in results.runs_of(recipe, labels))]
    rows = tuple((recipe, *(score(results.mean(recipe, labels, name)) for name in names)) for recipe in measured)
    # Where higher is meant, as usual, nothing is said.
    lower = dict.fromkeys(kind.words(name) for name in names if kind.score(name).lower_is_better)
    caption = f"All scores on the {split} set {with_labels(labels)}, means over seeds" + (
        f"; lower is better for {listing(list(lower))}" if lower else ""
    )
    return Grid(caption, ("recipe", *map(kind.words, names)), rows)


@dataclass(frozen=True)
class _Cost:
    heading: str
    over: Callable[[tuple[float, ...]], float]  # how the seeds come together
    written: Callable[[float | None], str]

    def of(self, values: tuple[float, ...]) -> str:
        return self.written(self.over(values) if values else None)


_TIME = {
    "seconds": _Cost("time a run", fmean, duration),
    "seconds_shared_once": _Cost("time, shared stages once", sum, duration),
    "seconds_pro_rata": _Cost("time, pro rata", sum, duration),
    "tokens": _Cost("tokens a run", fmean, amount),
    "flops": _Cost("training FLOPs a run", fmean, amount),
}
_SIZE = {
    "peak_memory_bytes": _Cost("peak memory", max, size),
    "parameters": _Cost("parameters", max, amount),
    "trained_parameters": _Cost("trained", max, amount),
    "disk_bytes": _Cost("on disk", max, size),
}


def _costs(results: Results, caption: str, costs: Mapping[str, _Cost]) -> Grid:
    rows = tuple(
        (
            recipe,
            label_count(results.labels_read(recipe, labels)),
            str(done),
            *(cost.of(results.values(recipe, labels, column)) for column, cost in costs.items()),
        )
        for labels in results.budgets
        for recipe in results.recipes
        if (done := sum(run.done for run in results.runs_of(recipe, labels)))
    )
    return Grid(caption, ("recipe", "labels", "runs", *(cost.heading for cost in costs.values())), rows)


def _sum(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _heldout(stages: tuple[StageFact, ...]) -> str:
    """`2.914 → 2.401`, means over the seeds that measured it."""
    sides = []
    for side in ("before", "after"):
        known = [value for each in stages if (value := each.metrics.get(f"heldout_loss_{side}")) is not None]
        sides.append(score(fmean(known)) if known else "–")
    return "–" if sides == ["–", "–"] else " → ".join(sides)
