"""The vectors of texts by an embedding model: lengths sorted, packed, in memory that is bounded."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from acclimate.data.batches import evaluation_batches
from acclimate.data.model_inputs import sequences_of
from acclimate.data.ragged import offsets_of
from acclimate.data.sequences import Sequences
from acclimate.data.tokens import TokenStore, encoded
from acclimate.evaluation.inference import Told, in_parts
from acclimate.modeling.divided_embedder import DividedEmbedder
from acclimate.modeling.embedder import Embedder
from acclimate.modeling.embedding_form import Side
from acclimate.modeling.tensors import TensorBatch
from acclimate.training.devices import Devices


class TextVectors(NamedTuple):
    """Vectors and what of the texts they do not tell."""

    vectors: NDArray[np.float32]
    """[N, E] in the order of the texts."""
    cut_texts: int
    """How many were not read to their end."""
    cut_tokens: int
    """Tokens that were not read."""
    tokens: int
    """Of all texts, read or not, without special ones."""


def text_vectors(
    embedder: Embedder, tokenizer: Tokenizer, texts: Sequence[str], micro: int, devices: Devices, side: Side | None = None,
    told: Told | None = None,
) -> TextVectors:  # fmt: skip
    """The vector of each text; with a `side`, of its prompt with the text behind it.

    Forward passes have at most `micro` tokens; `told` gets to know the tokens so far and those of all, and may raise to end it.

    Raises:
        DataError: a text is not valid Unicode.
    """
    read = read_texts(tokenizer, embedder.form.prompted(texts, side), embedder.length)
    return TextVectors(sequence_vectors(embedder, read, micro, devices, told), read.cut_texts, read.cut_tokens, read.tokens)


def read_texts(tokenizer: Tokenizer, texts: Sequence[str], length: int) -> Sequences:
    """The beginnings of texts, of `length` tokens at most, as a model reads them.

    Raises:
        DataError: a text is not valid Unicode.
    """
    ids, counts = encoded(tokenizer, texts)
    return sequences_of([TokenStore(ids.astype(np.uint32), offsets_of(counts))], tokenizer, length)


@torch.no_grad()
def sequence_vectors(
    embedder: Embedder | DividedEmbedder,
    read: Sequences,
    micro: int,
    devices: Devices,
    told: Told | None = None,
    run: Callable[[TensorBatch], torch.Tensor] | None = None,
    rows: NDArray[np.integer] | None = None,
) -> NDArray[np.float32]:
    """[N, E] of texts that were made into sequences already, or of these `rows` of them.

    `run`: what is asked of a batch [B, ...] instead of the vectors.
    """
    embedder.eval()
    chosen = np.arange(len(read)) if rows is None else rows
    lengths, done = read.lengths[chosen], 0
    every, batches = int(lengths.sum()), evaluation_batches(lengths, micro)
    vectors = np.zeros((0, embedder.width), dtype=np.float32)
    for indices in batches:
        found = torch.cat(in_parts(run or embedder, read.batch(chosen[indices]), devices)).float().cpu().numpy()
        if not len(vectors):
            vectors = np.empty((len(lengths), found.shape[1]), dtype=np.float32)
        vectors[indices] = found
        done += int(lengths[indices].sum())
        if told is not None:
            told(done, every)
    return vectors
