"""What texts cost a masked language model, with the masks that held-out text always gets."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from torch import nn

from acclimate.data.tokens import TokenStore
from acclimate.data.windows import sliding
from acclimate.evaluation.heldout_loss import Heldout
from acclimate.evaluation.inference import MaskedScores, masked_scores
from acclimate.modeling.folder import ModelFolder
from acclimate.modeling.longest import sequence_length
from acclimate.objectives.mlm import Vocabulary
from acclimate.training.devices import Devices

MOST_TOKENS = 8192  # of a forward pass


def masked_loss(model: nn.Module, texts: Sequence[str], folder: ModelFolder, devices: Devices) -> MaskedScores:
    """Loss and accuracy of a model, in the vocabulary of its folder, at the masked tokens of texts; not a number where none can be masked.

    Raises:
        ModelError: the vocabulary has no mask token.
    """
    words = Vocabulary.of(folder.tokenizer(), whole_word=False)
    with tempfile.TemporaryDirectory() as temporary:
        store = TokenStore.build(Path(temporary) / "tokens", iter(texts), folder.tokenizer(), "")
        windows = sliding(store, sequence_length(None, folder) - len(words.prefix) - len(words.suffix))
        heldout = Heldout.of(store, {"text": windows}, words, MOST_TOKENS)
        return masked_scores(model, heldout.batches.get("text", []), devices)
