"""Languages of other tables than acclimate's own."""

from typing import Literal

import pytest

from acclimate.errors import SettingsError
from acclimate.stages import STAGES
from acclimate.stages.base import Stage
from acclimate.stages.finetune import Finetune
from acclimate.study.language.language import BUILT_IN, language
from acclimate.study.language.recipe import Recipe
from acclimate.study.language.study import Study, resolved

DATA = {"task": {"train": "train.jsonl"}}


class Halve(Stage):
    """Halve what is there."""

    stage: Literal["halve"] = "halve"
    times: int = 1
    """How often."""

    def reads(self) -> tuple[str, ...]:
        return ()


def test_the_built_in_language_is_built_as_any_other() -> None:
    again = language()
    assert again.model is not Study
    assert again.json_schema() == BUILT_IN.json_schema()
    assert again.reference_markdown() == BUILT_IN.reference_markdown()
    assert again.table.to_be_compared == BUILT_IN.table.to_be_compared


def test_a_stage_of_a_longer_table_is_read_resolved_described_and_refused_like_the_others() -> None:
    longer = language(stages=(*STAGES, Halve))
    study = longer.parse({"data": DATA, "recipes": {"a": [{"halve": {"times": 3}}, "finetune"]}})
    assert isinstance(study, Study)
    assert study.recipes["a"].stages == (Halve(times=3), Finetune())
    assert resolved(study)["recipes"]["a"]["stages"][0] == {"halve": {"times": 3}}
    assert longer.parse(resolved(study)).recipes["a"].stages == study.recipes["a"].stages
    assert longer.json_schema()["$defs"]["Halve"]["properties"]["times"]["description"] == "How often."
    assert "| `times` | whole number | `1` | How often. |" in longer.reference_markdown()
    for stage, message in (({"halve": {"time": 3}}, "unknown key 'time' (did you mean 'times'?)"), ("hlave", "(did you mean 'halve'?)")):
        with pytest.raises(SettingsError) as caught:
            longer.parse({"data": DATA, "recipes": {"a": [stage, "finetune"]}})
        assert message in str(caught.value)


def test_the_built_in_language_knows_nothing_of_a_longer_one() -> None:
    language(stages=(*STAGES, Halve))
    with pytest.raises(SettingsError, match="unknown stage 'halve'"):
        BUILT_IN.parse({"data": DATA, "recipes": {"a": ["halve", "finetune"]}})
    assert "Halve" not in BUILT_IN.json_schema()["$defs"]


def test_a_shorter_table_is_a_language_too() -> None:
    with pytest.raises(SettingsError, match="unknown stage 'prune'; stages are finetune"):
        language(stages=(Finetune,)).parse({"data": DATA, "recipes": {"a": ["prune", "finetune"]}})


def test_recipes_from_python_stand_in_studies_of_any_language() -> None:
    study = language(stages=(*STAGES, Halve)).parse({"data": DATA, "recipes": {"a": Recipe(stages=(Finetune(epochs=2),), draw=1)}})
    assert (study.recipes["a"].stages, study.recipes["a"].draw) == ((Finetune(epochs=2),), 1)
