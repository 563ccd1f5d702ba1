"""Recipes that only differ after the encoder share the vectors of their texts: the second costs no forward pass."""

from dataclasses import replace

import numpy as np
import pytest
from tests.stages.test_every_stage import context, world  # noqa: F401 - a fixture

from acclimate.evaluation.predictions import read_predictions
from acclimate.modeling.embedder import Embedder
from acclimate.modeling.embedding_form import Prompts
from acclimate.modeling.fast_paths import FastPaths
from acclimate.stages.vectors import Vectors
from acclimate.study.store.artifacts import Store

pytestmark = pytest.mark.measured(0)


@pytest.fixture
def passes(monkeypatch):
    """Grows by one with every forward pass of an embedding model."""
    passes = []
    real = Embedder.forward
    monkeypatch.setattr(Embedder, "forward", lambda self, batch: passes.append(1) or real(self, batch))
    return passes


@pytest.fixture
def run(world, tmp_path):  # noqa: F811
    """`run(stage)` in a folder of its own, with the cache that all share: (what was measured, probabilities for test)."""
    number = iter(range(100))
    (tmp_path / "store" / "cache").mkdir(parents=True)

    def run(stage, fast=FastPaths()):
        here = context(world, tmp_path / str(next(number)))
        here = replace(here, cache=tmp_path / "store" / "cache", runtime=replace(here.runtime, fast=fast))
        outcome = stage.run(world.parent, here)
        return outcome, read_predictions(here.output / "predictions.parquet")["test"]["probabilities"]

    return run


def test_the_second_use_of_the_same_vectors_costs_no_forward_pass(run, passes):
    first, answers = run(Vectors())
    assert passes
    passes.clear()
    again, same = run(Vectors())
    for stage in (Vectors(classify="knn"), Vectors(C=2.0), Vectors(dimensions=5)):
        run(stage)
    assert passes == []
    assert np.array_equal(answers, same)
    assert again.metrics == first.metrics
    assert again.cost.inference_texts_per_second > 0


@pytest.mark.parametrize("other", [Vectors(pooling="max"), Vectors(normalize=False), Vectors(max_length=8)])
def test_other_vectors_are_computed(run, passes, other):
    run(Vectors())
    passes.clear()
    run(other)
    assert passes


def test_prompts_that_no_text_of_the_task_gets_change_nothing(run, passes):
    run(Vectors())
    passes.clear()
    run(Vectors(prompts=Prompts(query="ask: ")))
    assert passes == []


def test_switched_off_nothing_is_kept_and_the_answers_are_the_same(run, passes, tmp_path):
    _, kept = run(Vectors())
    off = FastPaths(frozen_cache=False)
    passes.clear()
    _, computed = run(Vectors(), off)
    assert passes
    assert np.array_equal(kept, computed)


def test_kept_vectors_are_a_part_of_the_cache_that_is_pruned(run, tmp_path):
    run(Vectors())
    store = Store(tmp_path / "store")
    assert {entry.kind for entry in store.ls()} == {"cache"}
