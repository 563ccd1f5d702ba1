"""What a pretraining on words reads and is asked, of masked words and of next ones alike."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from torch import nn

from acclimate.evaluation.heldout_loss import Heldout
from acclimate.modeling.execution import Packed
from acclimate.stages.pretraining_steps import Steps
from acclimate.stages.pretraining_text import PretrainingText
from acclimate.training.loop import Objective

Learned_co = TypeVar("Learned_co", bound=Objective, covariant=True)


@dataclass(frozen=True)
class Reading(Generic[Learned_co]):
    """Text, in the vocabulary of a model, with what is learned of it."""

    text: PretrainingText
    special: int
    """Special tokens of a window."""
    asked_share: float
    """Of the tokens, for which the whole vocabulary is asked."""
    learned: Callable[[int], tuple[Learned_co, Steps]]
    """What is learned, in the order that a seed draws."""
    heldout: Callable[[int], Heldout]
    """What is held out, in forward passes of so many tokens."""
    network: Callable[[Packed], nn.Module]
    """What asks a model with its head for words."""
