"""A score: the probability that is given to the right class."""

from typing import ClassVar

import numpy as np

from acclimate.tasks.classify import Classify
from acclimate.tasks.metrics.metric import Metric, mean_of


def _right(split, answers):
    return np.asarray(answers["probabilities"])[np.arange(len(split)), np.asarray(split.gold)]


SURENESS = mean_of("sureness", "probability of the right class", _right, reads=("predicted", "probabilities"))


class Sure(Classify):
    """Classification as it is, with one score more."""

    metrics: ClassVar[tuple[Metric, ...]] = (*Classify.metrics, SURENESS)
