"""The test items on which a study's recipes disagree most: reading them says more than a score does."""

from typing import Any

import numpy as np

from acclimate.evaluation.predictions import read_answers
from acclimate.study.outputs.outcomes import Outcomes
from acclimate.tasks.split import Column
from acclimate.tasks.task import Task

SHOWN = 12  # items
LONGEST = 600  # characters shown of a text


def disagreements(outcomes: Outcomes, task: Task, largest: str) -> list[dict[str, Any]]:
    """At the largest budget, the items on which the rightness of answers differs most between recipes.

    For each: `index` (its row in the file), `text` (cut, `cut` says how many characters are missing), `gold`, and by recipe what its seeds
    said (`said`: what most of them did, of numbers the mean) and how right they were in the mean (`right`, 0 to 1). Items on which all
    agree are never among them.
    """
    test, kind = task.test, task.kind
    said: dict[str, list[Column]] = {}
    right: dict[str, list[Any]] = {}
    for run in outcomes.plan.runs:
        if run.labels == largest and outcomes.error(run) is None:
            answers = read_answers(outcomes.store.path(run.end) / "predictions.parquet", "test", ("predicted",))
            said.setdefault(run.recipe, []).append(answers["predicted"])
            right.setdefault(run.recipe, []).append(kind.right(test, answers))
    if len(said) < 2:
        return []
    right_RN = np.array([np.mean(seeds, axis=0) for seeds in right.values()])
    spread = right_RN.var(axis=0)
    chosen = [number for number in np.argsort(-spread, kind="stable")[:SHOWN].tolist() if spread[number] > 0]
    return [_told(number, task, said, right_RN) for number in chosen]


def _told(number: int, task: Task, said: dict[str, list[Column]], right_RN: Any) -> dict[str, Any]:
    kind, test = task.kind, task.test
    text = test.shown(number)
    names = task.names if test.collection is None else test.collection.ids
    agreed = {recipe: kind.agreed(seeds, number, names) for recipe, seeds in said.items()}
    return {
        "index": int(test.index[number]),
        "text": text[:LONGEST],
        "cut": max(0, len(text) - LONGEST),
        "gold": kind.shown(test.gold, number, names),
        "recipes": {
            recipe: {"said": words, "right": float(right_RN[place, number])} for place, (recipe, words) in enumerate(agreed.items())
        },
    }
