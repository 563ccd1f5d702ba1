"""What stages that train adapters ask of a model, and say of it, before anything is spent."""

from typing import TYPE_CHECKING, Any

from acclimate.modeling.adapter_settings import AdapterTraining, Lora, check_four_bits, check_installed
from acclimate.stages.planned import BYTES, Sizes

if TYPE_CHECKING:
    from acclimate.modeling.adapters import Adapted

FORWARD_AND_BACK = 4 / 6  # of the operations of training all: gradients go through frozen weights, and are not taken of them


class Adapting:
    """What stages share whose `train` may be adapters."""

    train: Any

    @property
    def lora(self) -> Lora | None:
        """The adapters that it trains, if it does."""
        return self.train.lora if isinstance(self.train, AdapterTraining) else None


def adapters_of(lora: Lora, given: Sizes) -> "Adapted":
    """What the adapters of a model would be; torch is loaded for it, since what its modules are called is known nowhere else.

    Raises:
        MissingExtraError: peft is not installed.
        SettingsError: the model has no linear layer of a name among the targets, or four bits are asked for and cannot be had.
    """
    check_installed()
    from acclimate.modeling.adapters import planned

    assert given.source is not None
    if lora.bits is not None:
        import torch

        check_four_bits(torch.cuda.is_available(), given.family)
    return planned(lora, given.config, given.source.name)


def told_of_adapters(lora: Lora, given: Sizes, head: str = "") -> str:
    """How much of a model is trained; `head`: what else is, in words."""
    found = adapters_of(lora, given)
    share = 100 * found.parameters / max(1, given.body + given.embeddings)
    return (
        f"{lora.told()}: {found.parameters:,} weights beside {found.layers} linear layers are trained{head}, "
        f"{share:.2g} % of the model's {given.body + given.embeddings:,}, which are frozen"
    )


def adapter_bytes(lora: Lora, given: Sizes) -> int:
    """Of what such a stage leaves behind."""
    return BYTES * adapters_of(lora, given).parameters
