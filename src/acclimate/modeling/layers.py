"""The blocks of an architecture, whatever they are called there."""

from typing import Any

from torch import nn

PATHS = ("encoder.layer", "transformer.layer", "encoder.albert_layer_groups", "layers")


def layers_of(base: nn.Module) -> nn.ModuleList:
    """The one list of blocks of every supported base model; ALBERT's has one entry, which runs many times."""
    for path in PATHS:
        found: Any = base
        for name in path.split("."):
            found = getattr(found, name, None)
        if isinstance(found, nn.ModuleList):
            return found
    raise AssertionError(f"{type(base).__name__} has no list of layers where one was looked for")
