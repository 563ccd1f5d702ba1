"""What each recipe knows of general text, stage by stage."""

from acclimate.report.results.finished import Results
from acclimate.report.results.general_text import Known, State, general_facts
from acclimate.report.tables.grid import Grid
from acclimate.report.words.text import duration, interval, recipe_names, score, signed

HEADING = "general text [bits/byte]"


def general_cells(results: Results) -> dict[str, str]:
    """For the comparison: `1.650 (+0.037)` by recipe, before labels are learned, and the difference to before anything; `–` of a recipe of
    which nothing is known. Empty where forgetting was not measured."""
    facts = general_facts(results)
    if facts is None:
        return {}
    last = {recipe: known.last for recipe, known in facts.recipes.items()}
    return {recipe: _cell(last.get(recipe), facts.recipes.get(recipe)) for recipe in results.recipes}


def general_grids(results: Results) -> list[Grid]:
    """A row for every stage, with the recipes that share it; none where forgetting was not measured."""
    facts = general_facts(results)
    if facts is None:
        return []
    shared: dict[tuple[int, tuple[str, ...]], list[str]] = {}  # recipes by what the how manyth came to: a base is measured and told once
    for known in facts.recipes.values():
        for place, state in enumerate(known.states):
            shared.setdefault((place, _cells(state)), []).append(known.recipe)
    rows = tuple((recipe_names(recipes), *cells) for (_, cells), recipes in shared.items())
    caption = (
        f"General text that no stage read, {facts.documents:,} documents of {facts.text}: bits per byte (lower is better), and the "
        f"difference to before with its 95 % interval. Measuring took {duration(facts.seconds)}, which is no cost of a recipe"
    )
    headings = ("recipes", "after", "bits per byte", "difference", "95 % interval", "head", "trainings")
    return [Grid(caption, headings, rows, frozenset({0, 1, 5}))]


def _cell(state: State | None, known: Known | None) -> str:
    if state is None or known is None:
        return "–"
    return score(state.value) + (f" ({signed(state.difference)})" if known.began and state.difference is not None else "")


def _cells(state: State) -> tuple[str, ...]:
    head = "carried along" if state.carried else "its own"
    return state.after, score(state.value), signed(state.difference), interval(state.low, state.high), head, str(state.trainings)
