"""What a study leaves that reads no labels: its models, and how well each predicts the text that was held out.

Its recipes end with a pretraining. They are set beside each other by held-out loss, without verdicts: a loss says how well a model knows a
text, not what it is good for.
"""

import re
import shutil
from pathlib import Path
from typing import Any

from acclimate.evaluation.cost import total
from acclimate.files import digest_file, digest_json, write_json
from acclimate.owned import mark_made
from acclimate.study.outputs.outcomes import Outcomes
from acclimate.study.plan.graph import Run

LONGEST_NAME = 120  # bytes of a folder's name, with room for what is put behind it
RESULTS, MODELS = "pretraining.json", "models"


def write_pretrained(outcomes: Outcomes, about: dict[str, Any], out: Path) -> tuple[int, int]:
    """Write `pretraining.json` (`about` with a row a run) and a folder under `models/` for each finished run.

    Returns how many runs there are, and how many of them failed.
    """
    # A pretraining that is run once for all seeds is one run, whatever `seeds` says.
    runs = tuple({(run.recipe, run.end): run for run in reversed(outcomes.plan.runs)}.values())[::-1]
    names = model_names(runs)
    rows = [_row(outcomes, run, names[run]) for run in runs]
    (out / MODELS).mkdir()
    done = {run: name for run, name in names.items() if outcomes.error(run) is None}
    for run, name in done.items():
        shutil.copytree(outcomes.store.path(run.end) / "model", out / MODELS / name)
    mark_made(out / MODELS, "models", digest_json({name: run.end for run, name in done.items()}))
    write_json(out / RESULTS, {**about, "runs": rows})
    return len(rows), sum(row["status"] == "failed" for row in rows)


def model_names(runs: tuple[Run, ...]) -> dict[Run, str]:
    """A folder's name for each run: the recipe's, in letters that every file system takes, with the seed where there are several."""
    recipes = [run.recipe for run in runs]
    names: dict[Run, str] = {}
    for run in runs:
        name = re.sub(r"[^\w.-]+", "-", run.recipe).strip("-.") or "model"
        name = name.encode()[:LONGEST_NAME].decode(errors="ignore")
        name += f"-seed{run.seed}" if recipes.count(run.recipe) > 1 else ""
        taken = set(names.values())
        names[run] = next(each for each in (name, *(f"{name}-{number}" for number in range(2, len(runs) + 2))) if each not in taken)
    return names


def _row(outcomes: Outcomes, run: Run, name: str) -> dict[str, Any]:
    error = outcomes.error(run)
    row: dict[str, Any] = {"recipe": run.recipe, "seed": run.seed, "status": "failed" if error else "done", "error": error or ""}
    if error:
        return row
    metrics = outcomes.measured[run.end]["metrics"]
    cost = total([cost for _, cost in outcomes.costs(run)])
    kept = ("heldout_loss_before", "heldout_loss_after", "heldout_accuracy")
    return row | {
        "model": f"{MODELS}/{name}",
        **{each: metrics.get(each) for each in kept},
        "corpora": metrics.get("corpora") or {},
        "tokenizer": digest_file(outcomes.store.path(run.end) / "model" / "tokenizer.json"),
        "cost": cost.to_json(),
    }
