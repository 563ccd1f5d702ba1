"""The trials of each search as a table, the lowest value first, so that a column of values and one of scores read as a curve."""

from acclimate.inert import one_line
from acclimate.report.results.finished import Results
from acclimate.report.results.searches import SearchFact, Tried, searches
from acclimate.report.tables.grid import Grid
from acclimate.report.words.text import duration, score, with_labels
from acclimate.wording import side_by_side

STATES = {"pruned": "ended early", "diverged": "diverged", "done": ""}


def trials_grids(results: Results) -> list[Grid]:
    """A table a search."""
    return [_grid(results, search) for search in searches(results)]


def search_title(results: Results, search: SearchFact) -> str:
    """`fine-tune: search of lr for finetune, 8 trials, with 500 labels`."""
    stage = search.stage
    parts = [f"{side_by_side(map(one_line, stage.recipes))}: {one_line(stage.does)}"]
    if stage.labels is not None and len(results.budgets) > 1:
        parts.append(with_labels(stage.labels))
    alike = [other for other in searches(results) if (other.stage.does, other.stage.recipes) == (stage.does, stage.recipes)]
    if len({other.stage.seed for other in alike}) > 1:
        parts.append(f"seed {stage.seed}")
    return ", ".join(parts)


def _grid(results: Results, search: SearchFact) -> Grid:
    def row(trial: Tried) -> tuple[str, ...]:
        told = "taken" if trial.taken else STATES.get(trial.state, trial.state)
        steps = "–" if trial.steps is None else f"{trial.steps:,}"
        values = (f"{trial.values[name]:.3g}" for name in search.names)
        return (*values, score(trial.score), told or "–", steps, duration(trial.seconds), str(trial.number))

    rows = sorted(search.trials, key=lambda trial: tuple(trial.values.values()))
    judged = "dev score" if search.judged_by == "score" else f"dev {results.kind.words(search.judged_by)}"
    headings = (*map(one_line, search.names), judged, "outcome", "steps", "time", "trial")
    outcome = len(search.names) + 1
    return Grid(search_title(results, search), headings, tuple(map(row, rows)), frozenset({outcome})).without_empty_columns()
