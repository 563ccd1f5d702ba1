"""A model whose vocabulary is cut: the rows of the entries that stay, in everything that has a row for each entry.

Nothing else changes, so the hidden states of a text that needs no lost entry are what they were, and so are the logits of the entries that
stayed (Abdaoui et al. 2020 cut multilingual BERT to single languages like this).
"""

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from acclimate.data.ragged import IntArray
from acclimate.errors import ModelError
from acclimate.modeling.architecture import quiet
from acclimate.modeling.base_files import NEW_FROM, TOKENIZER
from acclimate.modeling.folder import ModelFolder, write_weights
from acclimate.modeling.vocabulary_rows import bare_name, config_ids, vocabulary_axes, write_sidecars


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
    ids = config_ids(folder.architecture)
    found = _flat(ids)
    if folder.family.shifted_positions:
        # Positions count from the padding's id, so that must stay where it is.
        found |= set(range(ids.get("pad_token_id", 0) + 1))
    return found | set(tokenizer.all_special_ids) | set(tokenizer.added_tokens_decoder)


def cut_vocabulary(parent: ModelFolder, kept: IntArray, tokenizer: Tokenizer, output: Path) -> ModelFolder:
    """Write the parent with the entries `kept` [V'] of its vocabulary alone: the row `kept[i]` becomes row i.

    `tokenizer` is numbered like this already. Vocabulary files beside tokenizer.json are left out: it says all that they say, and a
    sentencepiece model cannot be cut. Rows without an entry go, too, unless the configuration names them: those come last.

    Raises:
        ModelError: the model counts positions from the padding's id, and that would change.
    """
    architecture = parent.architecture
    known = set(parent.tokenizer().get_vocab(with_added_tokens=True).values())
    old_rows = [*kept.tolist(), *sorted(_flat(config_ids(architecture)) - known)]
    new = {old: number for number, old in enumerate(old_rows)}
    ids = {
        name: [new.get(each, each) for each in value] if isinstance(value, list) else new.get(value, value)
        for name, value in config_ids(architecture).items()
    }
    padding = architecture.config.pad_token_id
    if parent.family.shifted_positions and ids.get("pad_token_id", padding) != padding:
        raise ModelError("the padding's id would change, from which this model counts its positions; nothing is cut")
    rows = torch.tensor(old_rows)
    axes = vocabulary_axes(architecture)
    tensors = {}
    for name, tensor in parent.tensors().items():
        axis = axes.get(bare_name(name))
        tensors[name] = tensor if axis is None else tensor.index_select(axis, rows)
    output.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(output / TOKENIZER))
    write_sidecars(parent.path, output, new)
    config = {name: value for name, value in parent.config.items() if name != NEW_FROM} | ids | {"vocab_size": len(old_rows)}
    write_weights(output, config, tensors, str(parent.config["architectures"][0]))
    return ModelFolder(output)


def _flat(ids: dict[str, Any]) -> set[int]:
    return {number for value in ids.values() for number in (value if isinstance(value, list) else [value])}
