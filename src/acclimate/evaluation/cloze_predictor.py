"""A masked language model that gives labels by their words, ready to answer."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from acclimate.errors import SettingsError
from acclimate.evaluation.trained_folder import finite_weights, refuse_one_text
from acclimate.evaluation.unread import Unread
from acclimate.modeling.base_files import MAX_LENGTH
from acclimate.modeling.label_words import Cloze
from acclimate.tasks.kind import Link


class ClozePredictor:
    """A model with a template and label words, run on packed batches."""

    link: Link = "softmax"

    def __init__(self, folder: Path, max_tokens: int, cloze: Cloze) -> None:
        from acclimate.modeling.execution import Packed
        from acclimate.modeling.folder import ModelFolder
        from acclimate.modeling.heads import load_asked
        from acclimate.modeling.longest import sequence_length
        from acclimate.training.devices import Devices

        self.cloze = cloze
        model = ModelFolder(folder)
        self._tokenizer = model.tokenizer()
        self._tokens = cloze.tokens(self._tokenizer)
        self._devices = Devices()
        asked = load_asked(model, self._tokens.words, None)
        finite_weights(folder, asked)
        self._packed = Packed(asked).to(self._devices.device)
        self._length = sequence_length(model.config.get(MAX_LENGTH), model)
        self._max_tokens = max_tokens
        self.unread = Unread(self._length)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the order of the columns."""
        return self.cloze.labels

    def probabilities(self, *columns: Sequence[str]) -> NDArray[np.float64]:
        """Probabilities [N, L] that sum to 1 over the labels; texts are cut to the length of the study's, the template never.

        Raises:
            SettingsError: it answers single texts, and was given pairs.
            TypeError: one text stands in the place of several.
        """
        from acclimate.data.cloze import cloze_sequences
        from acclimate.data.tokens import TokenStore
        from acclimate.evaluation.inference import class_probabilities

        refuse_one_text(*columns)
        if len(columns) != self.cloze.texts:
            raise SettingsError("this model answers single texts, and was given pairs: say probabilities(texts)")
        with tempfile.TemporaryDirectory() as folder:
            stores = [
                TokenStore.build(Path(folder) / f"tokens {number}", iter(column), self._tokenizer, "prediction")
                for number, column in enumerate(self._tokens.pattern.led(columns))
            ]
            texts = cloze_sequences(stores, self._tokens.pattern, self._length)
            self.unread.add(texts)
            return class_probabilities(self._packed, texts, len(self.labels), self._max_tokens, self._devices)
