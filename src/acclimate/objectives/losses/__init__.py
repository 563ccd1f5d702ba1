"""The losses of labelled training, all in one place, each made from what is `Given`. A new one is one file and one line."""

from collections.abc import Callable

from acclimate.objectives.loss_settings import OWN
from acclimate.objectives.losses.cross_entropy import CrossEntropy
from acclimate.objectives.losses.dice import Dice
from acclimate.objectives.losses.focal import Focal
from acclimate.objectives.losses.label_smoothing import LabelSmoothing
from acclimate.objectives.losses.logit_adjustment import LogitAdjustment
from acclimate.objectives.losses.loss import Given, Loss
from acclimate.objectives.losses.of_names import of_names
from acclimate.objectives.losses.own import Own
from acclimate.objectives.losses.squared_error import SquaredError

LOSSES: dict[str, Callable[[Given], Loss]] = {
    "cross_entropy": of_names(CrossEntropy.of),
    "focal": of_names(Focal.of),
    "label_smoothing": of_names(LabelSmoothing.of),
    "logit_adjustment": of_names(LogitAdjustment.of),
    "dice": of_names(Dice.of),
    OWN: of_names(Own.of),
    "squared_error": lambda _: SquaredError(),  # a number has no name that could weigh more
}
