"""How precise a decoder's weights are on disk: between stages all is float32, and what a study hands over comes as its base did.

A decoder in half the room (bfloat16, as most are published, or float16) is worked on in float32, and rounded once, at the very end.
Encoders are small, and run on processors that are slow with half precision: they come in float32, whatever they were packed in.
"""

from collections.abc import Iterable
from pathlib import Path

from acclimate.files import atomic_file, read_json, write_json
from acclimate.modeling.base_files import BASE_DTYPE, CONFIG, HALVES, VECTORS, WEIGHTS, dtypes_in
from acclimate.modeling.embedding_form import EMBEDDING


def half_of(files: Iterable[Path]) -> str | None:
    """What all weights of a base are on disk, as config.json calls it, where that is half of float32; None where some are larger."""
    found = set().union(*(dtypes_in(file) for file in files if file.suffix == ".safetensors"))
    return HALVES.get(found.pop()) if len(found) == 1 else None


def in_base_dtype(folder: Path) -> str | None:
    """Round the weights of a model's folder to what its base has on disk, where that is half of float32; says to what.

    They stay as they are, and None comes back, where a model gives vectors of texts, for heads and indices belong to the very vectors, and
    where a weight is too large for float16.
    """
    config = read_json(folder / CONFIG)
    wanted = config.get(BASE_DTYPE)
    if wanted not in HALVES.values() or not {VECTORS, EMBEDDING}.isdisjoint(config):
        return None
    import torch
    from safetensors import safe_open
    from safetensors.torch import save_file

    dtype = getattr(torch, wanted)
    with safe_open(folder / WEIGHTS, framework="pt") as whole:
        rounded = {}
        for name in whole.keys():  # noqa: SIM118 - not a dict
            tensor = whole.get_tensor(name)  # one at a time: both precisions of a large model would not fit
            rounded[name] = tensor.to(dtype) if tensor.is_floating_point() else tensor
            if tensor.is_floating_point() and not bool(rounded[name].isfinite().all()):
                return None
    with atomic_file(folder / WEIGHTS) as temporary:
        save_file(rounded, temporary, metadata={"format": "pt"})
    write_json(folder / CONFIG, config | {"dtype": wanted})
    return str(wanted)
