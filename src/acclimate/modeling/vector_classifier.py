"""A classifier on the vectors of texts that learns by gradients: an embedding model, dropout, and one linear layer (docs/embeddings.md).

transformers has no class for such a model. It is handed over as the stage `vectors` hands over what it fitted: the folder of the encoder,
and the linear layer beside it (`vector_heads.Logistic`).
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from acclimate.modeling.divided_embedder import DividedEmbedder
from acclimate.modeling.embedder import Embedder
from acclimate.modeling.tensors import TensorBatch
from acclimate.modeling.vector_heads import Logistic
from acclimate.randomness import seed_of
from acclimate.tasks.kind import Link

PARTS = 4  # of the features of a pair, each as wide as a vector
SPREAD = 0.02  # standard deviation of the fresh weights, as that of BERT's (Devlin et al. 2019)


class VectorClassifier(nn.Module):
    """Called with flat batches: logits [B, L] in float32."""

    def __init__(self, embedder: Embedder | DividedEmbedder, outputs: int, dropout: float, seed: int, texts: int = 1) -> None:
        """With a fresh linear layer for L `outputs`, which depends on the seed alone.

        Where items have two `texts`, batches bring the vectors of both, [B, 2E], for nothing of these is trained.
        """
        super().__init__()
        self.embedder = embedder
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(embedder.width * (1 if texts == 1 else PARTS), outputs)
        self.on_given = not any(parameter.requires_grad for parameter in embedder.parameters())
        """Nothing of the vectors is trained: where a batch brings something, it is these."""
        # Numbers of a vector of length 1 are small. As large as those of normalised states they learn at the rates that are usual for
        # these; in what is handed over the factor is part of the weights.
        self.texts, self.scale = texts, embedder.width**0.5 if embedder.form.normalize else 1.0
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(seed_of(seed, "init", "vector classifier"))
            self.linear.weight.normal_(0.0, SPREAD)
            self.linear.bias.zero_()

    def forward(self, batch: TensorBatch) -> Tensor:
        """[B, L] float32."""
        vectors_BE = batch.hidden if self.on_given and batch.hidden is not None else self.embedder(batch)
        with torch.autocast(vectors_BE.device.type, enabled=False):
            columns = (self.scale * vectors_BE.float()).chunk(self.texts, dim=1)
            logits: Tensor = self.linear(self.dropout(columns[0] if self.texts == 1 else _features(*columns)))
        return logits

    def head(self, labels: Sequence[str], link: Link) -> Logistic:
        """The linear layer as a head on the vectors."""
        weights, bias = (parameter.detach().cpu().double().numpy() for parameter in (self.linear.weight, self.linear.bias))
        scales = [self.scale] if self.texts == 1 else [self.scale] * (PARTS - 1) + [self.scale**2]
        return Logistic(tuple(labels), np.repeat(scales, self.embedder.width) * weights, bias, link)


def _features(first_BE: Tensor, second_BE: Tensor) -> Tensor:
    """[B, 4E] of pairs, as `vector_heads.features`."""
    return torch.cat([first_BE, second_BE, (first_BE - second_BE).abs(), first_BE * second_BE], dim=1)
