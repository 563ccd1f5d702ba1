"""The plain baseline: tf-idf of words and word pairs, and logistic regression, or ridge regression where a number is estimated.

Kept as JSON and safetensors, never as a pickle.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from acclimate.errors import ModelError, SettingsError
from acclimate.files import read_json, write_json
from acclimate.modeling.baselines.pair_features import pair_features
from acclimate.modeling.baselines.softmax_regression import each_by_itself, softmax_regression
from acclimate.modeling.baselines.table import TFIDF
from acclimate.modeling.baselines.word_list import WORD, words_and_marks_of
from acclimate.modeling.finite import check_finite
from acclimate.modeling.links import link_of, said
from acclimate.tasks.kind import Link


@dataclass(frozen=True)
class Terms:
    """What is counted in texts."""

    ngrams: int
    """Up to so many neighbouring words form a term."""
    most: int | None
    """The most frequent terms of the texts; None: all."""
    marks: bool = False
    """Whether punctuation and marks are words, too."""


@dataclass(frozen=True)
class TfidfModel:
    """A fitted baseline of V terms: `idf` [V], `weights` [L, F], `bias` [L]; of single texts F is V, of pairs as in `pair_features`."""

    labels: tuple[str, ...]
    terms: tuple[str, ...]
    ngrams: int
    idf: NDArray[np.float64]
    weights: NDArray[np.float64]
    bias: NDArray[np.float64]
    link: Link = "softmax"
    pairs: bool = False
    marks: bool = False
    """Whether punctuation and marks are words, too."""

    def features(self, *columns: Sequence[str]) -> Any:
        """The sparse matrix [N, F] of items of these columns of texts."""
        vocabulary = {term: number for number, term in enumerate(self.terms)}
        vectorizer = vectorizer_of(Terms(self.ngrams, None, self.marks), vocabulary)
        vectorizer.idf_ = self.idf
        return _features(vectorizer, columns)

    def probabilities(self, *columns: Sequence[str]) -> NDArray[np.float64]:
        """Probabilities [N, L] of items of these columns of texts; where a number is estimated, that.

        Raises:
            SettingsError: it was fitted to pairs and is given single texts, or the other way round.
        """
        from scipy.special import expit, softmax

        if len(columns) != 1 + self.pairs:
            what = "pairs, and was given single texts" if self.pairs else "single texts, and was given pairs"
            raise SettingsError(f"this model answers {what}")
        if not columns[0]:
            return np.zeros((0, len(self.labels)))  # which scikit-learn refuses
        outputs_NL = self.features(*columns) @ self.weights.T + self.bias
        match self.link:
            case "none":
                return np.asarray(outputs_NL)
            case "sigmoid":
                return np.asarray(expit(outputs_NL))
        return np.asarray(softmax(outputs_NL, axis=1))

    def save(self, folder: Path) -> None:
        """Write the model's folder."""
        folder.mkdir(parents=True, exist_ok=True)
        facts = {"model_type": TFIDF, "labels": self.labels, "ngrams": self.ngrams, "terms": self.terms}
        facts |= {name: True for name in ("pairs", "marks") if getattr(self, name)}
        write_json(folder / "config.json", facts | said(self.link))
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
            tuple(config["labels"]), tuple(config["terms"]), config["ngrams"], tensors["idf"], tensors["weights"], tensors["bias"],
            link_of(config), bool(config.get("pairs")), bool(config.get("marks")),
        )  # fmt: skip


def fit(
    columns: Sequence[Sequence[str]], gold: NDArray[Any], labels: tuple[str, ...], strength: float, terms: Terms,
    balanced: bool, link: Link = "softmax",
) -> TfidfModel:  # fmt: skip
    """Fit the baseline to class numbers [N], to which labels items have [N, L], each label by itself, or to numbers [N].

    `columns` of texts are one, or the two of pairs. `strength` is the inverse regularisation C of scikit-learn's LogisticRegression (of
    Ridge, 1 / alpha). A class without training examples gets probability close to zero, so that the columns stay those of `labels`.
    """
    ((_, model),) = fit_each(columns, gold, labels, (strength,), terms, balanced, link)
    return model


def fit_each(
    columns: Sequence[Sequence[str]], gold: NDArray[Any], labels: tuple[str, ...], strengths: Sequence[float], terms: Terms,
    balanced: bool, link: Link = "softmax",
) -> Iterator[tuple[float, TfidfModel]]:  # fmt: skip
    """Each strength with what `fit` makes of it; the terms of the texts, which take most of the time, are counted once."""
    vectorizer = vectorizer_of(terms)
    if len(columns) == 1:
        matrix = vectorizer.fit_transform(columns[0])  # in one go: twice as fast
    else:
        matrix = _features(vectorizer.fit([text for column in columns for text in column]), columns)
    names, idf = tuple(str(term) for term in vectorizer.get_feature_names_out()), np.asarray(vectorizer.idf_)
    for strength in strengths:
        if link == "none":
            weights, bias = _number(matrix, gold, strength)
        else:
            weights, bias = (_each_by_itself if link == "sigmoid" else _one_of_all)(matrix, gold, len(labels), strength, balanced)
        yield strength, TfidfModel(labels, names, terms.ngrams, idf, weights, bias, link, len(columns) == 2, terms.marks)


def _features(vectorizer: Any, columns: Sequence[Sequence[str]]) -> Any:
    matrices = [vectorizer.transform(column) for column in columns]
    return pair_features(*matrices) if len(matrices) == 2 else matrices[0]


def _number(matrix: Any, gold: NDArray[np.float64], strength: float) -> tuple[Any, Any]:
    """Weights [1, F] and bias [1] of a ridge regression."""
    from sklearn.linear_model import Ridge

    regression = Ridge(alpha=1 / strength).fit(matrix, gold)
    return regression.coef_[None], np.array([regression.intercept_])


def _one_of_all(matrix: Any, gold: NDArray[np.int64], labels: int, strength: float, balanced: bool) -> tuple[Any, Any]:
    """Weights [L, F] and bias [L] whose softmax are the probabilities."""
    return softmax_regression(_regression(strength, "balanced" if balanced else None), matrix, gold, labels)


def _each_by_itself(matrix: Any, gold: NDArray[np.bool_], labels: int, strength: float, balanced: bool) -> tuple[Any, Any]:
    """Weights [L, F] and bias [L] whose sigmoids are the probabilities: one logistic regression a label."""

    def regression(with_label: NDArray[np.bool_]) -> Any:
        return _regression(strength, {True: (~with_label).sum() / with_label.sum()} if balanced else None)

    return each_by_itself(regression, matrix, gold)


def _regression(strength: float, class_weight: Any) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=strength, max_iter=2000, class_weight=class_weight)


def vectorizer_of(terms: Terms, vocabulary: dict[str, int] | None = None) -> Any:
    """scikit-learn's vectorizer of these terms; with a `vocabulary` of just those that it holds."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    read = {"tokenizer": words_and_marks_of, "token_pattern": None} if terms.marks else {"token_pattern": WORD}
    # Sublinear counts and no stop list.
    return TfidfVectorizer(ngram_range=(1, terms.ngrams), sublinear_tf=True, vocabulary=vocabulary, max_features=terms.most, **read)
