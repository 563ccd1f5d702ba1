"""What a model makes of whole texts: the mean of its last hidden states, as unit vectors whose products are cosines."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor

from acclimate.data.batches import evaluation_batches
from acclimate.data.ragged import offsets_of
from acclimate.data.sequences import Sequences
from acclimate.data.tokens import TokenStore, encoded, special_ids
from acclimate.data.windows import first
from acclimate.evaluation.inference import in_parts
from acclimate.modeling.execution import Packed
from acclimate.modeling.families import dimensions_of
from acclimate.modeling.tensors import TensorBatch
from acclimate.training.devices import Devices


@torch.no_grad()
def mean_states(
    model: Packed, tokenizer: Tokenizer, texts: Sequence[str], longest: int, micro: int, devices: Devices, told: Callable[[int, int], None]
) -> NDArray[np.float16]:
    """[N, D] of each text the mean last hidden state of its first `longest` tokens, special ones included, of length 1.

    Forward passes have at most `micro` tokens; `told` gets to know how many texts and tokens each had, and may raise to end it.
    """
    model.eval()
    ids, counts = encoded(tokenizer, texts)
    prefix, suffix = special_ids(tokenizer)
    store = TokenStore(ids.astype(np.uint32), offsets_of(counts))
    read = Sequences(store, first(store, longest - len(prefix) - len(suffix)), prefix, suffix)
    states_ND = np.zeros((len(texts), dimensions_of(model.model.config.to_dict()).width), dtype=np.float16)

    def means(batch: TensorBatch) -> Tensor:
        """[B, D]"""
        sums_BD = torch.segment_reduce(model.states(batch).float(), "sum", offsets=batch.offsets)
        return torch.nn.functional.normalize(sums_BD)  # the direction of a sum is that of the mean

    for indices in evaluation_batches(read.lengths, micro):
        states_ND[indices] = torch.cat(in_parts(means, read.batch(indices), devices)).cpu().numpy().astype(np.float16)
        told(len(indices), int(read.lengths[indices].sum()))
    return states_ND
