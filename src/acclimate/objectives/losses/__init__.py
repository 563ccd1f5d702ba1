"""The losses of labelled training, all in one place, each made from the weights of the names [L]. A new one is one file and one line."""

from collections.abc import Callable
from typing import Any

from acclimate.objectives.losses.binary_cross_entropy import BinaryCrossEntropy
from acclimate.objectives.losses.cross_entropy import CrossEntropy
from acclimate.objectives.losses.loss import Loss
from acclimate.objectives.losses.squared_error import SquaredError
from acclimate.objectives.losses.token_cross_entropy import TokenCrossEntropy

LOSSES: dict[str, Callable[[Any], Loss]] = {
    "cross_entropy": CrossEntropy,
    "binary_cross_entropy": BinaryCrossEntropy,
    "token_cross_entropy": TokenCrossEntropy,
    "squared_error": lambda _: SquaredError(),  # a number has no name that could weigh more
}
