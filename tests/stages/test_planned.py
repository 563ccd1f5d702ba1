"""What a plan tells of the model that a stage begins with."""

from pathlib import Path

import pytest

from acclimate.errors import SettingsError
from acclimate.modeling.source import Source
from acclimate.stages.cut import Cut
from acclimate.stages.finetune import Finetune
from acclimate.stages.planned import Sizes
from acclimate.stages.pretrain import Pretrain

CONFIG = {"model_type": "bert", "vocab_size": 1000, "hidden_size": 10, "num_hidden_layers": 6, "max_position_embeddings": 128}


@pytest.fixture
def whole():
    return Sizes.of(Source("a base", Path("nowhere"), "0" * 64, (), CONFIG, 70_000, 280_000))


def test_layers_and_entries_that_go_take_their_parameters_along(whole):
    assert (whole.body, whole.embeddings, whole.bytes) == (60_000, 10_000, 280_000)
    half = whole.of_layers(3)
    assert (half.body, half.embeddings, half.layers) == (30_000, 10_000, 3)
    small = half.of_entries(100)
    assert (small.body, small.embeddings, small.entries) == (30_000, 1_000, 100)
    assert whole.layers == 6


def test_a_stage_is_checked_against_what_the_stages_before_it_leave(whole):
    cut = Cut.of(2, whole, "a base")
    assert cut.keep == (0, 5)
    after = cut.check(whole, None)
    Finetune(train=2).check(after, None)
    with pytest.raises(SettingsError, match="train: 3 layers were asked for, and a base has 2"):
        Finetune(train=3).check(after, None)
    with pytest.raises(SettingsError, match="keep: 7 layers of a base, which has 6"):
        Cut.of(7, whole, "a base")


def test_no_pretraining_is_judged_on_what_one_before_it_has_learned(whole):
    after = Pretrain(corpus={"domain": 1, "general": 0.5}).check(whole, None)
    Pretrain(corpus="domain").check(after, None)
    Pretrain(corpus="task", heldout_share=0.5).check(after, None)
    with pytest.raises(SettingsError, match="hold out different parts"):
        Pretrain(corpus="general", heldout_share=0.5).check(after, None)
