"""The loss that a stage trains by: the one that its settings name, or the usual one of the kind of task."""

from collections.abc import Callable, Mapping

from acclimate.objectives.class_weights import ClassWeights, class_weights, counted
from acclimate.objectives.loss_settings import LossSettings
from acclimate.objectives.losses.loss import Given, Loss
from acclimate.tasks.kind import Head
from acclimate.tasks.split import Split


def chosen_loss(
    losses: Mapping[str, Callable[[Given], Loss]], choice: LossSettings | None, weights: ClassWeights, head: Head, train: Split
) -> Loss:
    """One of `losses`, with weights and counts of the training examples."""
    counts, examples = counted(train.gold, train.names)
    name = head.losses[0] if choice is None else choice.loss
    return losses[name](Given(head, class_weights(weights, train.gold, train.names), counts, examples, choice))
