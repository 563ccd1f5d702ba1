"""Numbers that are searched, as they stand in a stage's settings: what is read as a search, and what is found again."""

import pytest
from pydantic import ValidationError

from acclimate.report.pages.card import _as_found
from acclimate.stages.finetune import Finetune
from acclimate.stages.proposals import proposals
from acclimate.stages.search import Search
from acclimate.stages.searching import Searching

RANGE = Search([1e-5, 1e-4])


@pytest.mark.parametrize("label", ["U.S.", "search", "of", "trials", "lr", "8 per class"])
def test_the_weight_of_a_label_is_searched_whatever_the_label_is_called(label):
    stage = Finetune(class_weights={label: {"search": {"of": [1, 10]}}, "other": 2})
    assert [tried.class_weights for tried in stage.ends()] == [{label: 1, "other": 2}, {label: 10, "other": 2}]
    name = f"class_weights.{label}"
    assert not stage.is_whole(name)
    assert stage.with_found({name: 3.0}).class_weights == {label: 3, "other": 2}
    assert _as_found(stage.model_dump(mode="json"), {name: 3.0})["class_weights"] == {label: 3, "other": 2}


def test_a_label_called_search_has_a_weight_as_others_have():
    assert Finetune(class_weights={"search": 3, "other": 1}).class_weights == {"search": 3, "other": 1}


def test_a_label_called_search_has_words_as_others_have():
    names = {"search": ["look", "find"], "other": ["rest"]}
    assert not Finetune(head={"mlm": {"names": names}}).searches


def test_a_search_of_what_is_not_there_is_told_what_is():
    with pytest.raises(ValidationError, match=r"focal\.(gama|focal\.gama)|Extra inputs|unknown key") as error:
        Finetune(loss={"focal": {"gama": {"search": [1, 3]}}})
    assert "is no number" not in str(error.value)
    with pytest.raises(ValidationError, match="is no number that acclimate knows"):
        Finetune(loss={"mine.losses:loss": {"alpha": {"search": [1, 3]}}})


def test_a_value_that_is_set_is_searched_no_longer():
    stage = Finetune(lr=RANGE, warmup=Search([0, 0.2]))
    assert [*stage.model_copy(update={"lr": 3e-5}).searches] == ["warmup"]
    assert stage.model_copy(update={"lr": 3e-5}).model_dump()["lr"] == 3e-5
    assert [*stage.model_copy(update={"epochs": 2}).searches] == ["lr", "warmup"]
    with pytest.raises(ValueError, match="lr: what is to be searched"):
        stage.model_copy(update={"lr": RANGE})


@pytest.mark.parametrize("written", [{"search": 5}, {"search": "1e-5"}, {"search": None}, {"trials": 5}])
def test_what_is_meant_as_a_search_is_told_how_one_is_written(written):
    with pytest.raises(ValidationError, match=r"should be a range, \[lowest, highest\], or \{of: \[values\]\}|Field required"):
        Finetune(lr=written)


def test_a_range_of_few_whole_numbers_has_no_more_trials_than_numbers():
    assert Finetune(train={"search": [1, 3]}).trials == 3
    assert Finetune(batch_size={"search": [4, 64]}).trials == 8
    assert Finetune(train={"search": [1, 3]}, lr=RANGE).trials == 8
    with pytest.raises(ValidationError, match="5 trials, and there are 3 combinations"):
        Finetune(train={"search": [1, 3], "trials": 5})


def test_a_title_says_what_is_searched_and_not_the_highest_of_it():
    assert Finetune(train={"search": {"of": [1, 2]}}).title() == "finetune (top 1, 2)"
    assert Searching(of=Finetune(train={"search": [1, 3]})).title() == "search of train for finetune (top 1 to 3), 3 trials"


def test_proposals_are_made_for_labels_with_dots():
    asked = proposals(Finetune(class_weights={"U.S.": {"search": [1, 10]}}), 0)
    assert [*asked.ask()] == ["class_weights.U.S."]
