import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from acclimate.errors import ModelError
from acclimate.modeling.base_files import VECTORS
from acclimate.modeling.vector_heads import FILE, Cosine, features, logistic, nearest, read_head, write_head

LABELS = ("a", "b", "c")


@pytest.fixture
def drawn():
    rng = np.random.default_rng(0)
    gold = rng.integers(0, 3, 60)
    vectors = (rng.normal(size=(60, 5)) + 2 * np.eye(5)[gold]).astype(np.float32)
    return vectors, gold, rng.normal(size=(20, 5)).astype(np.float32)


def fitted(vectors, gold, strength=2.0, link="softmax"):
    ((_, head),) = logistic([vectors], gold, LABELS, [strength], link)
    return head


def test_logistic_regression_is_scikit_learns(drawn):
    vectors, gold, asked = drawn
    expected = LogisticRegression(C=2.0, max_iter=2000).fit(vectors.astype(np.float64), gold).predict_proba(asked.astype(np.float64))
    assert fitted(vectors, gold).outputs(asked) == pytest.approx(expected, abs=1e-12)


def test_several_labels_are_fitted_each_by_itself_and_one_that_train_lacks_is_never_given(drawn):
    vectors, gold, asked = drawn
    several = np.stack([gold == 0, gold > 0, np.zeros(60, bool)], axis=1)
    found = fitted(vectors, several, link="sigmoid").outputs(asked)
    alone = LogisticRegression(C=2.0, max_iter=2000).fit(vectors.astype(np.float64), gold > 0)
    assert found[:, 1] == pytest.approx(alone.predict_proba(asked.astype(np.float64))[:, 1], abs=1e-12)
    assert found[:, 2].max() < 1e-20


def test_nearest_neighbours_are_scikit_learns_by_cosine(drawn):
    vectors, gold, asked = drawn
    expected = KNeighborsClassifier(7, metric="cosine").fit(vectors, gold).predict_proba(asked)
    assert nearest([vectors], gold, LABELS, 7, "softmax").outputs(asked) == pytest.approx(expected, abs=1e-12)
    assert nearest([vectors], gold, LABELS, 1000, "softmax").neighbours == 60


def test_pairs_are_told_apart_by_both_vectors_their_difference_and_their_product():
    first, second = np.array([[1.0, 2.0]]), np.array([[3.0, -1.0]])
    assert features([first, second]).tolist() == [[1, 2, 3, -1, 2, 3, 3, -2]]


def test_the_cosine_of_a_vector_without_a_direction_is_nought():
    first, second = np.array([[1.0, 1.0], [0.0, 0.0]]), np.array([[2.0, 0.0], [1.0, 0.0]])
    assert Cosine(("score",)).outputs(first, second)[:, 0] == pytest.approx([0.5**0.5, 0.0])


@pytest.mark.parametrize("made", ["logistic", "knn", "cosine"])
def test_a_head_is_kept_as_safetensors_and_json_and_answers_as_before(made, drawn, tmp_path):
    vectors, gold, asked = drawn
    head = {"logistic": lambda: fitted(vectors, gold), "knn": lambda: nearest([vectors], gold, LABELS, 3, "softmax"),
            "cosine": lambda: Cosine(("score",))}[made]()  # fmt: skip
    (tmp_path / "config.json").write_text('{"model_type": "x"}')
    write_head(tmp_path, head, 1, {"max_length": 9})
    again, told = read_head(tmp_path)
    columns = [asked] if made != "cosine" else [asked, vectors[:20]]
    assert again.outputs(*columns).tobytes() == head.outputs(*columns).tobytes()
    assert (again.labels, again.link) == (head.labels, head.link)
    assert (told["head"], told["texts"], told["max_length"]) == (made, 1, 9)
    assert json.loads((tmp_path / "config.json").read_text())["model_type"] == "x"


def test_a_head_whose_files_do_not_belong_together_is_refused(drawn, tmp_path):
    vectors, gold, _ = drawn
    (tmp_path / "config.json").write_text("{}")
    assert read_head(tmp_path) is None
    write_head(tmp_path, fitted(vectors, gold), 1)
    tensors = load_file(tmp_path / FILE)
    save_file({**tensors, "bias": tensors["bias"][:2]}, tmp_path / FILE)
    with pytest.raises(ModelError, match="do not belong together"):
        read_head(tmp_path)
    save_file({**tensors, "bias": np.full(3, np.nan)}, tmp_path / FILE)
    with pytest.raises(ModelError, match="not finite"):
        read_head(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({VECTORS: {"head": "pickle"}}))
    with pytest.raises(ModelError, match="names none of the heads"):
        read_head(tmp_path)
