import numpy as np
import pytest

from acclimate.data import exact_search
from acclimate.data.exact_search import most_similar, unit


@pytest.mark.parametrize("count", [1, 7, 90, 200])
def test_the_nearest_are_those_of_one_sort_of_all_products_whatever_the_blocks(count, monkeypatch):
    monkeypatch.setattr(exact_search, "QUERIES", 5)
    monkeypatch.setattr(exact_search, "DOCUMENTS", 16)
    rng = np.random.default_rng(0)
    # Whole numbers: products are exact, and many of them equal.
    queries, documents = (rng.integers(-2, 3, (rows, 4)).astype(np.float32) for rows in (12, 90))
    products = queries @ documents.T
    order = np.argsort(-products, axis=1, kind="stable")[:, :count]
    found = most_similar(queries, documents, count)
    assert found.rows.tolist() == order.tolist()
    assert found.scores.tolist() == np.take_along_axis(products, order, axis=1).tolist()


def test_vectors_of_length_one_and_those_without_a_direction():
    found = unit(np.array([[3.0, 4.0], [0.0, 0.0]]))
    assert found.tolist() == [[0.6, 0.8], [0.0, 0.0]]
