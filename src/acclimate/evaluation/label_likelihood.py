"""How likely the words of labels are to come next, by a decoder that is asked on packed batches."""

from contextlib import ExitStack

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from acclimate.data.batches import Batch, evaluation_batches
from acclimate.data.prompts import PromptSequences
from acclimate.data.ragged import IntArray, offsets_of, ranges
from acclimate.evaluation.inference import Told, in_parts
from acclimate.modeling.label_words import used_tokens
from acclimate.modeling.tensors import TensorBatch, to_tensors
from acclimate.objectives.clm import NextTokens
from acclimate.training.devices import Devices


@torch.no_grad()
def label_log_likelihoods(
    model: NextTokens, prompts: PromptSequences, max_tokens: int, devices: Devices, told: Told | None = None
) -> NDArray[np.float64]:
    """[N, L] of every text and label the log of the mean likelihood of its words, nats; in passes of at most `max_tokens`."""
    model.eval()
    tokens = used_tokens(prompts.question.words)
    asked_K = torch.tensor(tokens, device=devices.device)

    def ask(batch: TensorBatch) -> Tensor:
        return model.log_probabilities(batch, asked_K)

    shared = prompts.shared if model.packed.execution == "packed" else np.zeros(0, dtype=np.int64)
    lengths, asked, done = prompts.lengths - len(shared), prompts.asked, 0
    places = offsets_of(asked)  # where what is asked in each sequence begins
    log_MK = np.zeros((int(places[-1]), len(tokens)))
    with ExitStack() as stack:
        if len(shared):
            with devices.autocast():
                stack.enter_context(model.packed.behind(to_tensors(_alone(shared), devices.device)))
        for indices in evaluation_batches(lengths, max_tokens):
            found = torch.cat(in_parts(ask, prompts.batch(indices, len(shared)), devices)).cpu().numpy()
            log_MK[ranges(places[indices], asked[indices])] = found
            done += int(lengths[indices].sum())
            if told is not None:
                told(done, int(lengths.sum()))
    return prompts.word_log_likelihoods(log_MK, {token: column for column, token in enumerate(tokens)})


def _alone(ids: IntArray) -> Batch:
    return Batch(ids, np.arange(len(ids)), np.array([0, len(ids)]))
