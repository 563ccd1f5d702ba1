"""A smaller model made of some of a model's layers, as students are often begun (Sanh et al. 2019)."""

import re
from pathlib import Path
from typing import Any

from acclimate.modeling.families import Family
from acclimate.modeling.folder import ModelFolder, save_changed


def cut_layers(parent: ModelFolder, keep: tuple[int, ...], output: Path) -> ModelFolder:
    """`parent` with the layers `keep` alone (ascending, counted from 0 at the embeddings); everything else it carries stays.

    An architecture whose layers are one runs it that many times.
    """
    family = parent.family
    config = family.with_layers(parent.config, len(keep))
    for name in family.per_layer:
        entries: list[Any] = getattr(parent.architecture.config, name)
        config[name] = [entries[number] for number in keep]
    tensors = parent.tensors()
    if not family.shares_layers:
        renamed = {name: _renamed(name, keep, family) for name in tensors}
        tensors = {new: tensors[name] for name, new in renamed.items() if new is not None}
    return save_changed(output, parent, config, tensors)


def _renamed(name: str, keep: tuple[int, ...], family: Family) -> str | None:
    heads = "|".join(map(re.escape, family.learned_heads))
    layer = rf"(?!{heads})(?P<before>.*?\b{re.escape(family.layers)}\.)(?P<number>\d+)(?P<after>\..*)"
    found = re.fullmatch(layer, name)
    if found is None:
        return name
    number = int(found["number"])
    return f"{found['before']}{keep.index(number)}{found['after']}" if number in keep else None
