"""Vectors that a student is to give: the teacher's, or what of them lies along the principal components that scikit-learn finds."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from acclimate.objectives import near_vectors
from acclimate.objectives.near_vectors import WANTED, NearVectors, WantedVectors, mean_distance


@pytest.fixture
def said():
    drawn = np.random.default_rng(0)
    vectors = (drawn.normal(size=(200, 6)) @ drawn.normal(size=(6, 6)) + 3).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize("unit", [True, False])
def test_along_principal_components_distances_are_those_of_scikit_learn(said, unit, monkeypatch):
    monkeypatch.setattr(near_vectors, "PART", 64)  # several parts
    rows = np.arange(0, 200, 2)
    wanted = WantedVectors.of(said, 3, unit, rows)
    fitted = PCA(3).fit(said[rows].astype(np.float64))
    assert wanted.kept == pytest.approx(fitted.explained_variance_ratio_.sum(), abs=1e-6)
    expected = said @ fitted.components_.T
    expected = expected / np.linalg.norm(expected, axis=1, keepdims=True) if unit else expected
    found = wanted.rows(np.arange(200))
    np.testing.assert_allclose(found @ found.T, expected @ expected.T, atol=1e-5)  # whatever the signs
    assert found.shape == (200, 3)


def test_vectors_as_wide_as_the_teachers_are_the_teachers(said):
    wanted = WantedVectors.of(said, 6, True, np.arange(200))
    assert (wanted.components_FE, wanted.kept) == (None, 1.0)
    assert np.array_equal(wanted.rows(np.array([4, 1])), said[[4, 1]])


def test_the_loss_is_the_squared_distance_summed_and_counted_by_texts(said):
    texts = SimpleNamespace(batch=lambda rows, targets: SimpleNamespace(targets=targets))
    order = SimpleNamespace(batch=lambda step: np.array([2, 0]) + step)
    objective = NearVectors(texts, WantedVectors.of(said, 6, True, np.arange(200)), np.array([7, 8, 9, 10]), order)
    batch = objective.batch(1)
    assert np.array_equal(batch.targets[WANTED], said[[10, 8]])
    given = torch.randn(2, 6, generator=torch.Generator().manual_seed(0))
    tensors = SimpleNamespace(targets={WANTED: torch.from_numpy(batch.targets[WANTED])})
    expected = torch.nn.functional.mse_loss(given, tensors.targets[WANTED], reduction="sum")
    torch.testing.assert_close(objective.loss(lambda _: given, tensors), expected)
    assert objective.count(batch) == 2
    assert mean_distance(given.numpy(), batch.targets[WANTED]) == pytest.approx(float(expected) / 2, rel=1e-6)
