"""The mean of two models' weights."""

import shutil
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from acclimate.errors import ModelError
from acclimate.modeling.folder import ModelFolder, write_weights
from acclimate.modeling.vocabulary_rows import bare_name, vocabulary_axes


def merged(own: ModelFolder, other: ModelFolder, weight: float, output: Path) -> tuple[ModelFolder, dict[str, Any]]:
    """Write `weight` times the weights of `own` and the rest times those of `other`, with all that `own` has besides.

    Parts that only `own` has (a head, rows of entries that `extend` added) stay as they are there.

    Raises:
        ModelError: the vocabularies, the labels or the shapes of the two differ.
    """
    words = own.tokenizer().get_vocab(with_added_tokens=True)
    if moved := [entry for entry, number in other.tokenizer().get_vocab(with_added_tokens=True).items() if words.get(entry) != number]:
        raise ModelError(f"merge: {len(moved):,} entries of the other model's vocabulary have other rows here, such as {moved[0]!r}")
    if own.learnt and other.learnt and own.labels != other.labels:
        raise ModelError("merge: the two models learned different labels, so there is no mean of their heads")
    axes, theirs = vocabulary_axes(own.architecture), other.tensors()
    tensors, apart, size = {}, 0.0, 0.0
    for name, mine in own.tensors().items():
        if name not in theirs:
            tensors[name] = mine
            continue
        axis = axes.get(bare_name(name))
        there = theirs[name] if axis is None else _filled(theirs[name], mine, axis)
        if there.shape != mine.shape:
            raise ModelError(f"merge: {name} has the shape {tuple(mine.shape)} here and {tuple(there.shape)} in the other model")
        tensors[name] = torch.lerp(there, mine, weight)
        apart += float((mine - there).double().square().sum())
        size += float(there.double().square().sum())
    shutil.copytree(own.path, output, dirs_exist_ok=True)
    write_weights(output, own.config, tensors, str(own.config["architectures"][0]))
    both = len(tensors.keys() & theirs.keys())
    measured = {"weight": weight, "tensors_merged": both, "tensors_kept": len(tensors) - both, "apart": (apart / max(size, 1e-30)) ** 0.5}
    return ModelFolder(output), measured


def _filled(rows: Tensor, mine: Tensor, axis: int) -> Tensor:
    """The other's rows, and behind them those that it lacks as they are here."""
    count = rows.shape[axis]
    return torch.cat([rows, mine.narrow(axis, count, mine.shape[axis] - count)], dim=axis) if count < mine.shape[axis] else rows
