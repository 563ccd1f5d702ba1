"""Running a model without training it: held-out loss and class probabilities, on packed, length-sorted batches."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from acclimate.data.batches import Batch, assemble, evaluation_batches
from acclimate.data.tokens import TokenStore
from acclimate.data.windows import Windows
from acclimate.modeling.tensors import to_tensors
from acclimate.objectives.mlm import summed_loss
from acclimate.training.devices import Devices


@torch.no_grad()
def heldout_loss(model: nn.Module, batches: list[Batch], devices: Devices) -> float:
    """Mean cross-entropy per masked token, nats, over all processes' shares of the batches."""
    model.eval()
    total = 0.0
    for batch in batches[devices.rank :: devices.world]:
        with devices.autocast():
            total += float(summed_loss(model, to_tensors(batch, devices.device)))
    count = sum(len(batch.targets["target_ids"]) for batch in batches)
    return devices.sum(total) / count if count else math.nan


@torch.no_grad()
def class_probabilities(
    model: nn.Module,
    store: TokenStore,
    windows: Windows,
    prefix: tuple[int, ...],
    suffix: tuple[int, ...],
    classes: int,
    max_tokens: int,
    devices: Devices,
) -> NDArray[np.float64]:
    """Probabilities [N, L] of every text, in the store's order."""
    model.eval()
    probabilities_NL = np.zeros((len(windows), classes))
    for indices in evaluation_batches(windows.length + len(prefix) + len(suffix), max_tokens):
        batch = assemble(store, windows, indices, prefix, suffix)
        with devices.autocast():
            logits_BL = model(to_tensors(batch, devices.device))
        probabilities_NL[indices] = torch.softmax(logits_BL.double(), dim=-1).cpu().numpy()
    return probabilities_NL
