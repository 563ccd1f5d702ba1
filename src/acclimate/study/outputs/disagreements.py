"""The test texts on which a study's recipes disagree most: reading them says more than a score does."""

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acclimate.evaluation.predictions import read_predicted
from acclimate.study.outputs.outcomes import Outcomes, largest_budget
from acclimate.tasks.task import Split

SHOWN = 12  # texts
LONGEST = 600  # characters shown of a text


def disagreements(outcomes: Outcomes, test: Split, labels: tuple[str, ...], budgets: tuple[str, ...]) -> list[dict[str, Any]]:
    """At the largest budget, the texts whose share of right answers differs most between recipes.

    For each: `index` (its row in the file), `text` (cut, `cut` says how many characters are missing), `gold`, and by recipe what most of
    its seeds said (`said`) and the share of seeds that were right (`right`). Texts on which all agree are never among them.
    """
    largest = largest_budget(budgets)
    answers: dict[str, list[NDArray[np.int64]]] = {}
    for run in outcomes.plan.runs:
        if run.labels == largest and outcomes.error(run) is None:
            _, predicted = read_predicted(outcomes.store.path(run.end) / "predictions.parquet", "test")
            answers.setdefault(run.recipe, []).append(predicted)
    if len(answers) < 2:
        return []
    # [recipes, N] shares of seeds that are right
    right = np.array([np.mean([seed == test.labels for seed in seeds], axis=0) for seeds in answers.values()])
    spread = right.var(axis=0)
    chosen = [number for number in np.argsort(-spread, kind="stable")[:SHOWN].tolist() if spread[number] > 0]
    return [
        {
            "index": int(test.index[number]),
            "text": test.texts[number][:LONGEST],
            "cut": max(0, len(test.texts[number]) - LONGEST),
            "gold": labels[int(test.labels[number])],
            "recipes": {
                recipe: {"said": labels[_most(seeds, number)], "right": float(right[place, number])}
                for place, (recipe, seeds) in enumerate(answers.items())
            },
        }
        for number in chosen
    ]


def _most(seeds: list[NDArray[np.int64]], number: int) -> int:
    return Counter(int(seed[number]) for seed in seeds).most_common(1)[0][0]
