"""Frozen weights in four bits while adapters beside them are trained (QLoRA: Dettmers et al. 2023), by bitsandbytes, on a GPU.

A linear layer becomes one of bitsandbytes' as peft expects it: nf4, blocks of 64, their scales quantised once more. It is rounded when it
is moved to the device. Embeddings, norms and heads stay as they are.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

TYPE = "nf4"
MARK = "is_loaded_in_4bit"  # of a model: by it peft knows that its linear layers are bitsandbytes' own


def to_four_bits(model: nn.Module, linear: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
    """Put bitsandbytes' layers in the place of a model's `linear` ones, by their paths, and say which; they are not trained."""
    import bitsandbytes

    made: dict[str, nn.Module] = {}
    for name, module in linear.items():
        assert isinstance(module, nn.Linear), "refused by the plan"
        with torch.device("meta"):  # its own weights are never looked at
            new = bitsandbytes.nn.Linear4bit(
                module.in_features, module.out_features, module.bias is not None, quant_type=TYPE, compress_statistics=True
            )
        data = module.weight.detach()
        new.weight = bitsandbytes.nn.Params4bit(data, requires_grad=False, quant_type=TYPE, compress_statistics=True, module=new)
        new.bias = None if module.bias is None else nn.Parameter(module.bias.detach(), requires_grad=False)
        model.set_submodule(name, new)
        made[name] = new
    setattr(model, MARK, True)
    return made


def in_four_bits(model: nn.Module) -> bool:
    """Whether its linear layers are in four bits."""
    return bool(getattr(model, MARK, False))


def four_bit_names(model: nn.Module) -> tuple[str, ...]:
    """What the names of all tensors of layers in four bits begin with: codes, scales and tables, which belong to nobody but the layer."""
    return tuple(f"{name}." for name, module in model.named_modules() if hasattr(module, "quant_state"))


def numbers_in(parameter: Tensor) -> int:
    """How many weights a parameter holds: in four bits there are two in a byte."""
    state: Any = getattr(parameter, "quant_state", None)
    return parameter.numel() if state is None else int(torch.Size(state.shape).numel())
