"""tf-idf as a baseline of retrieval: the cosine of every document with the query, computed in blocks."""

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics.pairwise import cosine_similarity
from tests.modeling.test_bm25_ranking import texts

from acclimate.errors import ModelError, SettingsError
from acclimate.evaluation.predictor import load_predictor
from acclimate.evaluation.word_ranking import WordRanking
from acclimate.modeling.baselines import tfidf_ranking
from acclimate.modeling.baselines.tfidf_model import Terms
from acclimate.modeling.baselines.tfidf_ranking import TfidfRanking
from acclimate.stages.tfidf import Tfidf
from acclimate.tasks.retrieve import Retrieve

TERMS = Terms(2, 200_000)


def test_scores_are_the_cosines_and_equal_ones_stand_in_the_order_of_the_documents(monkeypatch):
    monkeypatch.setattr(tfidf_ranking, "AT_ONCE", 150)  # two queries at a time
    documents, queries = texts(60, 12, 0), texts(7, 4, 1)
    rows, scores = TfidfRanking(documents, TERMS).ranked(queries, 20)
    plain = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\w+").fit(documents)
    cosines = cosine_similarity(plain.transform(queries), plain.transform(documents))
    for expected, found, its in zip(cosines, rows, scores, strict=True):
        np.testing.assert_allclose(its, expected[found], atol=1e-12)
        assert found.tolist() == sorted(range(60), key=lambda row: (-round(expected[row], 9), row))[:20]


def test_documents_and_queries_without_words_are_answered_all_the_same():
    ranking = TfidfRanking(["The ship, at sea!", "a tree", "?!"], TERMS)
    rows, scores = ranking.ranked(["SHIP", "nothing known", ""], 10)
    assert rows.tolist() == [[0, 1, 2]] * 3
    assert scores[0, 0] > 0
    assert not scores[1:].any()
    assert ranking.without_words(["SHIP", "nothing known", ""]) == 2
    empty = TfidfRanking(["?!", "..."], TERMS)
    assert (empty.ranked(["a"], 10)[0].tolist(), empty.without_words(["a"]), empty.size) == ([[0, 1]], 1, 0)


def test_it_is_kept_as_what_it_was_made_with_and_ranks_other_documents(tmp_path):
    TfidfRanking(["the ship", "the tree"], Terms(1, 50, marks=True)).save(tmp_path)
    kept = WordRanking.of(tmp_path).over(["a << b", "a b"])
    assert kept.terms == Terms(1, 50, marks=True)
    assert kept.ranked(["<<"], 1)[0].tolist() == [[0]]
    with pytest.raises(ModelError, match="labels no texts, it ranks documents"):
        load_predictor(tmp_path)


@pytest.mark.parametrize("setting", [{"strengths": (1.0,)}, {"class_weights": "balanced"}, {"select_by": "ndcg_at_10"}])
def test_settings_of_what_is_fitted_are_refused_where_nothing_is(setting):
    class Asked:
        kind = Retrieve(path="x")
        names = ()

    with pytest.raises(SettingsError, match="ranked by the cosine alone, and nothing is fitted"):
        Tfidf(**setting).check(None, Asked())
    assert Tfidf(ngrams=1).check(None, Asked()) is None
