"""AdamW's parameter groups: who has weight decay, and whose learning rate is smaller."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from torch import nn

from acclimate.modeling.heads import layer_groups
from acclimate.training.loop import Group

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def decayed(model: "PreTrainedModel", weight_decay: float, layer_decay: float = 1.0) -> list[Group]:
    """The trainable parameters of a transformer.

    Biases and norms have no weight decay; each layer down from the head has `layer_decay` times the learning rate of the one above
    (Howard & Ruder 2018; Clark et al. 2020).
    """
    groups = []
    for depth, layer in enumerate(layer_groups(model)):
        groups += in_two((parameter for parameter in layer if parameter.requires_grad), weight_decay, layer_decay**depth)
    assert sum(len(group.parameters) for group in groups) == sum(p.requires_grad for p in model.parameters())
    return groups


def in_two(parameters: Iterable[nn.Parameter], weight_decay: float, scale: float = 1.0) -> list[Group]:
    """Matrices with weight decay, biases and norms without; all at `scale` times the learning rate."""
    every = list(parameters)
    return [Group([p for p in every if p.ndim > 1], scale, weight_decay), Group([p for p in every if p.ndim <= 1], scale, 0.0)]
