"""The blocks of an architecture, whatever they are called there."""

from torch import nn

from acclimate.modeling.families import family_of


def layers_of(base: nn.Module) -> nn.ModuleList:
    """The one list of blocks of a base model; where layers are shared it has one entry, which runs many times."""
    found = base.get_submodule(family_of(base.config).layers)
    assert isinstance(found, nn.ModuleList)
    return found
