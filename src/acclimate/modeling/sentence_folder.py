"""What makes a model's folder one of sentence-transformers: `SentenceTransformer(path)` then gives the same vectors.

Written as its second version already read it, so that no version in use is too old for it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

from acclimate.files import read_json, write_json
from acclimate.modeling.base_files import TOKENIZER, TOKENIZER_CONFIG, read_tokenizer
from acclimate.modeling.embedding_form import DENSE, EMBEDDING, POOLINGS, EmbeddingForm
from acclimate.modeling.families import dimensions_of, family_of
from acclimate.modeling.longest import LONGEST_DEFAULT, longest
from acclimate.modeling.sentence_modules import MODULES, PROMPTS

READING = "sentence_bert_config.json"
CLASSES = "sentence_transformers.models."
COLUMNS = {"mean": "mean_tokens", "cls": "cls_token", "max": "max_tokens", "last": "lasttoken"}
ADDED = ("last",)
"""Old versions read no word that they do not know: it stands there only where it is needed."""
ACTIVATIONS = {"identity": "torch.nn.modules.linear.Identity", "tanh": "torch.nn.modules.activation.Tanh"}


def write_sentence_folder(output: Path, config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Write, beside a model's own files, those of sentence-transformers; nothing where `config` names no embedding form."""
    if EMBEDDING not in config:
        return
    form, width = EmbeddingForm.of(config), dimensions_of(config).width
    columns = (each for each in POOLINGS if each == form.pooling or each not in ADDED)
    pooling = {"word_embedding_dimension": width, **{f"pooling_mode_{COLUMNS[each]}": each == form.pooling for each in columns}}
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
    if family_of(config).decoder:
        _write_padding(output, config)


def _write_padding(output: Path, config: Mapping[str, Any]) -> None:
    """Name a token that fills rows, where a decoder's tokenizer has none (GPT-2), for without one the library reads no two texts at once.

    It is the end of a text: which it is changes no vector, for nobody looks at it.
    """
    place, end = output / TOKENIZER_CONFIG, config.get("eos_token_id")
    said = read_json(place) if place.is_file() else {}
    end = end[0] if isinstance(end, list) and end else end
    if said.get("pad_token") is None and isinstance(end, int) and (output / TOKENIZER).is_file():
        token = read_tokenizer(output / TOKENIZER).id_to_token(end)
        if token is not None:
            write_json(place, {**said, "pad_token": token})
