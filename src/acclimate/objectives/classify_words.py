"""Classification of texts as words: in every step some words are unknown, so that the entry for unknown words is trained, too."""

from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor, nn

from acclimate.data.batches import Batch
from acclimate.modeling.baselines.word_list import UNKNOWN
from acclimate.modeling.tensors import TensorBatch
from acclimate.objectives.classify import LabelledText
from acclimate.randomness import generator


@dataclass(frozen=True)
class LabelledWords:
    """The objective: labelled texts of which each word is read as unknown with probability `dropout`.

    Training texts hold no unknown word where every word of theirs is kept, but those of dev and test do.
    """

    texts: LabelledText
    dropout: float
    seed: int

    def batch(self, step: int) -> Batch:
        """The global batch of a step."""
        batch = self.texts.batch(step)
        unknown = generator(self.seed, "word dropout", step).random(batch.tokens) < self.dropout
        return replace(batch, input_ids=np.where(unknown, UNKNOWN, batch.input_ids))

    def count(self, batch: Batch) -> float:
        """The summed class weights of the batch's examples."""
        return self.texts.count(batch)

    def loss(self, model: nn.Module, batch: TensorBatch) -> Tensor:
        """Summed weighted cross-entropy, nats."""
        return self.texts.loss(model, batch)
