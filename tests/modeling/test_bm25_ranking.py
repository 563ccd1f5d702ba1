"""BM25 as a baseline of retrieval: the order is bm25s's own, and a study says what is not better than it."""

import importlib
import json
import sys

import bm25s
import numpy as np
import pytest

from acclimate import load_encoder
from acclimate.errors import MissingExtraError, ModelError
from acclimate.evaluation.predictor import load_predictor
from acclimate.modeling.baselines import bm25_ranking
from acclimate.modeling.baselines.bm25_ranking import Bm25Ranking
from acclimate.modeling.baselines.word_list import words_of

WORDS = ["ship", "wave", "harbour", "sail", "tide", "tree", "leaf", "root", "branch", "moss", "the", "a"]


def texts(count, length, seed):
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, size=rng.integers(1, length))) for _ in range(count)]


def test_scores_are_those_of_bm25s_and_equal_ones_stand_in_the_order_of_the_documents():
    documents, queries = texts(60, 12, 0), texts(10, 4, 1)
    rows, scores = Bm25Ranking(documents, 1.2, 0.6).ranked(queries, 20)
    plain = bm25s.BM25(k1=1.2, b=0.6, method="lucene")
    plain.index([words_of(text) for text in documents], show_progress=False)
    for query, found, its in zip(queries, rows, scores, strict=True):
        expected = plain.get_scores(words_of(query))
        np.testing.assert_allclose(its, expected[found], rtol=1e-6)
        assert found.tolist() == sorted(range(60), key=lambda row: (-expected[row], row))[:20]


def test_few_documents_and_queries_without_a_known_word_are_answered_all_the_same():
    ranking = Bm25Ranking(["The ship, at sea!", "a tree", "?!"], 1.5, 0.75)
    rows, scores = ranking.ranked(["SHIP", "nothing known", ""], 10)
    assert rows.tolist() == [[0, 1, 2], [0, 1, 2], [0, 1, 2]]
    assert scores[0, 0] > 0
    assert not scores[1:].any()
    assert ranking.without_words(["SHIP", "nothing known", ""]) == 2
    assert Bm25Ranking(["?!"], 1.5, 0.75).ranked(["a"], 10)[0].tolist() == [[0]]
    assert Bm25Ranking(["a << b", "a b"], 1.5, 0.75, marks=True).ranked(["<<"], 1)[1][0, 0] > 0


def test_it_is_kept_as_what_it_was_made_with_and_labels_no_texts(tmp_path):
    Bm25Ranking(["the ship", "the tree"], 1.5, 0.75).save(tmp_path)
    kept = json.loads((tmp_path / "config.json").read_text())
    assert kept == {"model_type": "acclimate-bm25", "documents": 2, "words": 3, "k1": 1.5, "b": 0.75, "marks": False}
    with pytest.raises(ModelError, match="labels no texts, it ranks documents"):
        load_predictor(tmp_path)
    with pytest.raises(ModelError, match="acclimate-bm25 gives texts no vectors; of the plain baselines static and doc2vec do"):
        load_encoder(tmp_path)


def test_without_bm25s_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(bm25_ranking, "is_installed", lambda: False)
    with pytest.raises(MissingExtraError, match=r'bm25 needs bm25s: pip install "acclimate\[select\]"'):
        bm25_ranking.check_installed()


def test_bm25s_is_imported_without_jax_which_would_take_the_memory_of_a_gpu(tmp_path, monkeypatch):
    (tmp_path / "jax").mkdir()
    (tmp_path / "jax" / "__init__.py").write_text("")
    (tmp_path / "jax" / "lax.py").write_text("def top_k(scores, count):\n    raise AssertionError('three quarters of a GPU are taken')\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.split(".")[0] in ("bm25s", "jax")]:
        monkeypatch.delitem(sys.modules, name)
    assert Bm25Ranking(["the ship", "the tree"], 1.5, 0.75).ranked(["ship"], 1)[0].tolist() == [[0]]
    assert "jax" not in sys.modules
    assert importlib.import_module("jax.lax").top_k  # whoever else wants it has it
    for name in [name for name in sys.modules if name.split(".")[0] in ("bm25s", "jax")]:
        del sys.modules[name]  # not by monkeypatch, which would put it back
