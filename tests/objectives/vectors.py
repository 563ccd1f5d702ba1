"""Examples of every shape, and a model that has a vector for each text."""

import numpy as np
import torch

from acclimate.data.even_order import EvenOrder
from acclimate.data.ragged import offsets_of
from acclimate.data.sequences import Sequences
from acclimate.data.tokens import TokenStore
from acclimate.data.windows import first
from acclimate.objectives.losses.of_vectors import VECTOR_LOSSES
from acclimate.objectives.related_texts import RelatedTexts
from acclimate.objectives.vector_loss_settings import OF_VECTORS, named
from acclimate.tasks.relations import Examples

N = 7
BY_NAME = {each.model_fields["loss"].default: each for each in OF_VECTORS}


def examples(name):
    columns = {"classes": 1, "scored": 2, "labelled": 2}.get(BY_NAME[name].shape, 3)
    gold = {
        "classes": np.array([0, 1, 0, 2, 1, 0, 3]),
        "scored": np.float32([0.1, 0.9, 0.5, 0.5, 0.0, 1.0, 0.3]),
        "labelled": np.float32([1, 0, 1, 0, 0, 1, 0]),
    }.get(BY_NAME[name].shape)
    return Examples.of([[f"{column} {number}" for number in range(N)] for column in range(columns)], gold)


def objective(name, made=None, widths=(6,)):
    made = examples(name) if made is None else made
    count = len(made.texts)
    store = TokenStore(np.arange(count, dtype=np.uint32), offsets_of(np.ones(count, dtype=np.int64)))
    texts = Sequences(store, first(store, 1), (), ())
    return RelatedTexts(texts, made, EvenOrder(len(made), N, 0), VECTOR_LOSSES[name].of(named(name)), widths)


class Vectors(torch.nn.Module):
    """Text i is the token i, and has the vector i."""

    def __init__(self, vectors):
        super().__init__()
        self.words = torch.nn.Embedding(*vectors.shape, _weight=vectors.clone())

    def forward(self, batch):
        return self.words(batch.input_ids)
