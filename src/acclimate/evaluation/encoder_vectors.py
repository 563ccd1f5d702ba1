"""The vectors that an embedding model gives texts, cut to the dimensions that are looked at; what of the texts was not read is counted."""

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from acclimate.data.exact_search import unit
from acclimate.evaluation.inference import Told
from acclimate.evaluation.text_vectors import text_vectors
from acclimate.evaluation.unread import Unread
from acclimate.modeling.embedder import Embedder
from acclimate.modeling.embedding_form import Side
from acclimate.training.devices import Devices


class EncoderVectors:
    """An embedding model on a device, ready to be asked."""

    def __init__(self, embedder: Embedder, tokenizer: Tokenizer, micro: int, devices: Devices, dimensions: int | None = None) -> None:
        """`micro`: tokens of the largest forward pass; `dimensions`: the first so many are given, None: all."""
        self._embedder, self._tokenizer, self._micro, self._devices = embedder.to(devices.device), tokenizer, micro, devices
        self._dimensions = dimensions
        self._seconds = 0.0
        self.unread = Unread(embedder.length)

    def of(self, texts: Sequence[str], side: Side | None = None, told: Told | None = None) -> NDArray[np.float32]:
        """[N, E] the vector of each text."""
        began = time.monotonic()
        found = text_vectors(self._embedder, self._tokenizer, texts, self._micro, self._devices, side, told)
        self._seconds += time.monotonic() - began
        self.unread.count(len(texts), found.cut_texts, found.tokens, found.cut_tokens)
        vectors = found.vectors[:, : self._dimensions]
        shorter = self._dimensions is not None and self._embedder.form.normalize
        return unit(vectors).astype(np.float32) if shorter else vectors

    @property
    def speed(self) -> float:
        """Texts a second so far."""
        return self.unread.texts / max(self._seconds, 1e-9)

    @property
    def cut_share(self) -> float:
        """Of the tokens so far those that were not read."""
        return self.unread.cut_units / max(1, self.unread.units)
