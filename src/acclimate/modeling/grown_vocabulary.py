"""A model whose vocabulary is extended: a row for each new entry, in everything that has a row for each entry.

All other rows stay, so a text without a new entry gives what it gave before. How a new row begins is `Init`: the mean of what stood in its
place before, or random numbers like those of the other rows, which is the baseline for it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from acclimate.data.vocabularies.larger import Entry
from acclimate.errors import ModelError
from acclimate.modeling.base_files import NEW_FROM, TOKENIZER
from acclimate.modeling.folder import ModelFolder, write_weights
from acclimate.modeling.vocabulary_rows import bare_name, config_ids, vocabulary_axes, write_sidecars

Init = Literal["mean", "random"]


def grow_vocabulary(
    parent: ModelFolder, tokenizer: Tokenizer, new: Sequence[Entry], init: Init, draws: np.random.Generator, output: Path
) -> ModelFolder:
    """Write the parent with rows for the entries `new` of `tokenizer`, whose ids are the lowest that the parent's tokenizer has not used.

    Rows that the model has in reserve there are taken first; config.json says from which id on entries are new. Vocabulary files beside
    tokenizer.json are left out: it says all that they say.

    Raises:
        ModelError: the configuration names one of the ids, for something that the tokenizer does not know.
    """
    architecture = parent.architecture
    ids = [entry.id for entry in new]
    if taken := {name: number for name, number in config_ids(architecture).items() if number in ids}:
        name, number = next(iter(taken.items()))
        raise ModelError(
            f"config.json calls the row {number} {name}, and the tokenizer has no entry for it: a new one would take its place"
        )
    rows = max(architecture.config.vocab_size, max(ids) + 1)
    axes = vocabulary_axes(architecture)
    tensors = {}
    for name, tensor in parent.tensors().items():
        axis = axes.get(bare_name(name))
        tensors[name] = (
            tensor if axis is None else _grown(tensor.transpose(0, axis), new, rows, init, draws).transpose(0, axis).contiguous()
        )
    output.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(output / TOKENIZER))
    write_sidecars(parent.path, output, {number: number for number in tokenizer.get_vocab(with_added_tokens=True).values()})
    config = parent.config | {"vocab_size": rows, NEW_FROM: parent.config.get(NEW_FROM, ids[0])}
    write_weights(output, config, tensors, str(parent.config["architectures"][0]))
    return ModelFolder(output)


def _grown(old: Tensor, new: Sequence[Entry], rows: int, init: Init, draws: np.random.Generator) -> Tensor:
    """[rows, ...] the rows of before [V, ...], and those of the new entries."""
    grown = torch.cat([old, old.new_zeros(rows - len(old), *old.shape[1:])])
    if init == "mean":
        for entry in new:
            grown[entry.id] = old[list(entry.pieces)].float().mean(dim=0).to(old.dtype)
        return grown
    known = old.float()
    normal = torch.from_numpy(draws.standard_normal((len(new), *old.shape[1:]), dtype=np.float32))
    drawn = normal * known.std(dim=0) + known.mean(dim=0)
    grown[[entry.id for entry in new]] = drawn.to(old.dtype)
    return grown
