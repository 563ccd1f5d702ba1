"""Adapters beside the linear layers of a frozen model (LoRA: Hu et al. 2021), by peft: added, kept in its own format, and merged.

What a stage leaves behind is what it has learned, not a copy of the model: `adapter/` in peft's format, and in `rest.safetensors` what else
is not as its parent has it (a head). Of an adapter's files only numbers and settings of its matrices are read: safetensors, never pickles,
and never the classes or the places of models that peft's adapter_config.json can name.
"""

import json
import shutil
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import AutoConfig
from transformers.pytorch_utils import Conv1D

from acclimate.errors import ModelError, SettingsError, did_you_mean
from acclimate.files import canonical_json, read_json, write_json, write_text
from acclimate.modeling.adapter_settings import FOLDER, REST, Lora
from acclimate.modeling.architecture import Architecture, kind_of, untied
from acclimate.modeling.base_files import ADAPTER as SETTINGS
from acclimate.modeling.base_files import CONFIG
from acclimate.modeling.families import family_of
from acclimate.modeling.folder import CARRIED, HEAD, ModelFolder, composed, write_folder
from acclimate.modeling.four_bits import four_bit_names, to_four_bits
from acclimate.modeling.frozen_half import as_float32
from acclimate.modeling.heads import freeze, load_body
from acclimate.modeling.layers import layers_of
from acclimate.randomness import seed_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel

WEIGHTS = "adapter_model.safetensors"
GONE = "gone"  # in the metadata of `rest.safetensors`: names of the parent's tensors that are no more
OUTER = "base_model.model."  # what the names in peft's files begin with
MARK = ".lora_"  # in the names of all tensors of adapters
READ = ("r", "lora_alpha", "use_dora", "use_rslora", "fan_in_fan_out")  # of adapter_config.json, when an adapter is merged
INITS: Mapping[str, bool | str] = {"uniform": True, "gaussian": "gaussian", "orthogonal": "orthogonal"}
TASKS = {"classifier": "SEQ_CLS", "tagger": "TOKEN_CLS"}


class Adapted(NamedTuple):
    """What adapters of a model would be."""

    parameters: int
    layers: int
    """How many linear layers get one."""


def adaptable(model: "PreTrainedModel") -> dict[str, nn.Module]:
    """The linear layers inside a model's layers, not those of its embeddings and heads, by their path."""
    inside = {id(module) for module in layers_of(model.base_model).modules()}
    return {name: module for name, module in model.named_modules() if id(module) in inside and isinstance(module, nn.Linear | Conv1D)}


def targets_of(lora: Lora, names: Collection[str], called: str) -> list[str]:
    """The paths, of those in `names`, that get an adapter; `called` is what messages call the model.

    Raises:
        SettingsError: a target is none of them.
    """
    if lora.targets == "all":
        return list(names)
    # A path without what stands before the number of its layer, from each of its parts on: what may be written.
    ends = {".".join(parts[start:]): None for parts in map(_within_layer, names) for start in reversed(range(len(parts)))}
    for target in lora.targets:
        if not any(_is_end(target, name) for name in names):
            short = dict.fromkeys(name.rpartition(".")[2] for name in names)
            near = did_you_mean(target, list(ends))
            raise SettingsError(f"lora: targets: {called} has no linear layer {target!r} in its layers{near}; there are {', '.join(short)}")
    return [name for name in names if any(_is_end(target, name) for target in lora.targets)]


def _is_end(target: str, name: str) -> bool:
    return f".{name}".endswith(f".{target}")


def _within_layer(name: str) -> list[str]:
    parts = name.split(".")
    numbers = [place for place, part in enumerate(parts) if part.isdecimal()]
    return parts[numbers[-1] + 1 :] if numbers else parts


def planned(lora: Lora, config: Mapping[str, Any], called: str) -> Adapted:
    """What the adapters of a model of this config.json would be, without making it.

    Raises:
        SettingsError: a target is none of its linear layers.
    """
    shapes = _shapes(canonical_json(dict(config)))
    sizes = [shapes[name] for name in targets_of(lora, shapes, called)]
    return Adapted(sum(lora.rank * (inner + outer) + (outer if lora.dora else 0) for inner, outer in sizes), len(sizes))


@lru_cache(maxsize=16)
def _shapes(config: str) -> dict[str, tuple[int, int]]:
    # (inputs, outputs) of each linear layer; a plan asks for the same again and again.
    said = json.loads(config)
    model = Architecture(AutoConfig.for_model(said["model_type"]).from_dict(said)).on_meta("base")
    return {name: _sizes(module) for name, module in adaptable(model).items()}


def _sizes(module: nn.Module) -> tuple[int, int]:
    rows, columns = cast("Tensor", module.weight).shape
    return (rows, columns) if isinstance(module, Conv1D) else (columns, rows)


def add_adapters(model: "PreTrainedModel", lora: Lora, seed: int, head: bool) -> None:
    """Put adapters into a model, in place, and leave them trainable alone, or with the `head` that stands over the body.

    Raises:
        SettingsError: a target is none of the model's linear layers.
    """
    from peft import inject_adapter_in_model

    linear = adaptable(model)
    names = targets_of(lora, linear, f"this {model.config.model_type}")
    if head:
        freeze(model, "head")
    else:
        model.requires_grad_(False)
    learned = [parameter for parameter in model.parameters() if parameter.requires_grad]
    settings = _settings(lora, names, isinstance(linear[names[0]], Conv1D))
    if lora.bits is not None:
        linear = to_four_bits(model, linear)
    # The library makes adapters as precise as what they stand beside; they are trained, and so float32.
    with torch.random.fork_rng(devices=[]), as_float32(linear[name] for name in names):
        torch.manual_seed(seed_of(seed, "adapters"))
        inject_adapter_in_model(settings, model)  # which freezes all else
    for parameter in learned:
        parameter.requires_grad_(True)


def _settings(lora: Lora, names: Sequence[str], transposed: bool) -> Any:
    from peft import LoraConfig

    alpha: Any = lora.scale_alpha  # which need not be whole
    init: Any = INITS[lora.init]
    return LoraConfig(
        r=lora.rank,
        lora_alpha=alpha,
        lora_dropout=lora.dropout,
        target_modules=list(names),
        use_dora=lora.dora,
        use_rslora=lora.rslora,
        init_lora_weights=init,
        fan_in_fan_out=transposed,
    )


def save_adapter(output: Path, parent: ModelFolder, model: "PreTrainedModel", told: str, **facts: Any) -> None:
    """Write what a model with adapters has learned: `merge_adapter` makes a whole folder of it and its parent.

    `told` is what the adapter's card says of where it comes from; `facts` are those of `save_model`.
    """
    from peft import get_peft_model_state_dict

    own = _others(model, parent)
    config, tensors = composed(parent, model, own, **facts)
    write_json(output / CONFIG, config | {"architectures": [type(model).__name__]})
    rest = {name: tensor for name, tensor in tensors.items() if name in own or name not in parent.names}
    # One entry alone: of several the library writes any first.
    save_file(_on_cpu(rest), output / REST, metadata={GONE: " ".join(sorted(parent.names - tensors.keys()))})
    heads = _learned_heads(model)
    learned = {name: tensor for name, tensor in own.items() if name.startswith(tuple(f"{head}." for head in heads))}
    adapters = get_peft_model_state_dict(model, save_embedding_layers=False)
    place = output / FOLDER
    place.mkdir(exist_ok=True)
    save_file(_on_cpu({f"{OUTER}{name}": each for name, each in (adapters | learned).items()}), place / WEIGHTS, metadata={"format": "pt"})
    said = _said(model, heads, sorted({name.rpartition(MARK)[0] for name in adapters}))
    write_json(place / SETTINGS, said)
    write_text(place / "README.md", _card(said, model, told))


def merge_adapter(folder: Path, parent: ModelFolder, output: Path) -> ModelFolder:
    """Write the whole model of what `save_adapter` wrote and its parent: the adapters' products are added to the weights, in float32.

    Raises:
        ModelError: the adapter does not belong to this parent, or is damaged.
    """
    config, prefix = read_json(folder / CONFIG), parent.architecture.prefix
    with safe_open(folder / REST, framework="pt") as file:
        gone = (file.metadata() or {}).get(GONE, "").split()
    body = load_body(parent, None)
    tensors = {name: tensor for name, tensor in parent.tensors().items() if name not in gone} | load_file(folder / REST)
    tensors |= {f"{prefix}{name}": weight for name, weight in _merged(body, folder / FOLDER, f"{OUTER}{prefix}").items()}
    write_folder(output, parent.path, config, tensors, config["architectures"][0], parent.architecture)
    shutil.copytree(folder / FOLDER, output / FOLDER)
    return ModelFolder(output)


def _merged(body: "PreTrainedModel", place: Path, prefix: str) -> dict[str, Tensor]:
    """The weights of a body that adapters change, with what these add."""
    from peft import LoraConfig, inject_adapter_in_model, set_peft_model_state_dict
    from peft.tuners.lora import LoraLayer

    found = {name.removeprefix(prefix): each for name, each in load_file(place / WEIGHTS).items() if MARK in name}
    paths = sorted({name.rpartition(MARK)[0] for name in found})
    # Of the file the numbers alone: which class peft would make, or what it would load, is not for a file to say.
    said = {name: value for name, value in read_json(place / SETTINGS).items() if name in READ}
    with torch.random.fork_rng(devices=[]):  # what it draws is filled
        inject_adapter_in_model(LoraConfig(**said, target_modules=paths), body)
    outcome: Any = set_peft_model_state_dict(body, found)
    lost = [*outcome.unexpected_keys, *(name for name in outcome.missing_keys if MARK in name)]
    if lost:
        raise ModelError(f"{place}: the adapter does not belong to this model ({lost[0]})")
    weights = {}
    for name, module in body.named_modules():
        if isinstance(module, LoraLayer):
            layer: Any = module
            layer.merge(safe_merge=True)
            weights[f"{name}.weight"] = layer.get_base_layer().weight.detach()
    return weights


def _others(model: "PreTrainedModel", parent: ModelFolder) -> dict[str, Tensor]:
    """The tensors of a model that are neither an adapter's nor frozen ones which its parent has under the same name."""
    carried = f"{CARRIED}{kind_of(model)}."
    parameters = dict(model.named_parameters(remove_duplicate=False))
    rounded, found = four_bit_names(model), {}
    for inner, tensor in untied(model).items():
        if rounded and inner.startswith(rounded) and MARK not in inner:
            continue
        name = inner.replace(".base_layer.", ".")
        learned = inner in parameters and parameters[inner].requires_grad
        if MARK not in inner and (learned or name not in parent.names or f"{carried}{name}" in parent.names):
            found[name] = tensor
    return found


def _learned_heads(model: "PreTrainedModel") -> list[str]:
    """The paths of what peft keeps beside adapters (`modules_to_save`): heads of transformers' own, and what of the body goes with them."""
    if kind_of(model) == "mlm" or getattr(model.config, HEAD, None):
        return []  # plain transformers would give a base no such head: it stands in the merged model alone
    body, above = f"{model.base_model_prefix}.", family_of(model.config).above
    names = [name for name, each in model.named_parameters() if each.requires_grad and MARK not in name]
    inner = [f"{body}{part}" for part in above if any(name.startswith(f"{body}{part}.") for name in names)]
    return [*dict.fromkeys(name.partition(".")[0] for name in names if not name.startswith(body)), *inner]


def _said(model: "PreTrainedModel", heads: Sequence[str], paths: Sequence[str]) -> dict[str, Any]:
    """What stands in adapter_config.json: each path with an adapter in one order, so that the same training writes the same bytes."""
    settings: Any = model.peft_config["default"]  # which may name them shorter, in an order of its own
    own = {"target_modules": list(paths), "modules_to_save": list(heads) or None, "inference_mode": True}
    said = settings.to_dict() | own | {"task_type": TASKS[kind_of(model)] if heads else None}
    return {name: sorted(value) if isinstance(value, set) else value for name, value in sorted(said.items())}


def _card(said: Mapping[str, Any], model: "PreTrainedModel", told: str) -> str:
    heads, class_name = said["modules_to_save"] or (), type(model).__name__
    labels = f", num_labels={model.config.num_labels}" if heads else ""
    besides = f" `{'`, `'.join(heads)}` were trained whole, and are in it, too." if heads else ""
    return f"""---
library_name: peft
tags:
- lora
- acclimate
---

# An adapter of rank {said["r"]}

Made by acclimate ({" ".join(told.split())}): low-rank matrices beside {len(said["target_modules"])} linear layers
(LoRA: Hu et al. 2021), alpha {said["lora_alpha"]:g}.{besides}

It belongs to the weights beside which it was trained, and to no others: those of the model that its stage began with. The folder around
this one is both, merged.

```python
from peft import PeftModel
from transformers import {class_name}

base = {class_name}.from_pretrained(BASE{labels})
model = PeftModel.from_pretrained(base, "adapter")
```
"""


def _on_cpu(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
