"""Two heads on one body: a model that answers a task, and its head for words, which goes on learning."""

from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from acclimate.data.batches import Batch
from acclimate.modeling.tensors import TensorBatch

if TYPE_CHECKING:
    from transformers import PreTrainedModel

WORDS = "target_ids"  # a target that batches have alone in which words are asked for


def of_words(batch: Batch | TensorBatch) -> bool:
    """Whether words are asked for in a batch, masked or next ones, and not what a task asks."""
    return WORDS in batch.targets


class TwoHeads(nn.Module):
    """A network that asks the one or the other head, as a batch's targets say. What both share is there once."""

    def __init__(self, labels: nn.Module, words: nn.Module) -> None:
        super().__init__()
        self.labels = labels
        self.words = words

    def forward(self, batch: TensorBatch) -> Tensor:
        """As `labels` or `words` gives it."""
        out: Tensor = self.words(batch) if of_words(batch) else self.labels(batch)
        return out


def share_body(words: "PreTrainedModel", labels: "PreTrainedModel") -> None:
    """Let a model with a head for words stand on the body of another one, of the same architecture; its own is let go."""
    of_model: Any = words
    setattr(of_model, words.base_model_prefix, labels.base_model)
    of_model.tie_weights()
