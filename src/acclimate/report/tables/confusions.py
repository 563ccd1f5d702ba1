"""Which labels the chosen recipe confuses on the test set."""

from typing import Any

import pyarrow.compute as pc

from acclimate.report.results.finished import Results
from acclimate.report.tables.grid import Grid
from acclimate.report.words.text import percent

SHOWN = 10  # pairs of labels


def mistakes_grid(results: Results) -> Grid | None:
    """The most frequent mistakes of the chosen recipe at the largest budget, all seeds together; None where it made none."""
    if results.chosen is None:
        return None
    table = results.predictions
    for column, value in (("recipe", results.chosen), ("labels", results.budgets[-1]), ("split", "test")):
        table = table.filter(pc.equal(table[column], value))
    total = table.num_rows
    counts = table.filter(pc.not_equal(table["gold"], table["predicted"])).group_by(["gold", "predicted"]).aggregate([("gold", "count")])
    place = {str(label): number for number, label in enumerate(results.study.get("labels") or ())}

    def rank(row: dict[str, Any]) -> tuple[int, ...]:
        return -row["gold_count"], *(place.get(str(row[name]), len(place)) for name in ("gold", "predicted"))

    worst = sorted(counts.to_pylist(), key=rank)[:SHOWN]
    if not worst:
        return None
    rows = tuple((str(row["gold"]), str(row["predicted"]), f"{row['gold_count']:,}", percent(row["gold_count"] / total)) for row in worst)
    headings = ("the label is", "the model says", "times", "of test predictions")
    return Grid(
        f"The most frequent mistakes of the chosen recipe, among {total:,} predictions over all seeds", headings, rows, frozenset({0, 1})
    )
