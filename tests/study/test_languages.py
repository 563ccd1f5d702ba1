"""Languages of other tables than acclimate's own."""

import pickle
from typing import Any, Literal

import jsonschema
import pytest

from acclimate.errors import SettingsError
from acclimate.stages import STAGES
from acclimate.stages.base import Stage
from acclimate.stages.finetune import Finetune
from acclimate.study.language.language import BUILT_IN, language
from acclimate.study.language.recipe import Recipe
from acclimate.study.language.study import Study, resolved
from acclimate.tasks import KINDS
from acclimate.tasks.classify import Classify

pytestmark = pytest.mark.measured(0)

DATA = {"task": {"train": "train.jsonl"}}


class Halve(Stage):
    """Halve what is there."""

    stage: Literal["halve"] = "halve"
    times: int = 1
    """How often."""

    def reads(self) -> tuple[str, ...]:
        return ()


class Marks(Classify):
    """A task of another kind."""

    kind: Literal["marks"] = "marks"
    best: int = 5
    """The best mark."""


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
    short = language(stages=(Finetune,))
    with pytest.raises(SettingsError, match="unknown stage 'prune'; stages are finetune"):
        short.parse({"data": DATA, "recipes": {"a": ["prune", "finetune"]}})
    with pytest.raises(SettingsError, match=r"`\{layers_of: model, keep: layers\}`, or `\{end_of: recipe\}`$"):
        short.parse({"data": DATA, "recipes": {"a": {"base": {"tfidf": {}}}}})
    assert "tfidf:" not in short.reference_markdown()
    validator = jsonschema.Draft202012Validator(short.json_schema())
    assert validator.is_valid({"data": DATA, "recipes": {"a": ["finetune"]}})
    assert not validator.is_valid({"data": DATA, "recipes": {"a": {"base": {"tfidf": {}}}}})


def test_recipes_from_python_stand_in_studies_of_any_language() -> None:
    study = language(stages=(*STAGES, Halve)).parse({"data": DATA, "recipes": {"a": Recipe(stages=(Finetune(epochs=2),), draw=1)}})
    assert (study.recipes["a"].stages, study.recipes["a"].draw) == ((Finetune(epochs=2),), 1)


@pytest.fixture(scope="module")
def with_marks():
    return language(kinds=(KINDS[0], Marks))


def with_task(task: Any) -> dict[str, Any]:
    return {"data": {"task": task}, "recipes": {"a": ["finetune"]}}


def test_a_kind_of_a_longer_table_is_told_by_its_name_and_the_first_needs_none(with_marks) -> None:
    study = with_marks.parse(with_task({"kind": "marks", "path": "x", "best": 6}))
    assert study.data.task == Marks(path="x", best=6)
    assert resolved(study)["data"]["task"]["best"] == 6
    assert with_marks.parse(with_task("x")).data.task == KINDS[0](path="x") == with_marks.parse(with_task({"path": "x"})).data.task


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ({"kind": "stars", "path": "x"}, "data.task.kind: should be 'classify' or 'marks', not 'stars'"),
        ({"kind": "marks", "path": "x", "bets": 6}, "data.task: unknown key 'bets' (did you mean 'best'?)"),
        ({"kind": "marks", "path": "x", "best": "six"}, "data.task.best: should be a whole number, not 'six'"),
        ({"path": "x", "best": 6}, "data.task: unknown key 'best' (did you mean 'test'?)"),
        (5, "data.task: should be a mapping, not 5"),
    ],
)
def test_what_is_wrong_in_a_task_is_said_of_its_kind(with_marks, task: Any, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        with_marks.parse(with_task(task))
    assert str(caught.value).startswith(message)


def test_the_schema_wants_to_know_any_kind_but_the_first(with_marks) -> None:
    validator = jsonschema.Draft202012Validator(with_marks.json_schema())
    for task in ("x", {"path": "x"}, {"kind": "classify", "path": "x"}, {"kind": "marks", "path": "x", "best": 6}):
        validator.validate(with_task(task))
    for task in ({"path": "x", "best": 6}, {"kind": "stars", "path": "x"}, {"kind": "marks", "path": "x", "bets": 6}):
        assert not validator.is_valid(with_task(task))
    assert "| `best` | whole number | `5` | The best mark. |" in with_marks.reference_markdown()


def test_data_of_a_longer_table_reaches_a_worker(with_marks) -> None:
    data = with_marks.parse(with_task({"kind": "marks", "path": "x"})).data
    arrived = pickle.loads(pickle.dumps(data))  # noqa: S301
    assert (type(arrived), arrived) == (type(data), data)
