"""What is told of a model that writes answers: those that are furthest from what is right, and how long they are."""

from collections.abc import Mapping

import numpy as np

from acclimate.tasks.blocks import Examples
from acclimate.tasks.kind import Judged

SHOWN = 8  # prompts with the least in common
LONGEST = 300  # characters of a text


def furthest(judged: Judged) -> Examples | None:
    """The prompts whose answers share fewest words with what is right, in the mean of the seeds; the first seed's answer is shown."""
    if not judged.answers or not len(judged.split):
        return None
    shared = np.mean([np.asarray(answers["token_f1"], dtype=np.float64) for answers in judged.answers], axis=0)
    said, gold = judged.answers[0]["predicted"], judged.split.gold
    items: list[Mapping[str, str | float]] = [
        {
            "prompt": cut(judged.split.inputs[0][row]),
            "right is": cut(str(gold[row])),
            "the model writes": cut(str(said[row])) or "(nothing)",
            "token F1": round(float(shared[row]), 3),
        }
        for row in np.argsort(shared, kind="stable")[:SHOWN].tolist()
    ]
    return Examples("The answers that are furthest off", tuple(items))


def cut(text: str) -> str:
    """The beginning of a long text, and how much more there is."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} ... ({len(text) - LONGEST:,} characters more)"


TOLD = (furthest,)
