"""The head of a masked language model cut down to label words: of its decoder's rows, one a token, those alone that are asked for."""

from typing import cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from acclimate.data.cloze import Pieces
from acclimate.errors import ModelError
from acclimate.modeling.label_words import used_tokens


class LabelRows(nn.Module):
    """Stands in the place of a decoder, whose parameters it keeps under their names, and gives logits of labels [..., L].

    That of a label is the mean of the decoder's logits over its words, and of a word over its tokens; the rest of the vocabulary is not
    computed, and has no gradient, as it has none where the whole decoder is.
    """

    def __init__(self, decoder: nn.Linear, words: Pieces) -> None:
        super().__init__()
        self.weight, self.bias = decoder.weight, decoder.bias
        used = used_tokens(words)
        share_LK = torch.zeros(len(words), len(used))
        for row, label in enumerate(words):
            for word in label:
                for token in word:
                    share_LK[row, used.index(token)] += 1 / (len(label) * len(word))
        self.register_buffer("used", torch.tensor(used), persistent=False)  # [K]
        self.register_buffer("share_LK", share_LK, persistent=False)

    def forward(self, hidden_states: Tensor) -> Tensor:
        """Logits [..., L] of hidden states [..., D]."""
        used, share_LK = cast("Tensor", self.used), cast("Tensor", self.share_LK)
        bias = None if self.bias is None else self.bias[used]
        logits = nn.functional.linear(hidden_states, self.weight[used], bias)
        return nn.functional.linear(logits, share_LK.to(logits.dtype))


def ask_for_labels(model: PreTrainedModel, words: Pieces) -> None:
    """Let a masked language model give logits of labels [M, L] in the place of those of its vocabulary [M, V].

    Raises:
        ModelError: its head has no decoder whose rows are tokens.
    """
    decoder = model.get_output_embeddings()  # type: ignore[no-untyped-call]
    if not isinstance(decoder, nn.Linear) or decoder.out_features != model.config.vocab_size:
        raise ModelError(
            f"{model.config.model_type}: this form of its head for masked words (legacy: false) cannot be asked for label words; "
            "take another base"
        )
    name = next(name for name, module in model.named_modules() if module is decoder)
    model.set_submodule(name, LabelRows(decoder, words))
