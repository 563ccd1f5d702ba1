"""Running a model without training it: held-out loss and class probabilities, on packed, length-sorted batches."""

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from acclimate.data.batches import Batch, evaluation_batches
from acclimate.data.ragged import IntArray
from acclimate.data.sequences import Sequences
from acclimate.modeling.tensors import TensorBatch, to_tensors
from acclimate.objectives.vocabulary_loss import summed_cross_entropy
from acclimate.tasks.metrics.spans import OUTSIDE
from acclimate.training.devices import Devices
from acclimate.training.memory import is_out_of_memory, nothing_smaller

SPEED_TEXTS = 64  # are enough to time a model by

Told = Callable[[int, int], None]
"""Gets to know the tokens that went through the model so far, and those of all passes."""


@dataclass(frozen=True)
class MaskedScores:
    """How well masked tokens of a text are predicted."""

    loss: float
    """Mean cross-entropy per masked token, nats."""
    accuracy: float
    """Share of masked tokens whose most probable token is the right one."""
    tokens: int
    """Masked tokens that were asked for."""


@torch.no_grad()
def masked_scores(model: nn.Module, batches: Sequence[Batch], devices: Devices) -> MaskedScores:
    """Loss and accuracy at the masked tokens, over all processes' shares of the batches; not a number where there are none."""
    model.eval()
    total = torch.zeros(2, dtype=torch.float64, device=devices.device)

    def sums(batch: TensorBatch) -> Tensor:
        logits_MV, wanted_M = model(batch).float(), batch.targets["target_ids"]
        right = (logits_MV.argmax(-1) == wanted_M).sum()
        return torch.stack([summed_cross_entropy(logits_MV, wanted_M).double(), right.double()])

    # Those of unknown tokens alone ask for nothing.
    for batch in [batch for batch in batches if len(batch.targets["target_ids"])][devices.rank :: devices.world]:
        for part in in_parts(sums, batch, devices):
            total += part
    count = sum(len(batch.targets["target_ids"]) for batch in batches)
    loss, right = (devices.sum(float(value)) for value in total)
    return MaskedScores(loss / count, right / count, count) if count else MaskedScores(math.nan, math.nan, 0)


def pooled(scores: Iterable[MaskedScores]) -> MaskedScores:
    """Several texts as one: each masked token counts the same."""
    known = [each for each in scores if each.tokens]
    count = sum(each.tokens for each in known)
    loss, right = (sum(getattr(each, name) * each.tokens for each in known) for name in ("loss", "accuracy"))
    return MaskedScores(loss / count, right / count, count) if count else MaskedScores(math.nan, math.nan, 0)


def heldout_loss(model: nn.Module, batches: Sequence[Batch], devices: Devices) -> float:
    """Mean cross-entropy per masked token, nats."""
    return masked_scores(model, batches, devices).loss


def softmax(logits_BL: Tensor) -> Tensor:
    """Probabilities [B, L] that sum to 1 over the labels."""
    return torch.softmax(logits_BL, dim=-1)


LINKS: Mapping[str, Callable[[Tensor], Tensor]] = {"softmax": softmax, "sigmoid": torch.sigmoid, "none": lambda outputs_BL: outputs_BL}
"""What outputs [B, L] mean, by the `link` of a head."""


@torch.no_grad()
def class_probabilities(
    model: nn.Module,
    texts: Sequences,
    classes: int,
    max_tokens: int,
    devices: Devices,
    meaning: Callable[[Tensor], Tensor] = softmax,
    told: Told | None = None,
) -> NDArray[np.float64]:
    """Probabilities [N, L] of every text, in the texts' order; `meaning` turns logits [B, L] into them."""
    model.eval()
    probabilities_NL = np.zeros((len(texts), classes))
    lengths, done = texts.lengths, 0
    every = int(lengths.sum())
    for indices in evaluation_batches(lengths, max_tokens):
        logits_BL = torch.cat(in_parts(model, texts.batch(indices), devices))
        probabilities_NL[indices] = meaning(logits_BL.double()).cpu().numpy()
        done += int(lengths[indices].sum())
        if told is not None:
            told(done, every)
    return probabilities_NL


@torch.no_grad()
def word_probabilities(
    model: nn.Module, texts: Sequences, names: Sequence[str], max_tokens: int, devices: Devices, told: Told | None = None
) -> NDArray[np.float64]:
    """Probabilities [all words, L] of every word of the texts, one text after the other, by the piece that answers for it.

    A word without a piece, of which the model sees nothing, is outside of everything, or has all tags alike where there is no such one.
    Where one piece answers for several words, B-x is said of the first of them, and the others go on with it.
    """
    assert texts.pieces is not None
    model.eval()
    unseen_L = np.array([float(name == OUTSIDE) for name in names]) if OUTSIDE in names else np.full(len(names), 1 / len(names))
    probabilities_WL = np.tile(unseen_L, (texts.pieces.words, 1))
    asked = texts.answering()
    lengths, done = asked.lengths, 0
    for indices in evaluation_batches(lengths, max_tokens):
        logits_ML = torch.cat(in_parts(model, asked.batch(indices), devices))
        probabilities_WL[asked.asked(indices)[:, 0]] = softmax(logits_ML.double()).cpu().numpy()
        done += int(lengths[indices].sum())
        if told is not None:
            told(done, int(lengths.sum()))
    assert asked.pieces is not None
    go_on(probabilities_WL, asked.pieces.shared, names)
    return probabilities_WL


def go_on(probabilities_WL: NDArray[np.float64], words: IntArray, names: Sequence[str]) -> None:
    """Of these words, the greater of the probabilities of B-x and I-x becomes that of I-x, in place, and the other one that of B-x."""
    if OUTSIDE not in names:
        return
    for begin, name in enumerate(names):
        if name.startswith("B-") and f"I-{name[2:]}" in names:
            both = np.ix_(words, np.array([begin, names.index(f"I-{name[2:]}")]))
            probabilities_WL[both] = np.sort(probabilities_WL[both], axis=1)


def inference_speed(model: nn.Module, texts: Sequences, max_tokens: int, devices: Devices) -> float:
    """Texts per second of the whole model, from token ids to probabilities, on texts of the usual lengths."""
    sample = np.linspace(0, len(texts) - 1, min(len(texts), SPEED_TEXTS)).astype(np.int64)
    began = time.monotonic()
    with torch.no_grad():
        model.eval()
        for indices in evaluation_batches(texts.lengths[sample], max_tokens):
            torch.cat(in_parts(model, texts.batch(sample[indices]), devices)).cpu()
    return texts.texts / max(1, len(texts)) * len(sample) / max(time.monotonic() - began, 1e-9)


def in_parts(run: Callable[[TensorBatch], Tensor], batch: Batch, devices: Devices) -> list[Tensor]:
    """What `run` gives for the batch; where memory does not hold it, for its halves one after the other.

    Raises:
        TrainingError: memory does not hold a single sequence.
    """
    try:
        with devices.autocast():
            return [run(to_tensors(batch, devices.device))]
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    devices.free_unused()
    if batch.sequences == 1:
        raise nothing_smaller("evaluation", "the model", batch.tokens, devices.device)
    return [result for half in batch.micro(batch.tokens // 2) for result in in_parts(run, half, devices)]
