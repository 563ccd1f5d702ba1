"""What a study says without saying so: recipes of several weights, text that is replayed, and how it is judged without a task."""

import pytest

from acclimate.data.corpus import CorpusSettings
from acclimate.study.language.implied import with_task
from acclimate.study.language.study import Study, parse_study, refuse_incomplete


@pytest.mark.filterwarnings("error")
def test_a_study_that_is_called_in_python_is_the_one_that_is_read() -> None:
    recipes = {"r": [{"pretrain": {"replay": 0.05}}, {"merge": {"weight": [0.25, 0.5]}}]}
    made = Study(base="m", data={"domain": "x.txt"}, recipes=recipes)
    assert list(made.recipes) == ["r @0.25", "r @0.5"]
    assert made.data.general == CorpusSettings(path="acclimate-general")
    assert Study.model_validate(made) is made
    assert made == parse_study({"base": "m", "data": {"domain": "x.txt"}, "recipes": recipes})


def test_a_mean_of_models_that_read_on_is_judged_as_they_are() -> None:
    recipes = {"DAPT": ["pretrain"], "merged": ["pretrain", {"merge": {"weight": [0.25, 0.5]}}], "cut": ["pretrain", "prune"]}
    more = {"more": {"base": {"end_of": "cut"}, "stages": ["pretrain"]}}
    made, said = with_task(parse_study({"base": "m", "data": {"domain": "x.txt"}, "recipes": {**recipes, **more}}))
    refuse_incomplete(made)
    assert said is not None
    assert said.endswith("`score` at the end of every recipe that pretrains")
    assert [name for name, recipe in made.recipes.items() if recipe.answers] == ["DAPT", "merged @0.25", "merged @0.5", "more"]
