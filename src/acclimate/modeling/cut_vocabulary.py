"""A model whose vocabulary is cut: the rows of the entries that stay, in everything that has a row for each entry.

Nothing else changes, so the hidden states of a text that needs no lost entry are what they were, and so are the logits of the entries that
stayed (Abdaoui et al. 2020 cut multilingual BERT to single languages like this).
"""

from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from acclimate.data.ragged import IntArray
from acclimate.errors import ModelError
from acclimate.files import read_json, write_json
from acclimate.modeling.architecture import Architecture, Kind, quiet, untied
from acclimate.modeling.base_files import TOKENIZER, TOKENIZER_CONFIG
from acclimate.modeling.folder import CARRIED, ModelFolder, write_weights

KINDS: tuple[Kind, ...] = ("mlm", "classifier", "tagger")
ADDED_TOKENS, SPECIAL_TOKENS, ADDED_IN_CONFIG = "added_tokens.json", "special_tokens_map.json", "added_tokens_decoder"


def named_ids(folder: ModelFolder) -> set[int]:
    """The ids that the model and plain transformers know by name (padding, mask, ...), which must not be lost.

    Raises:
        ModelError: plain transformers cannot read the folder's tokenizer.
    """
    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(folder.path, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{folder.path}: plain transformers cannot read this tokenizer ({error}), so it cannot be cut safely") from error
    ids = _config_ids(folder.architecture)
    found = _flat(ids)
    if folder.family.shifted_positions:
        # Positions count from the padding's id, so that must stay where it is.
        found |= set(range(ids.get("pad_token_id", 0) + 1))
    return found | set(tokenizer.all_special_ids) | set(tokenizer.added_tokens_decoder)


def vocabulary_axes(architecture: Architecture) -> dict[str, int]:
    """The tensors that have a row for each entry of the vocabulary, by name, with the axis on which they have it."""
    other = deepcopy(architecture.config)
    other.vocab_size += 1
    axes = {}
    for kind in KINDS:
        # What changes its shape with the size of the vocabulary: whatever an architecture calls its parts, none is forgotten.
        shapes = {name: tensor.shape for name, tensor in untied(architecture.on_meta(kind)).items()}
        for name, tensor in untied(Architecture(other).on_meta(kind)).items():
            changed = [axis for axis, (one, two) in enumerate(zip(shapes[name], tensor.shape, strict=True)) if one != two]
            if changed:
                (axes[name],) = changed
    return axes


def cut_vocabulary(parent: ModelFolder, kept: IntArray, tokenizer: Tokenizer, output: Path) -> ModelFolder:
    """Write the parent with the entries `kept` [V'] of its vocabulary alone: the row `kept[i]` becomes row i.

    `tokenizer` is numbered like this already. Vocabulary files beside tokenizer.json are left out: it says all that they say, and a
    sentencepiece model cannot be cut. Rows without an entry go, too, unless the configuration names them: those come last.

    Raises:
        ModelError: the model counts positions from the padding's id, and that would change.
    """
    architecture = parent.architecture
    known = set(parent.tokenizer().get_vocab(with_added_tokens=True).values())
    old_rows = [*kept.tolist(), *sorted(_flat(_config_ids(architecture)) - known)]
    new = {old: number for number, old in enumerate(old_rows)}
    ids = {
        name: [new.get(each, each) for each in value] if isinstance(value, list) else new.get(value, value)
        for name, value in _config_ids(architecture).items()
    }
    padding = architecture.config.pad_token_id
    if parent.family.shifted_positions and ids.get("pad_token_id", padding) != padding:
        raise ModelError("the padding's id would change, from which this model counts its positions; nothing is cut")
    rows = torch.tensor(old_rows)
    axes = vocabulary_axes(architecture)
    tensors = {}
    for name, tensor in parent.tensors().items():
        axis = axes.get(_bare(name))
        tensors[name] = tensor if axis is None else tensor.index_select(axis, rows)
    output.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(output / TOKENIZER))
    _write_sidecars(parent.path, output, new)
    config = parent.config | ids | {"vocab_size": len(old_rows)}
    write_weights(output, config, tensors, str(parent.config["architectures"][0]))
    return ModelFolder(output)


def _bare(name: str) -> str:
    for kind in KINDS:
        name = name.removeprefix(f"{CARRIED}{kind}.")
    return name


def _config_ids(architecture: Architecture) -> dict[str, Any]:
    # The class's own defaults are among them: config.json need not say where padding is.
    values: dict[str, Any] = architecture.config.to_dict()
    rows = range(architecture.config.vocab_size)  # ids beyond it point to nothing before and after
    ids = {name: value for name, value in values.items() if name.endswith("_token_id") and value is not None}
    return {name: value for name, value in ids.items() if all(each in rows for each in (value if isinstance(value, list) else [value]))}


def _flat(ids: dict[str, Any]) -> set[int]:
    return {number for value in ids.values() for number in (value if isinstance(value, list) else [value])}


def _write_sidecars(parent: Path, output: Path, new: dict[int, int]) -> None:
    if (parent / TOKENIZER_CONFIG).is_file():
        config = read_json(parent / TOKENIZER_CONFIG)
        if ADDED_IN_CONFIG in config:
            added = config[ADDED_IN_CONFIG].items()
            config[ADDED_IN_CONFIG] = {str(new[int(old)]): token for old, token in added if int(old) in new}
        write_json(output / TOKENIZER_CONFIG, config)
    if (parent / ADDED_TOKENS).is_file():
        added = read_json(parent / ADDED_TOKENS).items()
        write_json(output / ADDED_TOKENS, {token: new[old] for token, old in added if old in new})
    if (parent / SPECIAL_TOKENS).is_file():
        write_json(output / SPECIAL_TOKENS, read_json(parent / SPECIAL_TOKENS))
