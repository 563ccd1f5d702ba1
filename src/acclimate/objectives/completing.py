"""Learning answers to prompts: every token of an answer from the prompt and the tokens before it; of prompts nothing is asked."""

from dataclasses import dataclass

from torch import Tensor, nn

from acclimate.data.batches import Batch, CountOrder
from acclimate.data.completions import Completions
from acclimate.data.ragged import IntArray
from acclimate.modeling.tensors import TensorBatch


@dataclass(frozen=True)
class Completing:
    """The objective: the cross-entropy of the answers' tokens, each counting the same."""

    texts: Completions
    rows: IntArray
    """Those of which something of the answer is read."""
    order: CountOrder

    def batch(self, step: int) -> Batch:
        """The global batch of a step."""
        return self.texts.batch(self.rows[self.order.batch(step)])

    def count(self, batch: Batch) -> float:
        """Tokens that are asked for."""
        return float(len(batch.targets["target_ids"]))

    def loss(self, model: nn.Module, batch: TensorBatch) -> Tensor:
        """Summed cross-entropy in nats; `model` is a `NextTokens`."""
        summed: Tensor = model(batch)
        return summed
