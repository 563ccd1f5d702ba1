"""Several studies side by side: what each came to, and how its recipes did against its reference."""

from collections.abc import Sequence
from dataclasses import dataclass

from acclimate.inert import one_line
from acclimate.report.pages.view import View
from acclimate.report.tables.grid import Grid
from acclimate.report.words.text import label_count, score, signed


@dataclass(frozen=True)
class Several:
    """A table of the studies, and one of recipes by studies; the second is None where they have no recipe in common."""

    studies: Grid
    recipes: Grid | None


def comparison(views: Sequence[View]) -> Several:
    """The studies in the order given. Every difference is to the study's own reference, at its largest label budget."""
    return Several(_studies(views), _recipes(views))


def _studies(views: Sequence[View]) -> Grid:
    rows = []
    for view in views:
        chosen = next((row for row in view.budgets[0].rows if row.is_chosen), None) if view.budgets else None
        rows.append(
            (
                view.name,
                view.metric,
                label_count(view.results.budgets[-1]) if view.results.budgets else "–",
                view.results.reference,
                "–" if chosen is None else one_line(chosen.recipe),
                score(None if chosen is None else chosen.mean),
                "–" if chosen is None else chosen.compared,
                "–" if chosen is None else chosen.outcome,
            )
        )
    headings = ("study", "metric", "labels", "reference", "chosen on dev", "its score", "difference [95 % interval]", "verdict")
    return Grid("The studies on this page", headings, tuple(rows), frozenset({0, 1, 3, 4, 7}))


def _recipes(views: Sequence[View]) -> Grid | None:
    by_recipe: dict[str, dict[int, str]] = {}
    for number, view in enumerate(views):
        for row in view.budgets[0].rows if view.budgets else ():
            mark = {"better": "better, ", "worse": "worse, "}.get(row.outcome, "")
            told = "reference" if row.is_reference else "–" if row.difference is None else f"{mark}{signed(row.difference)}"
            by_recipe.setdefault(row.recipe, {})[number] = told
    if all(len(found) < 2 for found in by_recipe.values()):
        return None
    rows = tuple((recipe, *(found.get(number, "–") for number in range(len(views)))) for recipe, found in by_recipe.items())
    return Grid(
        "Differences to each study's reference; “better” and “worse” only where the study can tell",
        ("recipe", *(view.name for view in views)),
        rows,
    )
