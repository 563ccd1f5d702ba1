"""A loss of the table as tests need it, made without a task."""

from pathlib import Path

import numpy as np

from acclimate.objectives.loss_settings import OWN
from acclimate.objectives.losses import LOSSES
from acclimate.objectives.losses.loss import Given
from acclimate.stages.finetune import Finetune
from acclimate.tasks.kind import OF_NAMES, Head

TOYS = Path(__file__).parents[1] / "toys"
CHOICES = tuple("plain_loss:plain" if name == OWN else name for name in OF_NAMES)  # as a study says them
LINKS = {"class": ("sequence", "softmax"), "set": ("sequence", "sigmoid"), "tags": ("tokens", "softmax"), "number": ("sequence", "none")}


def given(weights, takes="class", choice=None, counts=None):
    """What a loss is made from: weights [L] of the names, and the choice of a loss as a study says it."""
    form, link = LINKS[takes]
    weights = np.asarray(weights, dtype=np.float64)
    counts = np.ones(len(weights)) if counts is None else np.asarray(counts, dtype=np.float64)
    names = tuple(f"name {number}" for number in range(len(weights)))
    return Given(Head(form, names, link, OF_NAMES), weights, counts, int(counts.sum()), Finetune(loss=choice).located(TOYS).loss)


def loss_of_names(choice, weights, takes="class", counts=None):
    """A loss of names, by a choice such as `focal` or `{"focal": {"gamma": 2}}`."""
    made = given(weights, takes, choice, counts)
    return LOSSES[made.settings.loss](made)
