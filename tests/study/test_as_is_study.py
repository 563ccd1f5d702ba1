"""Studies in which a trained classifier answers as it stands: what is shared, and what is refused."""

import pytest

from acclimate.errors import SettingsError
from acclimate.study.language.study import parse_study, resolved

WORLD = {"train": "train.jsonl", "dev": "dev.jsonl", "test": "test.jsonl"}


def parsed(recipes, **data):
    return parse_study({"base": "some/model", "data": {"task": WORLD, **data}, "recipes": recipes})


def test_it_reads_no_labels_and_asks_the_model_of_each_seed_and_budget(plan_of):
    plan = plan_of("""{head}
seeds: 2
labels: [30, all]
recipes:
  learned: [finetune]
  same: [finetune, as_is]
  after: {{base: {{as_is: learned}}}}
  read on: [finetune, pretrain: {{corpus: domain, tokens: 999, seeds: all}}, as_is]
""")
    ends = {name: {(run.seed, run.labels): run.end for run in plan.runs if run.recipe == name} for name in ("same", "after", "read on")}
    assert ends["same"] == ends["after"]
    assert len(set(ends["same"].values())) == len(set(ends["read on"].values())) == 4
    assert not {node.stage.classifier for node in plan.nodes.values() if node.stage.role == "start"} - {False}
    assert {node.stage.reads() for node in plan.nodes.values() if node.stage.role == "answers"} == {("exam",)}


def test_the_short_form_names_a_model_or_a_recipe_and_is_written_out():
    study = parsed({"shelf": {"base": {"as_is": "other/model", "names": {"sport": "LABEL_1"}}}})
    assert study.recipes["shelf"].base.end_of == "other/model"
    assert study.recipes["shelf"].stages[0].names == {"sport": "LABEL_1"}
    assert resolved(parse_study(resolved(study))) == resolved(study)


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        (["as_is", "finetune"], "as_is trains nothing: it answers the task, and is the last stage"),
        ({"base": "random", "stages": ["as_is"]}, r"asks a model that has learned single texts, and random weights have not; .*\[finetune"),
        (
            [{"finetune": {"task": "nli"}}, "as_is"],
            r"asks a model that has learned single texts, and the task nli, of the kind pair, has none; e.g. \[finetune, as_is\]",
        ),
        ([{"as_is": {"template": "about {}"}}], "unknown key 'template'"),
    ],
)
def test_what_cannot_be_is_refused_when_the_study_is_read(recipe, said):
    with pytest.raises(SettingsError, match=said):
        parsed({"a": recipe}, tasks={"nli": {"kind": "pair", "path": "pairs.jsonl"}})
