"""What every head of a model attends to: its maps of one text, by transformers' plain implementation, in float32 and without padding."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from tokenizers import Encoding
from torch import Tensor

from acclimate.errors import ModelError
from acclimate.modeling.execution import takes_types
from acclimate.modeling.folder import ModelFolder
from acclimate.modeling.heads import load_body

PLAIN = "eager"  # of transformers' implementations of attention the one that keeps its weights
CONTINUES = "##"  # before a piece that is not the first of its word, whatever the vocabulary writes there


Item = str | tuple[str, str]
"""What a model reads at a time: a text, or the two texts of a pair."""


class Attended(NamedTuple):
    """One text of T tokens in a model of K layers, H heads and width D."""

    maps: Tensor
    """[K, H, T, T] float32: of each token (row) the weights of those that it attends to; rows sum to 1."""
    states: Tensor
    """[K, T, D] float32: the tokens' vectors after each layer."""


@dataclass(frozen=True)
class Pieces:
    """A text as a model reads it."""

    ids: tuple[int, ...]
    labels: tuple[str, ...]
    """What each token stands for, as it stands in the text; of a special one its name."""
    words: tuple[int | None, ...]
    """The word that each token is of, from 0; None of special ones."""
    types: tuple[int, ...]
    """Which of two texts each token is of."""

    def first(self, count: int) -> "Pieces":
        """The first so many."""
        return Pieces(self.ids[:count], self.labels[:count], self.words[:count], self.types[:count])


class AttentionReader:
    """The body of a model, asked for its maps; dropout is off."""

    def __init__(self, folder: ModelFolder) -> None:
        """Load it, on the CPU.

        Raises:
            ModelError: the folder holds no whole body.
        """
        self.model = load_body(folder, None)
        self.model.train(False)
        self.model.set_attn_implementation(PLAIN)
        self.tokenizer = folder.tokenizer()
        dimensions = folder.family.dimensions(folder.config)
        self.layers, self.heads, self.positions, self.width = dimensions.layers, dimensions.heads, dimensions.positions, dimensions.width
        self._name, self._types = str(folder.path), takes_types(self.model)

    @torch.inference_mode()
    def read(self, pieces: Pieces) -> Attended:
        """The maps of a text and the states between the layers.

        Raises:
            ModelError: its weights are not finite, or the architecture keeps no maps.
        """
        given = torch.tensor([pieces.ids])
        types = {"token_type_ids": torch.tensor([pieces.types])} if self._types else {}
        found = self.model(
            input_ids=given, attention_mask=torch.ones_like(given), output_attentions=True, output_hidden_states=True, return_dict=True,
            **types,
        )  # fmt: skip
        if not found.attentions or any(each is None for each in found.attentions):
            raise ModelError(f"{self._name}: {self.model.config.model_type} keeps no maps of its attention")
        maps = torch.stack([each[0] for each in found.attentions]).float()
        if not maps.isfinite().all():
            raise ModelError(f"{self._name}: its attention is not finite; weights or text are beyond what float32 can hold")
        return Attended(maps, torch.stack([each[0] for each in found.hidden_states[1:]]).float())

    def pieces(self, item: Item) -> Pieces:
        """A text, or a pair, with the special tokens around it."""
        texts = (item,) if isinstance(item, str) else item
        return pieces_of(self.tokenizer.encode(*texts), *texts)


def pieces_of(encoding: Encoding, *texts: str) -> Pieces:
    """What a tokenizer made of a text, or of two, with labels that can be read: byte-level vocabularies write theirs in signs of their
    own."""
    special, of = encoding.special_tokens_mask, encoding.sequence_ids
    words = tuple(None if special[place] else word for place, word in enumerate(encoding.word_ids))
    labels = []
    for place, ((start, end), token) in enumerate(zip(encoding.offsets, encoding.tokens, strict=True)):
        label = token if special[place] else texts[of[place] or 0][start:end].strip() or token
        inside = place > 0 and words[place] is not None and (words[place], of[place]) == (words[place - 1], of[place - 1])
        labels.append(f"{CONTINUES}{label}" if inside else label)
    return Pieces(tuple(encoding.ids), tuple(labels), words, tuple(encoding.type_ids))
