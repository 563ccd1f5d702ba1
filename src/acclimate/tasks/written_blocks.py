"""What is told of a model that writes answers: those that are furthest from what is right, and how long they are."""

from collections.abc import Mapping

import numpy as np

from acclimate.tasks.blocks import Examples, shortened
from acclimate.tasks.kind import Judged

SHOWN = 8  # prompts with the least in common


def furthest(judged: Judged) -> Examples | None:
    """The prompts whose answers share fewest words with what is right, in the mean of the seeds; the first seed's answer is shown."""
    if not judged.answers or not len(judged.split):
        return None
    shared = np.mean([np.asarray(answers["token_f1"], dtype=np.float64) for answers in judged.answers], axis=0)
    said, gold = judged.answers[0]["predicted"], judged.split.gold
    items: list[Mapping[str, str | float]] = [
        {
            "prompt": shortened(judged.split.inputs[0][row]),
            "right is": shortened(str(gold[row])),
            "the model writes": shortened(str(said[row])) or "(nothing)",
            "token F1": round(float(shared[row]), 3),
        }
        for row in np.argsort(shared, kind="stable")[:SHOWN].tolist()
    ]
    return Examples("The answers that are furthest off", tuple(items))


TOLD = (furthest,)
