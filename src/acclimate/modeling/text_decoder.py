"""A small decoder that gives a whole text back from one vector of it: one causal layer over a flat stream of texts (Wang et al. 2021).

A token sees those before it, and the vector of its text. Attention to a single vector needs neither queries nor keys, for all of its weight
lies on that one: what is left of it is a projection of the vector, once a text.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from acclimate.modeling.attention_kernels import Rules, choose, compute_dtype
from acclimate.modeling.families import Dimensions, family_of
from acclimate.modeling.layers import layers_of
from acclimate.modeling.packing import Packing
from acclimate.randomness import seed_of

SPREAD = 0.02  # of weights that are drawn, as in BERT
# What a layer of BERT, and of all that are made like it, calls the parts of which a decoder has the like.
PARTS = {
    "query": "attention.self.query", "key": "attention.self.key", "value": "attention.self.value", "attended": "attention.output.dense",
    "norm_attended": "attention.output.LayerNorm", "wide": "intermediate.dense", "narrow": "output.dense", "norm_last": "output.LayerNorm",
}  # fmt: skip


class TextDecoder(nn.Module):
    """Called with whole texts and their vectors, it gives states of the width of a word's embedding, for a product with these.

    The embeddings are the encoder's, handed in with every call; `bias` [V] goes with them.
    """

    def __init__(self, size: Dimensions, vector: int, positions: int) -> None:
        """Of an encoder of this `size` that gives vectors of width `vector`; texts have `positions` tokens at most."""
        super().__init__()
        width, words = size.width, size.embedding
        self.heads = size.heads
        self.begin = nn.Parameter(torch.zeros(words))  # stands in the place of the token before the first
        self.positions = nn.Embedding(positions, width)
        self.widened = nn.Linear(words, width) if words != width else nn.Identity()
        self.query, self.key, self.value, self.attended = (nn.Linear(width, width) for _ in range(4))
        self.seen, self.told = nn.Linear(vector, width), nn.Linear(width, width)  # values of cross-attention, and its output
        self.wide, self.narrow = nn.Linear(width, size.feed_forward), nn.Linear(size.feed_forward, width)
        self.transform = nn.Linear(width, words)
        self.norm_first, self.norm_attended, self.norm_told, self.norm_last = (nn.LayerNorm(width) for _ in range(4))
        self.norm_transformed = nn.LayerNorm(words)
        self.bias = nn.Parameter(torch.zeros(size.vocabulary))

    def forward(self, ids: Tensor, packing: Packing, vectors_BE: Tensor, words_VD: Tensor) -> Tensor:
        """[M, D] the states from which each of `ids` [M] is guessed, from those before it and the vector of its text."""
        words_MD = torch.where((packing.position_ids == 0)[:, None], self.begin, nn.functional.embedding(ids.roll(1), words_VD))
        hidden = self.norm_first(self.widened(words_MD) + self.positions(packing.position_ids))
        hidden = self.norm_attended(hidden + self.attended(self._attend(hidden, packing)))
        hidden = self.norm_told(hidden + self.told(self.seen(vectors_BE))[packing.sequence])
        hidden = self.norm_last(hidden + self.narrow(nn.functional.gelu(self.wide(hidden))))
        return self.norm_transformed(nn.functional.gelu(self.transform(hidden)))  # type: ignore[no-any-return]

    def _attend(self, hidden_MD: Tensor, packing: Packing) -> Tensor:
        # -> [1, H, M, D / H]
        query, key, value = (
            layer(hidden_MD).unflatten(-1, (self.heads, -1)).transpose(0, 1)[None] for layer in (self.query, self.key, self.value)
        )
        kernel = choose(query.device, compute_dtype(query), query.shape[3], dropout=False).kernel
        return kernel(query, key, value, packing, Rules(causal=True)).squeeze(0).flatten(1)


def decoder_for(base: Any, vector: int, positions: int, seed: int) -> TextDecoder:
    """The decoder that a training begins with: what of the encoder's last layer and embeddings fits is theirs, all else is drawn.

    `base` is the encoder, a model of transformers without a head; it gives vectors of width `vector`, and texts have at most `positions`
    tokens. Cross-attention, of which an encoder has none, is drawn.
    """
    entries, embedding = base.get_input_embeddings().weight.shape
    size = replace(family_of(base.config).dimensions(base.config.to_dict()), vocabulary=entries, embedding=embedding)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed_of(seed, "init", "decoder"))
        decoder = TextDecoder(size, vector, positions)
        for name, parameter in decoder.named_parameters():
            if name == "positions.weight":
                parameter.copy_(_waves(*parameter.shape))
            elif parameter.ndim > 1 or name == "begin":
                nn.init.normal_(parameter, std=SPREAD)
            elif not (name.startswith("norm") and name.endswith("weight")):
                nn.init.zeros_(parameter)
        for name, theirs in PARTS.items():
            _take(getattr(decoder, name), dict(layers_of(base)[-1].named_parameters()), f"{theirs}.")
        _take_embeddings(decoder, base, size)
    return decoder


def _take(module: nn.Module, theirs: Mapping[str, Tensor], prefix: str) -> None:
    for name, parameter in module.named_parameters():
        found = theirs.get(prefix + name)
        if found is not None and found.shape == parameter.shape:
            parameter.copy_(found)


def _take_embeddings(decoder: TextDecoder, base: Any, size: Dimensions) -> None:
    theirs, positions = dict(base.named_parameters()), len(decoder.positions.weight)
    table, types = (theirs.get(f"embeddings.{name}_embeddings.weight") for name in ("position", "token_type"))
    if table is None or table.shape[1] != size.width or positions > size.positions:
        return
    # Where positions are shifted by those of padding, the last ones are those that texts have.
    decoder.positions.weight.copy_(table[len(table) - size.positions :][:positions])
    if types is not None and types.shape[1] == size.width:
        decoder.positions.weight.add_(types[0])  # every token of a single text is of the first
    _take(decoder.norm_first, theirs, "embeddings.LayerNorm.")


def _waves(count: int, width: int) -> Tensor:
    """[count, width] sines and cosines of the place (Vaswani et al. 2017), as small as other weights."""
    angles = torch.arange(count)[:, None] * torch.exp(torch.arange(0, width, 2) * (-math.log(10_000) / width))
    return SPREAD * torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)[:, :width]
