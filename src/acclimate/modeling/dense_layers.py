"""The dense layers that a folder of sentence-transformers puts over pooled states, as the one layer of our own form."""

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from acclimate.errors import ModelError
from acclimate.modeling.embedding_form import DENSE
from acclimate.modeling.sentence_modules import SentenceModules


def dense_weights(base: str, modules: SentenceModules, width: int) -> dict[str, Tensor]:
    """Weight [E, D] and bias [E] over states of this `width` D, under the names that they have here; empty where there is no such layer.

    Several linear layers are one, their product; only the last may have another activation.

    Raises:
        ModelError: a file is none, or the layers do not fit each other.
    """
    weight_ED, bias_E, before = torch.eye(0), torch.zeros(0), width
    for file in modules.layers:
        where = f"base {base}: {file.parent.name}/{file.name}"
        try:
            tensors = load_file(file)
        except (SafetensorError, OSError) as error:
            raise ModelError(f"{where}: not a safetensors file ({error}); the download may be incomplete") from error
        if tensors.keys() - {"linear.weight", "linear.bias"} or "linear.weight" not in tensors:
            raise ModelError(f"{where}: holds {', '.join(sorted(tensors))}, where linear.weight and linear.bias were expected")
        # In double precision: of a product nothing is lost that shows in float32.
        weight = tensors["linear.weight"].double()
        bias = tensors["linear.bias"].double() if "linear.bias" in tensors else torch.zeros(len(weight), dtype=torch.float64)
        if weight.ndim != 2 or bias.shape != (len(weight),) or weight.shape[1] != before:
            raise ModelError(f"{where}: its weight {list(weight.shape)} and bias {list(bias.shape)} do not fit what stands before them")
        first = file == modules.layers[0]
        weight_ED, bias_E = (weight, bias) if first else (weight @ weight_ED, weight @ bias_E + bias)
        before = len(weight)
    if not modules.layers:
        return {}
    if len(weight_ED) != modules.form.dense:
        raise ModelError(f"base {base}: its last dense layer is {len(weight_ED)} wide, and {modules.form.dense} in its config.json")
    return {f"{DENSE}.weight": weight_ED.float(), f"{DENSE}.bias": bias_E.float()}
