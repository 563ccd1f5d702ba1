"""A model that answers by the vectors of texts, ready to be asked: an encoder, and a head that is not part of it."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acclimate.evaluation.by_vectors import encoded_columns
from acclimate.evaluation.trained_folder import finite_weights, refuse_one_text
from acclimate.evaluation.unread import Unread
from acclimate.modeling.embedding_form import Side
from acclimate.modeling.vector_heads import VectorHead, refuse_columns
from acclimate.tasks.kind import Link


class VectorPredictor:
    """An encoder run on packed batches, and the head that a stage fitted on its vectors."""

    def __init__(self, folder: Path, max_tokens: int, head: VectorHead, told: Mapping[str, Any]) -> None:
        """`told`: what the folder says of the head (`read_head`)."""
        from acclimate.evaluation.encoder_vectors import EncoderVectors
        from acclimate.modeling.embedder import load_embedder
        from acclimate.modeling.folder import ModelFolder
        from acclimate.training.devices import Devices

        model = ModelFolder(folder)
        embedder = load_embedder(model)
        finite_weights(folder, embedder)
        self._vectors = EncoderVectors(embedder, model.tokenizer(), max_tokens, Devices(), told.get("dimensions"))
        self._head, self._texts = head, int(told["texts"])

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the order of the columns."""
        return self._head.labels

    @property
    def link(self) -> Link:
        """What its numbers mean."""
        return self._head.link

    @property
    def unread(self) -> Unread:
        """What it cut of the texts that it was asked about so far."""
        return self._vectors.unread

    def probabilities(self, *columns: Sequence[str]) -> NDArray[np.float64]:
        """[N, L] of items of these columns of texts; of pairs with a score [N, 1] the cosine.

        Raises:
            SettingsError: these are not as many columns as an item has.
            TypeError: one text stands in the place of several.
        """
        refuse_one_text(*columns)
        refuse_columns(len(columns), self._texts)
        if not columns[0]:
            return np.zeros((0, len(self.labels)))
        cut: set[str] = set()

        def encode(texts: Sequence[str], side: Side | None) -> NDArray[np.float32]:
            found = self._vectors.of(texts, side)
            assert self.unread.cut is not None
            cut.update(itertools.compress(texts, self.unread.cut))
            return found

        outputs = self._head.outputs(*encoded_columns(columns, encode))
        # What stands in several items was asked about once.
        self.unread.cut = np.array([not cut.isdisjoint(item) for item in zip(*columns, strict=True)])
        return outputs
