"""The vectors that an embedding model gives texts, cut to the dimensions that are looked at; what of the texts was not read is counted."""

import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from acclimate.data.exact_search import unit
from acclimate.data.sequences import Sequences
from acclimate.data.tokens import plain
from acclimate.data.unknown import Unread as Unknown
from acclimate.evaluation.inference import Told
from acclimate.evaluation.kept_vectors import Kept, VectorCache, computed
from acclimate.evaluation.text_vectors import read_texts, sequence_vectors
from acclimate.evaluation.unread import Unread
from acclimate.modeling.embedder import Embedder
from acclimate.modeling.embedding_form import Side
from acclimate.training.devices import Devices


class EncoderVectors:
    """An embedding model on a device, ready to be asked."""

    def __init__(
        self, embedder: Embedder, tokenizer: Tokenizer, micro: int, devices: Devices, dimensions: int | None = None,
        cache: VectorCache | None = None,
    ) -> None:  # fmt: skip
        """`micro`: tokens of the largest forward pass; `dimensions`: the first so many are given, None: all; `cache`: keeps them."""
        self._embedder, self._tokenizer, self._micro, self._devices = embedder.to(devices.device), tokenizer, micro, devices
        self._dimensions, self._cache = dimensions, cache
        self._seconds = 0.0
        self.unread = Unread(embedder.length)
        self.unknown = 0
        """Tokens so far that are unknown to the vocabulary; where it drops what it does not know, the runs of characters."""
        self._unknown = Unknown.by(plain(tokenizer))

    def of(self, texts: Sequence[str], side: Side | None = None, told: Told | None = None) -> NDArray[np.float32]:
        """[N, E] the vector of each text."""
        began = time.monotonic()
        asked = self._embedder.form.prompted(texts, side)
        read = read_texts(self._tokenizer, asked, self._embedder.length)
        self._seconds += time.monotonic() - began
        self.unread.add(read)
        self.unknown += int(self._unknown.counts(asked, read.store.tokens, np.diff(read.store.offsets))[:, 0].sum())
        found = self._found(read, lambda: sequence_vectors(self._embedder, read, self._micro, self._devices, told))
        self._seconds += found.seconds
        vectors = found.vectors[:, : self._dimensions]
        shorter = self._dimensions is not None and self._embedder.form.normalize
        return unit(vectors).astype(np.float32) if shorter else vectors

    def _found(self, read: Sequences, compute: Callable[[], NDArray[np.float32]]) -> Kept:
        return computed(compute) if self._cache is None else self._cache.of(read, self._embedder.width, compute)

    @property
    def speed(self) -> float:
        """Texts a second so far; kept vectors count with the time that they took."""
        return self.unread.texts / max(self._seconds, 1e-9)

    @property
    def cut_share(self) -> float:
        """Of the tokens so far those that were not read."""
        return self.unread.cut_units / max(1, self.unread.units)
