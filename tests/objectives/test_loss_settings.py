"""Which loss trains, as a study says it: read, refused, and what it leaves in keys."""

import numpy as np
import pytest

from acclimate.errors import SettingsError
from acclimate.objectives.loss_settings import FocalSettings, check_loss
from acclimate.objectives.losses import LOSSES
from acclimate.objectives.losses.chosen import chosen_loss
from acclimate.stages.bilstm import Bilstm
from acclimate.stages.finetune import Finetune
from acclimate.study.language.study import parse_study, resolved
from acclimate.tasks.classify import Classify
from acclimate.tasks.kind import OF_NAMES
from acclimate.tasks.multilabel import Multilabel
from acclimate.tasks.pair import Pair
from acclimate.tasks.similarity import Similarity
from acclimate.tasks.split import Split
from acclimate.tasks.tag import Tag

BOTH = pytest.mark.parametrize("stage", [Finetune, Bilstm])


def study_with(loss):
    return {"base": "some/model", "data": {"task": {"train": "t.csv"}}, "recipes": {"a": [{"finetune": {"loss": loss}}]}}


@BOTH
def test_cross_entropy_leaves_no_trace_in_a_key_and_another_loss_stands_there_with_all_its_settings(stage):
    assert "loss" not in stage().keyed()
    for written in ("cross_entropy", {"cross_entropy": None}, {"cross_entropy": {}}):
        assert stage(loss=written).keyed() == stage().keyed()
    for written in ("focal", {"focal": None}, {"focal": {"gamma": 2}}, FocalSettings()):
        assert stage(loss=written).keyed() == stage().keyed() | {"loss": {"focal": {"gamma": 2.0}}}


@pytest.mark.parametrize("name", OF_NAMES)
def test_a_study_written_out_is_read_again_with_the_same_loss(name):
    study = parse_study(study_with(name))
    written = resolved(study)["recipes"]["a"]["stages"][0]["finetune"]["loss"]
    assert list(written) == [name]
    again = parse_study(study_with(written))
    assert again.recipes["a"].stages[0].loss == study.recipes["a"].stages[0].loss


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("focla", r"recipes.a\[0\].finetune.loss: 'focla' is none of cross_entropy, focal.*; did you mean 'focal'\?"),
        ({"focal": {"gama": 1}}, r"recipes.a\[0\].finetune.loss.focal: unknown key 'gama' \(did you mean 'gamma'\?\)"),
        ({"focal": {"gamma": -1}}, r"finetune.loss.focal.gamma: should be at least 0, not -1"),
        ({"focal": {"loss": "dice"}}, r"recipes.a\[0\].finetune.loss: unknown key 'loss' in focal"),
        ({"focal": 2}, r"the settings of focal are a mapping, `focal: \{key: value\}`, not 2"),
        ({"focal": {}, "cross_entropy": {}}, r"one name with its settings"),
        (["focal"], r"one name with its settings"),
        ({"cross_entropy": {"gamma": 1}}, r"finetune.loss.cross_entropy: unknown key 'gamma'; nothing can be set here"),
    ],
)
def test_what_is_no_loss_is_told_with_what_is(written, told):
    with pytest.raises(SettingsError, match=told):
        parse_study(study_with(written))


@pytest.mark.parametrize("name", OF_NAMES)
@pytest.mark.parametrize("kind", [Classify, Pair, Multilabel, Tag])
def test_whatever_is_answered_with_names_is_trained_by_every_loss_of_names(kind, name):
    head = kind(train="t").head(("a", "b"), "tokens" if kind.every_word else "sequence")
    assert head.losses[0] == "cross_entropy"
    assert set(head.losses) <= set(LOSSES)
    check_loss(Finetune(loss=name).loss, "none", kind.model_fields["kind"].default, head)


@pytest.mark.parametrize("name", OF_NAMES)
def test_a_loss_of_names_is_refused_where_numbers_are_answered(name):
    head = Similarity(train="t").head((), "sequence")
    with pytest.raises(SettingsError, match=f"loss: similarity is learned by squared_error alone, and {name} is for names"):
        check_loss(Finetune(loss=name).loss, "none", "similarity", head)


def test_weights_of_classes_go_with_every_loss_but_dice():
    head = Classify(train="t").head(("a", "b"), "sequence")
    for name in OF_NAMES:
        if name != "dice":
            check_loss(Finetune(loss=name).loss, "balanced", "classify", head)
    with pytest.raises(SettingsError, match="class_weights: dice balances classes by itself and takes no weights"):
        check_loss(Finetune(loss="dice").loss, "sqrt", "classify", head)


def test_the_chosen_loss_is_made_from_its_settings_and_the_training_examples_and_the_usual_one_else():
    split = Split((("",) * 4,), np.array([0, 0, 0, 1]), np.arange(4), (), None, ("a", "b", "c"))
    head = Classify(train="t").head(split.names, "sequence")

    def chosen(loss, weights="none"):
        return chosen_loss(LOSSES, Finetune(loss=loss).loss, weights, head, split)

    assert chosen({"focal": {"gamma": 3}}).term.gamma == 3
    assert chosen({"logit_adjustment": {"tau": 2}}).term.shift == pytest.approx(2 * np.log([3 / 4, 1 / 4, 1 / 4]))
    assert chosen("label_smoothing", "balanced").term.weights == pytest.approx([4 / 9, 4 / 3, 4 / 3])
    assert type(chosen(None).term) is type(chosen("cross_entropy").term)
