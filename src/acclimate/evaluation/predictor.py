"""A trained model's folder, ready to label texts: plain baselines and transformers behind one face."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from acclimate.errors import ModelError
from acclimate.files import read_json
from acclimate.modeling import baselines
from acclimate.modeling.majority import MajorityModel
from acclimate.modeling.tfidf import TfidfModel


class Predictor(Protocol):
    """Labels texts."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The L labels, in the order of the probabilities' columns."""

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Probabilities [N, L]."""


def load_predictor(folder: Path, max_tokens: int = 8192) -> Predictor:
    """A predictor from the folder of a model that a study handed over or a fine-tuning wrote.

    Raises:
        ModelError: there is no trained classifier in the folder.
    """
    if not (folder / "config.json").is_file():
        raise ModelError(f"{folder}: no config.json here; give the folder of a trained model, e.g. results/NAME/best")
    config: dict[str, Any] = read_json(folder / "config.json")
    match config.get("model_type"):
        case baselines.MAJORITY:
            return MajorityModel.load(folder)
        case baselines.TFIDF:
            return TfidfModel.load(folder)
        case baselines.BILSTM:
            return BilstmPredictor(folder, max_tokens)
    return TransformerPredictor(folder, max_tokens)


class BilstmPredictor:
    """A BiLSTM over words."""

    def __init__(self, folder: Path, max_tokens: int) -> None:
        from acclimate.modeling.bilstm import BilstmClassifier
        from acclimate.training.devices import Devices

        self._devices = Devices()
        self._model = BilstmClassifier.load(folder).to(self._devices.device)
        self._max_tokens = max_tokens

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the order of the columns."""
        return self._model.config.labels

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Probabilities [N, L]; texts are cut to the words that the model was trained with."""
        from acclimate.evaluation.run_model import class_probabilities

        return class_probabilities(self._model, self._model.sequences(texts), len(self.labels), self._max_tokens, self._devices)


class TransformerPredictor:
    """A fine-tuned transformer, run on packed batches."""

    def __init__(self, folder: Path, max_tokens: int) -> None:
        from acclimate.data.tokens import special_ids
        from acclimate.modeling.execution import Packed
        from acclimate.modeling.folder import MAX_LENGTH, ModelFolder
        from acclimate.modeling.heads import load_trained_classifier
        from acclimate.modeling.limits import sequence_length
        from acclimate.training.devices import Devices

        self._folder = ModelFolder(folder)
        if "classifier" not in self._folder.parts:
            raise ModelError(f"{folder}: this model has no trained classifier; fine-tune it first")
        self._devices = Devices()
        self._packed = Packed(load_trained_classifier(self._folder)).to(self._devices.device)
        self._prefix, self._suffix = special_ids(self._folder.tokenizer())
        trained_with = self._folder.config.get(MAX_LENGTH)
        self._room = sequence_length(trained_with, self._folder) - len(self._prefix) - len(self._suffix)
        self._max_tokens = max_tokens

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the order of the columns."""
        return self._folder.labels

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Probabilities [N, L]; texts are cut to the length the model was fine-tuned with."""
        from acclimate.data.sequences import Sequences
        from acclimate.data.tokens import TokenStore
        from acclimate.data.windows import first
        from acclimate.evaluation.run_model import class_probabilities

        with tempfile.TemporaryDirectory() as folder:
            store = TokenStore.build(Path(folder) / "tokens", iter(texts), self._folder.tokenizer(), "prediction")
            sequences = Sequences(store, first(store, self._room), self._prefix, self._suffix)
            return class_probabilities(self._packed, sequences, len(self.labels), self._max_tokens, self._devices)
