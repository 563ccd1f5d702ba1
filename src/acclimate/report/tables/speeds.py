"""How large and how fast the models of the recipes are."""

from acclimate.report.results.finished import Results
from acclimate.report.results.speeds import batch_of, timed_models
from acclimate.report.tables.grid import Grid
from acclimate.report.words.text import amount, moment, score, size, with_labels


def speeds_grids(results: Results) -> tuple[Grid, ...]:
    """A row for each recipe that was timed; no grid where none was."""
    models = timed_models(results)
    if not models:
        return ()
    item, items = results.kind.item, results.kind.items
    rows = []
    for model in models:
        sizes = (amount(model.parameters), size(model.bytes), moment(model.latency), f"{model.per_second:,.0f}")
        rows.append((model.recipe, score(model.score), *sizes, model.by))
    caption = (
        f"Size and speed of the models {with_labels(results.budgets[-1])}, on this machine, from {items} to answers: median time of one "
        f"{item} alone, and {items} a second in batches of {batch_of(results)}"
    )
    headings = ("recipe", results.score.words, "parameters", "on disk", f"one {item}", f"{items}/s", "answered by")
    return (Grid(caption, headings, tuple(rows), frozenset({0, 6})),)
