"""The sizes of a model that is to be made from nothing, and what can be said of it before any of it exists. No torch."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from acclimate.modeling.families import HEADS, LAYERS, POSITIONS, WIDTH
from acclimate.settings import Settings

SEGMENTS = 2  # of a pair of texts, as BERT has them
DROPOUT = 0.1  # as BERT has it; stages that train without say so themselves


class Shape(Settings):
    """The architecture of BERT (Devlin et al. 2019), or of a decoder, in sizes of your own."""

    architecture: Literal["bert", "gpt2"] = "bert"
    """An encoder, BERT, or a decoder that differs from it in little else than in that: GPT-2 (Radford et al. 2019)."""
    layers: int = Field(gt=0, le=LAYERS)
    """Blocks of attention and feed-forward."""
    hidden: int = Field(gt=0, le=WIDTH)
    """Width of a token's vector."""
    heads: int = Field(gt=0, le=HEADS)
    """Heads of attention; they divide `hidden`."""
    feed_forward: int | None = Field(default=None, gt=0, le=8 * WIDTH)
    """Width inside the feed-forward part; default four times `hidden`."""
    positions: int = Field(default=512, ge=8, le=POSITIONS)
    """Tokens of the longest sequence, special ones included."""
    tokenizer: str | None = Field(default=None, min_length=1)
    """Whose vocabulary it speaks: a folder (`acclimate tokenizer` makes one), a model or a hub id; default the study's base."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.hidden % self.heads:
            raise ValueError(f"`hidden: {self.hidden}` cannot be divided into {self.heads} heads")
        return self

    def words(self) -> str:
        """For people, e.g. `2 layers of 128`."""
        kind = "decoder, " if self.decoder else ""
        return f"{kind}{self.layers} layer{'s' if self.layers > 1 else ''} of {self.hidden}"

    @property
    def decoder(self) -> bool:
        """Whether it reads from left to right."""
        return self.architecture != "bert"

    def config(self, vocabulary: int, padding: int, begin: int | None = None, end: int | None = None) -> dict[str, Any]:
        """The config.json for a vocabulary of so many ids; `padding`, and of a decoder `begin` and `end` of a text, are ids of tokens."""
        if self.decoder:
            return {
                "model_type": self.architecture,
                "vocab_size": vocabulary,
                "pad_token_id": padding,
                "bos_token_id": begin,
                "eos_token_id": end,
                "n_embd": self.hidden,
                "n_layer": self.layers,
                "n_head": self.heads,
                "n_inner": self._inside,
                "n_positions": self.positions,
                "activation_function": "gelu_new",
                "resid_pdrop": DROPOUT,
                "embd_pdrop": DROPOUT,
                "attn_pdrop": DROPOUT,
                "initializer_range": 0.02,
                "layer_norm_epsilon": 1e-5,
                "tie_word_embeddings": True,
            }
        return {
            "model_type": "bert",
            "vocab_size": vocabulary,
            "pad_token_id": padding,
            "hidden_size": self.hidden,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "intermediate_size": self._inside,
            "max_position_embeddings": self.positions,
            "type_vocab_size": SEGMENTS,
            "hidden_act": "gelu",
            "hidden_dropout_prob": DROPOUT,
            "attention_probs_dropout_prob": DROPOUT,
            "initializer_range": 0.02,
            "layer_norm_eps": 1e-12,
            "tie_word_embeddings": True,
        }

    def parameters(self, vocabulary: int) -> int:
        """Of the body, the pooler and the MLM head, which is tied to the embeddings; a decoder has neither pooler nor head of its own."""
        width, inside = self.hidden, self._inside
        norm, square = 2 * width, width * width + width
        layer = 4 * square + norm + (width * inside + inside) + (inside * width + width) + norm
        if self.decoder:
            return (vocabulary + self.positions) * width + self.layers * layer + norm
        embeddings = (vocabulary + self.positions + SEGMENTS) * width + norm
        head = square + norm + vocabulary
        return embeddings + self.layers * layer + square + head

    @property
    def _inside(self) -> int:
        return self.feed_forward or 4 * self.hidden
