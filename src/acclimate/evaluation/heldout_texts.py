"""How well a model does what else it is trained for than masked words, on text that it was not trained on."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from acclimate.data.batches import Batch
from acclimate.data.deleted_words import WHOLE
from acclimate.evaluation.inference import MaskedScores, in_parts
from acclimate.modeling.embedder import Embedder
from acclimate.modeling.tensors import TensorBatch, target_tensors, to_tensors
from acclimate.objectives.clm import NextTokens
from acclimate.objectives.simcse import TwoViews
from acclimate.objectives.tsdae import Denoiser
from acclimate.randomness import seed_of
from acclimate.training.devices import Devices, seeded
from acclimate.training.memory import is_out_of_memory, nothing_smaller


@torch.no_grad()
def given_back(model: nn.Module, batches: Sequence[Batch], devices: Devices) -> MaskedScores:
    """Loss a token of whole texts that are given back from their vectors, and the share of tokens that are guessed right."""
    assert isinstance(model, Denoiser)
    model.eval()

    def sums(batch: TensorBatch) -> Tensor:
        asked = model.asked(batch)
        return torch.stack([asked.loss.double(), asked.right.double()])

    total = torch.zeros(2, dtype=torch.float64, device=devices.device)
    for batch in batches[devices.rank :: devices.world]:
        for part in in_parts(sums, batch, devices):
            total += part
    return _scores(total, sum(len(batch.targets[WHOLE]) for batch in batches), devices)


@torch.no_grad()
def told_apart(model: nn.Module, batches: Sequence[Batch], devices: Devices, objective: TwoViews, max_tokens: int) -> MaskedScores:
    """Loss a text whose other view is to be found among those of its batch, and the share of texts whose other view is the nearest.

    The views are those of dropout, which draws the same for the same batch every time. Forward passes have at most `max_tokens`.
    """
    assert isinstance(model, Embedder)
    model.train()
    total = torch.zeros(2, dtype=torch.float64, device=devices.device)
    for number in range(devices.rank, len(batches), devices.world):
        batch = batches[number]
        vectors = views(model, batch, number, devices, max_tokens)
        likeness, itself = objective.likeness(vectors.double(), target_tensors(batch, devices.device))
        loss = nn.functional.cross_entropy(likeness, itself, reduction="sum")
        total += torch.stack([loss, (likeness.argmax(1) == itself).sum().double()])
    model.eval()
    return _scores(total, sum(batch.sequences // 2 for batch in batches), devices)


def views(model: nn.Module, batch: Batch, number: int, devices: Devices, max_tokens: int) -> Tensor:
    """[2B, E] the vectors of the batch with this number, under dropout; where memory does not hold a pass, once more in halves.

    Raises:
        TrainingError: memory does not hold a single sequence.
    """
    vectors, parts = [], batch.micro(max_tokens)
    try:
        for place, part in enumerate(parts):
            with seeded(seed_of("held-out views", number, place), devices.device), devices.autocast():
                vectors.append(model(to_tensors(part, devices.device)))
        return torch.cat(vectors)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    vectors.clear()
    devices.free_unused()
    if all(part.sequences == 1 for part in parts):
        raise nothing_smaller("held-out texts", "the model", max(part.tokens for part in parts), devices.device)
    return views(model, batch, number, devices, min(max_tokens, max(part.tokens for part in parts)) // 2)


@torch.no_grad()
def next_words(model: nn.Module, batches: Sequence[Batch], devices: Devices) -> MaskedScores:
    """Loss a token that is predicted from those before it, and the share of tokens that are guessed right."""
    assert isinstance(model, NextTokens)
    model.eval()

    def sums(batch: TensorBatch) -> Tensor:
        asked = model.asked(batch)
        return torch.stack([asked.loss.double(), asked.right.double()])

    total = torch.zeros(2, dtype=torch.float64, device=devices.device)
    for batch in batches[devices.rank :: devices.world]:
        for part in in_parts(sums, batch, devices):
            total += part
    return _scores(total, sum(len(batch.targets["target_ids"]) for batch in batches), devices)


def _scores(total: Tensor, count: int, devices: Devices) -> MaskedScores:
    loss, right = (devices.sum(float(value)) for value in total)
    return MaskedScores(loss / count, right / count, count) if count else MaskedScores(math.nan, math.nan, 0)
