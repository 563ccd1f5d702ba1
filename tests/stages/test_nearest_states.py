"""The nearest by hidden states: those of a brute force, and no chunk is run through the model twice."""

from itertools import count
from types import SimpleNamespace

import numpy as np
import pytest

from acclimate.data.corpus import Corpus
from acclimate.data.selection import candidates
from acclimate.data.selection.candidates import Candidates
from acclimate.data.selection.ranked import Budget
from acclimate.errors import Interrupted
from acclimate.evaluation import mean_states
from acclimate.stages import nearest_states, trainer
from acclimate.training.progress import Silent


def vector(text):
    values = np.random.default_rng(int(text)).normal(size=8)
    return values / np.linalg.norm(values)


@pytest.fixture
def asked(monkeypatch):
    """The chunks that went through the model, whose vectors are drawn from the text, a number; it stops where `stop_at` says."""
    chunks, passes = [], count(1)

    def of(model, tokenizer, texts, longest, micro, devices, told):
        if next(passes) == asked.stop_at:
            raise Interrupted("stopped")
        told(len(texts), 8 * len(texts))
        chunks.append(len(texts))
        return np.array([vector(text) for text in texts], dtype=np.float16).reshape(-1, 8)

    asked = SimpleNamespace(chunks=chunks, stop_at=0)
    monkeypatch.setattr(candidates, "CHUNK_DOCUMENTS", 20)
    monkeypatch.setattr(mean_states, "mean_states", of)
    monkeypatch.setattr(trainer, "own_forward_tokens", lambda *_: 1)
    monkeypatch.setattr("acclimate.modeling.heads.load_mlm", lambda *_: (None, True))
    monkeypatch.setattr("acclimate.modeling.execution.Packed", lambda *_: SimpleNamespace(to=lambda _: None))
    monkeypatch.setattr("acclimate.modeling.longest.sequence_length", lambda *_: 8)
    return asked


def chosen(tmp_path, documents, budget):
    runtime = SimpleNamespace(reporter=Silent(), stop=SimpleNamespace(asked=False), devices=SimpleNamespace(device="cpu"), fast=None)
    context = SimpleNamespace(runtime=runtime, work=tmp_path, title="near")
    among = Candidates([Corpus.of_texts("domain", map(str, range(100, 100 + documents)), "x")], frozenset())
    return nearest_states.choose(SimpleNamespace(tokenizer=lambda: None), ["0", "1", "2"], among, budget, context)


def test_the_nearest_are_those_of_all_cosines(asked, tmp_path):
    found = chosen(tmp_path, 90, Budget(None, 12))
    cosines = np.array([[vector(str(text)) @ vector(str(100 + number)) for number in range(90)] for text in range(3)])
    ranks = np.argsort(np.argsort(-cosines, axis=1), axis=1)
    assert set(found.numbers[:3]) == set(np.argmax(cosines, axis=1))
    assert [ranks[near, number] + 1 for near, number in zip(found.near, found.numbers, strict=True)] == found.rank.tolist()
    assert sorted(found.rank) == found.rank.tolist()
    np.testing.assert_allclose(found.scores, cosines[found.near, found.numbers], atol=2e-3)
    assert asked.chunks == [3, 20, 20, 20, 20, 10]


def test_where_it_was_stopped_it_goes_on(asked, tmp_path):
    asked.stop_at = 4
    with pytest.raises(Interrupted):
        chosen(tmp_path, 90, Budget(None, 80))
    found = chosen(tmp_path, 90, Budget(None, 80))  # so many that the first lists are too short: what is kept is looked at once more
    assert asked.chunks == [3, 20, 20, 20, 20, 10]
    assert len(set(found.numbers.tolist())) == 80
