"""The mean of two models' weights."""

import shutil
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from acclimate.errors import ModelError
from acclimate.modeling.folder import CARRIED, LEARNT, ModelFolder, write_weights
from acclimate.modeling.vocabulary_rows import bare_name, kinds_of, vocabulary_axes


def merged(own: ModelFolder, other: ModelFolder, weight: float, output: Path) -> tuple[ModelFolder, dict[str, Any]]:
    """Write `weight` times the weights of `own` and the rest times those of `other`, with all that `own` has besides.

    Parts that only `own` has (a head, rows of entries that `extend` added) stay as they are there.

    Raises:
        ModelError: the vocabularies, the labels or the shapes of the two differ.
    """
    words, others = (folder.tokenizer().get_vocab(with_added_tokens=True) for folder in (own, other))
    if moved := [entry for entry, number in others.items() if words.get(entry) != number]:
        raise ModelError(f"merge: {len(moved):,} entries of the other model's vocabulary have other rows here, such as {moved[0]!r}")
    if own.learnt and other.learnt and own.labels != other.labels:
        raise ModelError("merge: the two models learned different labels, so there is no mean of their heads")
    axes, rows, theirs = vocabulary_axes(own.architecture), max(others.values()) + 1, _by_part(other)
    tensors, apart, size, both = {}, 0.0, 0.0, 0
    for (part, bare), (name, mine) in _by_part(own).items():
        tensors[name] = mine
        if (part, bare) not in theirs:
            continue
        there, axis = theirs[part, bare][1], axes.get(bare)
        if axis is not None:  # rows without an entry of the other's hold nothing, or new words of this one
            there = torch.cat([there.narrow(axis, 0, rows), mine.narrow(axis, rows, mine.shape[axis] - rows)], dim=axis)
        if there.shape != mine.shape:
            raise ModelError(f"merge: {bare} has the shape {tuple(mine.shape)} here and {tuple(there.shape)} in the other model")
        tensors[name] = torch.lerp(there, mine, weight)
        both += 1
        apart += float((mine - there).double().square().sum())
        size += float(there.double().square().sum())
    shutil.copytree(own.path, output, dirs_exist_ok=True)
    write_weights(output, own.config, tensors, str(own.config["architectures"][0]))
    measured = {"weight": weight, "tensors_merged": both, "tensors_kept": len(tensors) - both, "apart": (apart / max(size, 1e-30)) ** 0.5}
    return ModelFolder(output), measured


def _by_part(folder: ModelFolder) -> dict[tuple[str, str], tuple[str, Tensor]]:
    """The tensors by what they belong to: names that two heads share, by the kind of head; all others by name alone."""
    heads = {kind: folder.architecture.head_names(kind) for kind in kinds_of(folder.architecture)}
    shared = {name for kind in LEARNT if kind in heads for name in heads[kind] & heads["mlm"]}
    carried = any(name.startswith(tuple(f"{CARRIED}{kind}." for kind in LEARNT)) for name in folder.names)
    plain = "mlm" if carried or folder.learnt is None else folder.learnt
    found = {}
    for name, tensor in folder.tensors().items():
        bare = bare_name(name)
        part = name.removeprefix(CARRIED).split(".")[0] if name != bare else plain if bare in shared else ""
        found[part, bare] = (name, tensor)
    return found
