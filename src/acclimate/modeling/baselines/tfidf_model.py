"""The plain baseline: tf-idf of words and word pairs, and logistic regression. Kept as JSON and safetensors, never as a pickle."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from acclimate.errors import ModelError
from acclimate.files import read_json, write_json
from acclimate.modeling.baselines.table import TFIDF
from acclimate.modeling.baselines.word_list import WORD
from acclimate.modeling.finite import check_finite


@dataclass(frozen=True)
class TfidfModel:
    """A fitted baseline. `terms` [F], `idf` [F], `weights` [L, F], `bias` [L]."""

    labels: tuple[str, ...]
    terms: tuple[str, ...]
    ngrams: int
    idf: NDArray[np.float64]
    weights: NDArray[np.float64]
    bias: NDArray[np.float64]

    def features(self, texts: Sequence[str]) -> Any:
        """The sparse tf-idf matrix [N, F]."""
        vectorizer = _vectorizer(self.ngrams, vocabulary={term: number for number, term in enumerate(self.terms)})
        vectorizer.idf_ = self.idf
        return vectorizer.transform(texts)

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Probabilities [N, L]."""
        from scipy.special import softmax

        return np.asarray(softmax(self.features(texts) @ self.weights.T + self.bias, axis=1))

    def save(self, folder: Path) -> None:
        """Write the model's folder."""
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "config.json", {"model_type": TFIDF, "labels": self.labels, "ngrams": self.ngrams, "terms": self.terms})
        save_file({"idf": self.idf, "weights": self.weights, "bias": self.bias}, folder / "model.safetensors")

    @staticmethod
    def load(folder: Path) -> "TfidfModel":
        """Read a folder that `save` wrote.

        Raises:
            ModelError: it is another kind of model, or its numbers are not finite.
        """
        config = read_json(folder / "config.json")
        if config.get("model_type") != TFIDF:
            raise ModelError(f"{folder}: not a tf-idf baseline but {config.get('model_type')!r}")
        tensors = load_file(folder / "model.safetensors")
        check_finite(folder, ((name, bool(np.isfinite(tensors[name]).all())) for name in ("idf", "weights", "bias")))
        return TfidfModel(
            tuple(config["labels"]), tuple(config["terms"]), config["ngrams"], tensors["idf"], tensors["weights"], tensors["bias"]
        )


def fit(
    texts: Sequence[str], gold: NDArray[np.int64], labels: tuple[str, ...], strength: float, ngrams: int, most_terms: int, class_weight: Any
) -> TfidfModel:
    """Fit the baseline; `strength` is the inverse regularisation C of scikit-learn's LogisticRegression.

    A class without training examples gets probability close to zero, so that the columns stay those of `labels`.
    """
    from sklearn.linear_model import LogisticRegression

    vectorizer = _vectorizer(ngrams, most_terms=most_terms)
    matrix = vectorizer.fit_transform(texts)
    present = np.unique(gold)
    weights = np.zeros((len(labels), matrix.shape[1]))
    bias = np.full(len(labels), -50.0)  # e^-50: never predicted
    if len(present) == 1:
        bias[present] = 0.0
    else:
        regression = LogisticRegression(C=strength, max_iter=2000, class_weight=class_weight).fit(matrix, gold)
        if len(present) == 2:
            # scikit-learn keeps one row for two classes; halves of opposite sign give the same probabilities through softmax.
            weights[present] = np.concatenate([-regression.coef_, regression.coef_]) / 2
            bias[present] = np.concatenate([-regression.intercept_, regression.intercept_]) / 2
        else:
            weights[present], bias[present] = regression.coef_, regression.intercept_
    terms = tuple(str(term) for term in vectorizer.get_feature_names_out())
    return TfidfModel(labels, terms, ngrams, np.asarray(vectorizer.idf_), weights, bias)


def _vectorizer(ngrams: int, vocabulary: dict[str, int] | None = None, most_terms: int | None = None) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    # Sublinear counts and no stop list.
    return TfidfVectorizer(ngram_range=(1, ngrams), sublinear_tf=True, token_pattern=WORD, vocabulary=vocabulary, max_features=most_terms)
