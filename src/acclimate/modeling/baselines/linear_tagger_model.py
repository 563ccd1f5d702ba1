"""The plain baseline for tags: logistic regression on how words and their neighbours are written. Kept as JSON and safetensors."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from acclimate.data.found_words import found_words
from acclimate.data.ragged import Ragged
from acclimate.errors import ModelError
from acclimate.files import read_json, write_json
from acclimate.modeling.baselines.softmax_regression import softmax_regression
from acclimate.modeling.baselines.table import LINEAR_TAGGER
from acclimate.modeling.baselines.word_features import WordFeatures
from acclimate.modeling.finite import check_finite

TOLERANCE = 1e-4  # of the gradient: scikit-learn's own
MOST_STEPS = 1000  # of L-BFGS; a hundred are usual
TEXTS = 4096  # answered at a time, so that many take no more memory than some


@dataclass(frozen=True)
class LinearTagger:
    """A fitted baseline. `weights` [L, F], `bias` [L]."""

    labels: tuple[str, ...]
    features: WordFeatures
    weights: NDArray[np.float64]
    bias: NDArray[np.float64]

    def probabilities(self, texts: Sequence[str], words: Ragged | None = None) -> NDArray[np.float64]:
        """Probabilities [all words of all texts, L]; `words` as in `Split.words`, found by a simple rule where they are not given."""
        from scipy.special import softmax

        words = found_words(texts) if words is None else words
        found = [np.zeros((0, len(self.labels)))]
        for start in range(0, len(texts), TEXTS):
            some = np.arange(start, min(start + TEXTS, len(texts)))
            matrix = self.features.matrix(texts[start : start + TEXTS], words.take(some))
            found.append(softmax(matrix @ self.weights.T + self.bias, axis=1))
        return np.concatenate(found)

    def save(self, folder: Path) -> None:
        """Write the model's folder."""
        folder.mkdir(parents=True, exist_ok=True)
        facts = {"model_type": LINEAR_TAGGER, "labels": self.labels, "own": self.features.own, "near": self.features.near}
        write_json(folder / "config.json", facts)
        save_file({"weights": self.weights, "bias": self.bias}, folder / "model.safetensors")

    @staticmethod
    def load(folder: Path) -> "LinearTagger":
        """Read a folder that `save` wrote.

        Raises:
            ModelError: it is another kind of model, its files do not belong together, or its numbers are not finite.
        """
        config = read_json(folder / "config.json")
        if config.get("model_type") != LINEAR_TAGGER:
            raise ModelError(f"{folder}: not a linear tagger but {config.get('model_type')!r}")
        tensors = load_file(folder / "model.safetensors")
        check_finite(folder, ((name, bool(np.isfinite(tensors[name]).all())) for name in ("weights", "bias")))
        features = WordFeatures(tuple(config["own"]), tuple(config["near"]))
        model = LinearTagger(tuple(config["labels"]), features, tensors["weights"], tensors["bias"])
        if model.weights.shape != (len(model.labels), len(features)) or model.bias.shape != (len(model.labels),):
            raise ModelError(f"{folder}: model.safetensors does not fit config.json; the folder is damaged, copy it again")
        return model


def fits(
    texts: Sequence[str], words: Ragged, gold: NDArray[np.int64], labels: tuple[str, ...], strengths: Sequence[float], min_count: int
) -> Iterator[tuple[float, LinearTagger]]:
    """A model for each strength, fitted to the tag numbers `gold` [all words of all texts].

    `strengths` are inverse regularisations C of scikit-learn's LogisticRegression. The lowest comes first, and each fit begins where the
    one before it ended, which takes half as many steps.
    """
    from sklearn.linear_model import LogisticRegression

    features = WordFeatures.of(texts, words, min_count)
    matrix = features.matrix(texts, words)
    regression = LogisticRegression(tol=TOLERANCE, max_iter=MOST_STEPS, warm_start=True)
    for strength in sorted(strengths):
        weights, bias = softmax_regression(regression.set_params(C=strength), matrix, gold, len(labels))
        yield strength, LinearTagger(labels, features, weights, bias)
