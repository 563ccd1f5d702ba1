"""The plain computation that every shortcut is held against: transformers' own model on one padded rectangle."""

import copy

import torch
from torch.nn.functional import cross_entropy

from acclimate.modeling.execution import Packed
from acclimate.modeling.fast_paths import FastPaths
from acclimate.modeling.tensors import to_tensors

LENGTHS = (5, 5, 17, 1, 30, 30, 9, 5)
TARGETS = {"mlm": "target_ids", "tagger": "target_labels", "classifier": "labels"}


def padded_logits(model, batch, kind):
    """What plain transformers answers to the same texts as one padded rectangle, in the order of the packed result."""
    rows, longest = batch.sequences, int(batch.lengths.max())
    pad = model.config.pad_token_id or 0
    ids = torch.full((rows, longest), pad)
    mask = torch.zeros(rows, longest, dtype=torch.long)
    types = torch.zeros(rows, longest, dtype=torch.long)
    cells = []
    for row, (begin, end) in enumerate(zip(batch.offsets[:-1], batch.offsets[1:], strict=True)):
        ids[row, : end - begin] = torch.from_numpy(batch.input_ids[begin:end])
        mask[row, : end - begin] = 1
        if batch.token_type_ids is not None:
            types[row, : end - begin] = torch.from_numpy(batch.token_type_ids[begin:end])
        cells += [(row, column) for column in range(end - begin)]
    extra = {} if batch.token_type_ids is None else {"token_type_ids": types}
    logits = model(input_ids=ids, attention_mask=mask, **extra).logits
    if kind == "classifier":
        return logits
    wanted = torch.tensor([cells[index] for index in batch.targets["target_index"]])
    return logits[wanted[:, 0], wanted[:, 1]]


def loss_of(logits, batch, kind):
    return cross_entropy(logits, torch.from_numpy(batch.targets[TARGETS[kind]]), reduction="sum")


def assert_equal_to_padded(model, batch, kind, fast=FastPaths()):
    plain = copy.deepcopy(model)
    plain.set_attn_implementation("eager")
    wrapped = Packed(model, fast)
    expected, found = padded_logits(plain, batch, kind), wrapped(to_tensors(batch, "cpu"))
    assert found.shape == expected.shape
    assert (found - expected).abs().max() <= 1e-5 * expected.abs().max()
    loss_of(expected, batch, kind).backward()
    loss_of(found, batch, kind).backward()
    gradients = dict(plain.named_parameters())
    assert any(parameter.grad is not None for parameter in gradients.values())
    # A key's bias has a true gradient of zero, of which rounding leaves a different speck each time: these are held against the others.
    scale = max(float(parameter.grad.abs().max()) for parameter in gradients.values() if parameter.grad is not None)
    for name, parameter in model.named_parameters():
        wanted = gradients[name].grad
        if wanted is None:
            assert parameter.grad is None or not parameter.grad.any(), name
            continue
        own = float(wanted.abs().max())
        own = own if own > 1e-4 * scale else 0.1 * scale
        assert (parameter.grad - wanted).abs().max() <= 1e-5 * own, name
