"""A kind of task: classes that have an order, of which a near one is less wrong than a far one."""

from collections.abc import Callable
from typing import ClassVar, Literal

import numpy as np

from acclimate.tasks.blocks import Block, Table
from acclimate.tasks.classify import Classify
from acclimate.tasks.kind import Judged
from acclimate.tasks.metrics.classes import METRICS
from acclimate.tasks.metrics.metric import Metric, mean_of


def _distances(split, answers):
    return np.abs(np.asarray(split.gold) - np.asarray(answers["predicted"])).astype(float)


def _far(judged: Judged) -> Block | None:
    counts = np.bincount(np.concatenate([_distances(judged.split, answers) for answers in judged.answers]).astype(int))
    return Table("How far from the right grade", ("distance", "answers"), tuple((str(far), int(count)) for far, count in enumerate(counts)))


class Grades(Classify):
    """One of several grades for a text."""

    kind: Literal["grades"] = "grades"
    """What is to be learned: `grades` gives one of several ordered labels to a text."""

    traced: ClassVar[bool] = True
    metrics: ClassVar[tuple[Metric, ...]] = (mean_of("distance", "distance in grades", _distances, better="lower", span=2.0), *METRICS)
    blocks: ClassVar[tuple[Callable[[Judged], Block | None], ...]] = (_far,)
    card: ClassVar[tuple[str, str]] = ("text-classification", "gives a text a grade")
