"""The trials of a study's searches as one table, `trials.csv` with a row a trial; nothing where nothing was searched."""

import csv
from pathlib import Path
from typing import Any

from acclimate.files import atomic_file
from acclimate.inert import cell
from acclimate.study.outputs.outcomes import Outcomes
from acclimate.wording import side_by_side

FILE = "trials.csv"


def write_trials(outcomes: Outcomes, out: Path) -> None:
    """Columns: recipes, stage, labels, seed, trial, state, taken, score (on dev), judged_by, steps, seconds, and a column a setting."""
    rows = list[dict[str, Any]]()
    for node in outcomes.plan.nodes.values():
        metrics = outcomes.measured.get(node.key, {}).get("metrics", {})
        if node.stage.role != "searches" or not metrics:
            continue
        for trial in metrics["trials"]:
            about = {"recipes": side_by_side(outcomes.plan.recipes_of(node.key)), "stage": node.stage.title(), "labels": node.labels}
            told = {name: trial[name] for name in ("trial", "state", "score", "steps", "seconds")}
            taken = {"taken": trial["trial"] == metrics["best_trial"], "judged_by": metrics["judged_by"]}
            rows.append({**about, "seed": node.seed, **told, **taken, **trial["values"]})
    if not rows:
        return
    names = list(dict.fromkeys(name for row in rows for name in row))
    with atomic_file(out / FILE) as path, path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=names)
        writer.writeheader()
        writer.writerows({name: cell(value) for name, value in row.items()} for row in rows)
