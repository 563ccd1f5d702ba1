"""Texts are drawn by classes whatever the kind of task: a text by its rarest label, a window as its text; and it is told how often."""

from types import SimpleNamespace

import numpy as np
import pytest

from acclimate.data.class_order import ClassOrder
from acclimate.data.ragged import Ragged
from acclimate.errors import SettingsError
from acclimate.objectives.sampler import check_sampler, order_of
from acclimate.stages.finetune import Finetune
from acclimate.tasks.classify import Classify
from acclimate.tasks.multilabel import Multilabel
from acclimate.tasks.pair import Pair
from acclimate.tasks.similarity import Similarity
from acclimate.tasks.tag import Tag

FEW = np.array([0] * 90 + [1] * 10)
# The rare label beside the frequent one in ten texts, and ten texts without any: three strata.
SETS = np.array([[True, False]] * 80 + [[True, True]] * 10 + [[False, False]] * 10)
# Of names O, B-a, I-a, B-b, I-b: sentences without entities, with a, and with a and the rarer b.
TAGS = Ragged.of([[0, 0]] * 50 + [[1, 2]] * 40 + [[1, 3]] * 10)


def task(kind, gold, names=("a", "b")):
    return SimpleNamespace(kind=kind, names=names, train=SimpleNamespace(gold=gold))


def texts(document=None, count=100):
    text_of = np.arange(count) if document is None else document
    return SimpleNamespace(drawn=text_of, texts=count)


def drawn(kind, gold, read=None, how="balanced"):
    """How often each text is read in an epoch [N], and what is noted."""
    read, notes = read or texts(), []
    order = order_of(how, task(kind, gold), read, 8, 0, notes.append)
    rows = np.concatenate([order.batch(step) for step in range(order.batches_per_epoch)])
    assert len(rows) == len(read.drawn)
    return np.bincount(read.drawn[rows], minlength=100), notes


@pytest.mark.parametrize("kind", [Classify, Pair])
def test_classes_are_met_equally_often_and_it_is_told_how_often_a_text_is_read(kind):
    often, notes = drawn(kind(train="t.csv"), FEW)
    assert often[:90].sum() == often[90:].sum() == 50
    assert notes == [
        f"sampler balanced: each of the 10 {kind.item}s of the rarest label is read 5 times an epoch, "
        "each of the 90 of the most frequent 0.556 times"
    ]
    often, _ = drawn(kind(train="t.csv"), FEW, how="square_root")
    assert often[90:].sum() == 25


def test_a_text_of_several_labels_counts_by_the_rarest_and_one_of_none_by_none():
    often, _ = drawn(Multilabel(train="t.csv"), SETS)
    assert sorted([often[:80].sum(), often[80:90].sum(), often[90:].sum()]) == [33, 33, 34]


def test_a_sentence_counts_by_its_rarest_type_and_each_window_as_its_text():
    kind = Tag(train="t.conll")
    often, _ = drawn(kind, TAGS)
    assert sorted([often[:50].sum(), often[50:90].sum(), often[90:].sum()]) == [33, 33, 34]
    document = np.concatenate([np.arange(100), np.repeat(np.arange(90, 100), 4)])  # the rarest are five windows each
    often, (note,) = drawn(kind, TAGS, texts(document))
    assert sorted([often[:50].sum(), often[50:90].sum(), often[90:].sum()]) == [46, 47, 47]
    assert "each of the 50 windows of" in note or "each of the 40 windows of" in note


def test_nothing_is_drawn_or_told_where_nothing_is_asked():
    notes = []
    order = order_of("none", task(Classify(train="t.csv"), FEW), texts(), 8, 0, notes.append)
    assert not isinstance(order, ClassOrder)
    assert notes == []
    assert Finetune(sampler="none").keyed() == Finetune().keyed()
    assert Finetune(sampler="balanced").keyed() == Finetune().keyed() | {"sampler": "balanced"}


def test_a_kind_without_classes_is_refused():
    with pytest.raises(SettingsError, match="sampler: similarity has no classes"):
        check_sampler("balanced", task(Similarity(train="t.csv"), np.linspace(0, 1, 100), ()))
