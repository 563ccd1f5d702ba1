"""A smaller model made of some of a model's layers, as students are often begun (Sanh et al. 2019)."""

import re
from pathlib import Path
from typing import Any

from acclimate.modeling.families import ONE_LAYER
from acclimate.modeling.folder import ModelFolder, save_changed
from acclimate.modeling.layers import PATHS

_LAYER = re.compile(rf"(?!classifier\.)(?P<before>.*?\b(?:{'|'.join(map(re.escape, PATHS))})\.)(?P<number>\d+)(?P<after>\..*)")


def cut_layers(parent: ModelFolder, keep: tuple[int, ...], output: Path) -> ModelFolder:
    """`parent` with the layers `keep` alone (ascending, counted from 0 at the embeddings); everything else it carries stays.

    An architecture whose layers are one (ALBERT) runs it that many times.
    """
    config = dict(parent.config)
    config["n_layers" if "n_layers" in config else "num_hidden_layers"] = len(keep)
    # ModernBERT's layers take turns: each kept one stays what it was.
    kinds: list[Any] | None = getattr(parent.architecture.config, "layer_types", None)
    if kinds:
        config["layer_types"] = [kinds[number] for number in keep]
    tensors = parent.tensors()
    if config["model_type"] not in ONE_LAYER:
        renamed = {name: _renamed(name, keep) for name in tensors}
        tensors = {new: tensors[name] for name, new in renamed.items() if new is not None}
    return save_changed(output, parent, config, tensors)


def _renamed(name: str, keep: tuple[int, ...]) -> str | None:
    found = _LAYER.fullmatch(name)
    if found is None:
        return name
    number = int(found["number"])
    return f"{found['before']}{keep.index(number)}{found['after']}" if number in keep else None
