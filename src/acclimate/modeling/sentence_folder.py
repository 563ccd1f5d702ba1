"""What makes a model's folder one of sentence-transformers: `SentenceTransformer(path)` then gives the same vectors.

Written as its second version already read it, so that no version in use is too old for it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

from acclimate.files import write_json
from acclimate.modeling.embedding_form import DENSE, EMBEDDING, POOLINGS, EmbeddingForm
from acclimate.modeling.families import dimensions_of
from acclimate.modeling.longest import LONGEST_DEFAULT, longest
from acclimate.modeling.sentence_modules import MODULES, PROMPTS

READING = "sentence_bert_config.json"
CLASSES = "sentence_transformers.models."
COLUMNS = {"mean": "mean_tokens", "cls": "cls_token", "max": "max_tokens"}
ACTIVATIONS = {"identity": "torch.nn.modules.linear.Identity", "tanh": "torch.nn.modules.activation.Tanh"}


def write_sentence_folder(output: Path, config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Write, beside a model's own files, those of sentence-transformers; nothing where `config` names no embedding form."""
    if EMBEDDING not in config:
        return
    form, width = EmbeddingForm.of(config), dimensions_of(config).width
    pooling = {"word_embedding_dimension": width, **{f"pooling_mode_{COLUMNS[each]}": each == form.pooling for each in POOLINGS}}
    modules: list[tuple[str, dict[str, Any]]] = [("Transformer", {}), ("Pooling", pooling)]
    if form.dense is not None:
        activation = ACTIVATIONS[form.activation]
        modules.append(("Dense", {"in_features": width, "out_features": form.dense, "bias": True, "activation_function": activation}))
    if form.normalize:
        modules.append(("Normalize", {}))
    listed = []
    for number, (name, settings) in enumerate(modules):
        path = f"{number}_{name}" if number else ""  # the first is the folder itself
        listed.append({"idx": number, "name": str(number), "path": path, "type": CLASSES + name})
        if path:
            (output / path).mkdir(exist_ok=True)
            write_json(output / path / "config.json", settings)
        if name == "Dense":
            layer = {f"linear.{part}": tensors[f"{DENSE}.{part}"].detach().cpu().float().contiguous() for part in ("weight", "bias")}
            save_file(layer, output / path / "model.safetensors", metadata={"format": "pt"})
    write_json(output / MODULES, listed)
    prompts = {"prompts": form.prompts.model_dump(), "default_prompt_name": None, "similarity_fn_name": "cosine"}
    write_json(output / PROMPTS, prompts)
    length = form.max_length or min(longest(dict(config)), LONGEST_DEFAULT)
    write_json(output / READING, {"max_seq_length": length, "do_lower_case": False})
