"""The first folder of a chain: a base brought into the one form, or its architecture with fresh weights."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from acclimate.errors import ModelError, first_line
from acclimate.modeling.architecture import Architecture, Kind, auto_class, quiet, untied
from acclimate.modeling.base_dtype import half_of
from acclimate.modeling.base_files import BASE_DTYPE, CONFIG, alone
from acclimate.modeling.dense_layers import dense_weights
from acclimate.modeling.embedding_form import EMBEDDING, EmbeddingForm
from acclimate.modeling.families import dimensions_of, family_of
from acclimate.modeling.folder import ModelFolder, without_labels, write_folder
from acclimate.modeling.source import Source
from acclimate.randomness import seed_of


def import_base(source: Source, output: Path) -> ModelFolder:
    """Bring a base into the one form: float32, or a decoder's half precision as it is, names with the body's prefix, tokenizer without
    padding and truncation.

    Kept are the body, a pooler and an MLM head where the base really has them; a classifier is dropped. Nothing is invented here: what is
    missing is drawn from the run's seed by the stage that needs it.

    Raises:
        ModelError: weights of the body are missing, are not finite, or do not fit the configuration.
    """
    config = _own(source)
    with alone(source.files, config, output.parent) as folder:
        return _import(source, folder, config, output)


def _own(source: Source) -> dict[str, Any]:
    # What the weights are is looked up: a file that was handed over may have been written anew in another precision since.
    return {name: value for name, value in without_labels(source.config).items() if name != BASE_DTYPE}


def _import(source: Source, folder: Path, config: dict[str, Any], output: Path) -> ModelFolder:
    architecture = Architecture.of(folder, source.name)
    half = half_of(source.files) if family_of(config).decoder else None
    body, missing_in_mlm, unused = _read(source, folder, "mlm", half or "float32")
    prefix = architecture.prefix
    missing_in_body = sorted(name for name in missing_in_mlm if name.startswith(prefix))
    if missing_in_body:
        raise ModelError(
            f"base {source.name}: {len(missing_in_body)} tensors that a {source.config['model_type']} body needs are not in its weights, "
            f"e.g. {missing_in_body[0]}; the checkpoint is incomplete or of another model type"
        )
    _refuse_more_layers(source, unused)
    if missing_in_mlm and family_of(config).decoder:
        raise ModelError(
            f"base {source.name}: it is a decoder without a head that predicts words ({sorted(missing_in_mlm)[0]} is not in its weights); "
            "take the checkpoint that it was made of"
        )
    notes = []
    tensors = {name: tensor for name, tensor in body.items() if name.startswith(prefix)}
    if not missing_in_mlm:
        tensors |= body
    if architecture.pooler_names:
        whole, missing, _ = _read(source, folder, "base")
        if not any(prefix + name in architecture.pooler_names for name in missing):
            tensors |= {prefix + name: tensor for name, tensor in whole.items() if prefix + name in architecture.pooler_names}
    if any(name.startswith(family_of(config).learned_heads) for name in unused):
        notes.append("the base brings a classifier, which is left out: every recipe starts with a fresh one")
    if missing_in_mlm:
        # A head that pretraining makes is tied to the embeddings, whatever the lost one was.
        config = config | {"tie_word_embeddings": True}
    if half is not None:
        config = config | {BASE_DTYPE: half}
    if source.modules is not None:
        tensors |= dense_weights(source.name, source.modules, dimensions_of(config).width)
        notes += source.modules.notes
    refuse_infinite(source, tensors)
    write_folder(output, folder, config, tensors, architecture.class_name("base" if missing_in_mlm else "mlm"), architecture)
    return ModelFolder(output, tuple(notes))


def random_base(source: Source, output: Path, seed: int) -> ModelFolder:
    """The source's architecture with fresh weights (body, pooler and MLM head), drawn from the seed alone; the tokenizer is kept.

    Of a form of vectors its dense layer and what it was trained for go, too.
    """
    config = _own(source)
    if EMBEDDING in config:
        form = EmbeddingForm.of(config).model_copy(update={"dense": None, "activation": "identity", "dimensions": (), "trained": False})
        config |= {EMBEDDING: form.model_dump(mode="json")}
    with alone(source.files, config, output.parent) as folder:
        return _draw(Architecture.of(folder, source.name), folder, config, output, seed)


def _draw(architecture: Architecture, folder: Path, config: dict[str, Any], output: Path, seed: int) -> ModelFolder:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of(seed, "random base"))
        tensors = untied(architecture.build("mlm"))
        if architecture.pooler_names:
            whole = {architecture.prefix + name: tensor for name, tensor in untied(architecture.build("base")).items()}
            tensors |= {name: whole[name] for name in architecture.pooler_names}
    write_folder(output, folder, config, tensors, architecture.class_name("mlm"), architecture)
    return ModelFolder(output)


def refuse_infinite(source: Source, tensors: Mapping[str, Tensor]) -> None:
    """Refuse weights that are no numbers.

    Raises:
        ModelError: some are not finite.
    """
    # Here it is known whose fault it is; later it would look like a learning rate that is too high.
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool((whole := tensor.isfinite()).all()):
            raise ModelError(
                f"base {source.name}: {int((~whole).sum()):,} of the {tensor.numel():,} numbers of its weight {name} are not finite "
                "(NaN or infinite); the file is damaged, or was saved after a training that had failed"
            )


def _refuse_more_layers(source: Source, unused: set[str]) -> None:
    # Left-over heads are usual; left-over layers are a model that would be cut without a word.
    said = dimensions_of(source.config).layers
    layer = re.compile(rf"\b{re.escape(family_of(source.config).layers)}\.(?P<number>\d+)\.")
    beyond = sorted(name for name in unused if (found := layer.search(name)) and int(found["number"]) >= said)
    if beyond:
        raise ModelError(
            f"base {source.name}: its weights have more layers than the {said} of its {CONFIG} ({beyond[0]}); they do not belong "
            f"together — `base: {{layers_of: {source.name}, keep: {said}}}` makes a smaller model of the whole one"
        )


def _read(source: Source, folder: Path, kind: Kind, dtype: str = "float32") -> tuple[dict[str, Tensor], set[str], set[str]]:
    # (state without tied names, names that the checkpoint lacks, names that were not used). transformers knows every old spelling of names.
    with torch.random.fork_rng(devices=[]), quiet():
        try:
            model, info = auto_class(kind, source.config).from_pretrained(
                folder, dtype=getattr(torch, dtype), use_safetensors=True, trust_remote_code=False, local_files_only=True,
                output_loading_info=True,
            )  # fmt: skip
        except Exception as error:  # the files are somebody else's: whatever the library trips over is in them
            raise ModelError(f"base {source.name}: its weights do not fit its {CONFIG} ({first_line(error)})") from error
    state = untied(model)
    return state, {name for name in info["missing_keys"] if name in state}, set(info["unexpected_keys"])
