"""What the kind of task tells of the recipe that a study chose: `blocks.json`, so that a report needs to know no kind."""

from typing import Any

import numpy as np

from acclimate.evaluation.predictions import StoredAnswers
from acclimate.study.outputs.best import Candidate
from acclimate.study.outputs.outcomes import Outcomes
from acclimate.study.plan.graph import Run
from acclimate.tasks.blocks import to_json
from acclimate.tasks.kind import Judged
from acclimate.tasks.task import Task


def chosen_blocks(outcomes: Outcomes, task: Task, best: Candidate | None) -> list[dict[str, Any]]:
    """The blocks of the chosen recipe's answers on test, every seed that was done at the largest budget; none where no run was."""
    if best is None:
        return []
    recipes: dict[str, list[Run]] = {}
    for run in outcomes.plan.runs:
        if run.labels == best.labels and outcomes.error(run) is None:
            recipes.setdefault(run.recipe, []).append(run)
    done = recipes[best.recipe]
    answers = {name: tuple(_stored(outcomes, run) for run in runs) for name, runs in recipes.items()}
    tuned = (outcomes.measured[run.end]["metrics"].get("thresholds") for run in done)
    thresholds = tuple(None if each is None else np.array([*each.values()]) for each in tuned)
    return [to_json(block) for block in task.kind.told_of(Judged(task.test, answers[best.recipe], thresholds, answers))]


def _stored(outcomes: Outcomes, run: Run) -> StoredAnswers:
    return StoredAnswers(outcomes.store.path(run.end) / "predictions.parquet", "test")
