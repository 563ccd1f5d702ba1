import json
from unittest.mock import Mock

import numpy as np
import pytest

from acclimate.evaluation.by_vectors import HeadSettings, by_vectors
from acclimate.tasks.classify import Classify
from acclimate.tasks.similarity import Similarity
from acclimate.tasks.task import Task


def encode(texts, side):
    """Vectors that tell letters apart, and nothing else."""
    assert len(set(texts)) == len(texts), "a text is encoded once"
    assert side is None
    return np.array([[text.count(letter) for letter in "abc"] for text in texts], dtype=np.float32)


def drawn(texts, side):
    """A vector of its own for every text."""
    return np.stack([np.random.default_rng([ord(letter) for letter in text]).normal(size=8) for text in texts]).astype(np.float32)


def opened(kind, folder, rows):
    for split, records in rows.items():
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return Task.open(kind(path="."), folder)


@pytest.fixture
def letters(tmp_path):
    rng = np.random.default_rng(0)

    def rows(count):
        return [{"text": f"{letter * int(rng.integers(2, 9))} {other} {rng.integers(10**6)}", "label": letter}
                for letter, other in ("ab", "bc", "ca") for _ in range(count)]  # fmt: skip

    return opened(Classify, tmp_path, {"train": rows(12), "dev": rows(4), "test": rows(5)})


@pytest.mark.parametrize("classify", ["logistic", "knn"])
def test_texts_with_labels_are_answered_by_what_is_fitted_on_the_vectors_of_train(classify, letters):
    found = by_vectors(letters, "sequence", encode, HeadSettings(classify, 3))
    answers = letters.kind.decoded(found.form, found.test, letters.test)
    assert letters.kind.scores(letters.test, answers)["accuracy"] == 1.0
    assert found.head.labels == ("a", "b", "c")


def test_dev_decides_on_the_strength_and_the_strongest_of_equals_is_taken(letters):
    found = by_vectors(letters, "sequence", encode, HeadSettings(strengths=(1e-6, 1.0, 10.0)))
    scores = [line["dev_macro_f1"] for line in found.log]
    assert found.metrics["strength"] == (1e-6, 1.0, 10.0)[int(np.argmax(scores))]
    assert [line["strength"] for line in found.log] == [1e-6, 1.0, 10.0]


def test_more_neighbours_than_train_has_are_all_of_them_and_it_is_said(letters):
    found = by_vectors(letters, "sequence", encode, HeadSettings("knn", 100))
    assert found.metrics == {"neighbours": 36}
    assert found.notes == ("knn asks all 36 training texts: there are fewer than 100",)


def test_the_similarity_of_pairs_is_the_cosine_as_sentence_transformers_evaluator_has_it(tmp_path):
    from sentence_transformers.sentence_transformer.evaluation import EmbeddingSimilarityEvaluator

    rng = np.random.default_rng(0)

    def rows(count):
        return [{"sentence1": "".join(rng.choice([*"abc"], 6)), "sentence2": "".join(rng.choice([*"abc"], 6)), "score": number / count}
                for number in range(count)]  # fmt: skip

    task = opened(Similarity, tmp_path, {"train": rows(9), "dev": rows(10), "test": rows(40)})
    found = by_vectors(task, "embedding", drawn)
    scores = task.kind.scores(task.test, task.kind.decoded(found.form, found.test, task.test))
    first, second = task.test.inputs
    judge = EmbeddingSimilarityEvaluator(
        list(first), list(second), task.test.gold.tolist(), similarity_fn_names=["cosine"], write_csv=False
    )
    expected = judge(Mock(encode=lambda texts, **_: drawn(texts, None), similarity_fn_name="cosine"))
    assert scores["spearman"] == pytest.approx(expected["spearman_cosine"], abs=1e-6)
    assert scores["pearson"] == pytest.approx(expected["pearson_cosine"], abs=1e-6)
    assert "errors (mae, mse) say nothing" in found.notes[0]
