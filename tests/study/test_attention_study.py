"""Attention in a study's report: whose models are compared, what is kept, and that nothing else depends on it."""

import json
import re

import pytest

from acclimate.errors import SettingsError
from acclimate.evaluation import attention_facts
from acclimate.report.pages.page import write_report, write_reports
from acclimate.study.language.study import Study, resolved
from acclimate.study.outputs.attention import SHOWN, TEXTS
from acclimate.study.plan.graph import Plan
from acclimate.study.run import Options, run_study
from acclimate.tasks.opened import Data

TUNED = {"finetune": {"epochs": 1, "min_steps": 0, "lr": 1e-2}}
DAPT = {"pretrain": {"tokens": 1500, "batch_tokens": 256, "head_warmup": 0.1, "patience": None, "lr": 1e-2}}
RECIPES = {"fine-tune": [TUNED], "DAPT": [DAPT, TUNED], "tfidf": {"base": "tfidf"}}


def study(world, recipes=RECIPES, **also):
    task = {split: str(world / f"{split}.jsonl") for split in ("train", "dev", "test")}
    data = {"task": task, "domain": str(world / "domain.jsonl")}
    return Study.model_validate({"base": str(world / "model"), "data": data, "seeds": 1, "recipes": recipes, "forgetting": False} | also)


@pytest.fixture(scope="module")
def ran(tiny_world, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ran")
    options = Options(out=folder / "out", store=folder / "store", engine="inline", say=lambda _: None)
    run_study(study(tiny_world, attention="DAPT"), folder, options)
    return folder, options


def test_every_stage_is_shown_before_and_after_and_the_head_that_moved_most_first(ran):
    folder, _ = ran
    facts = json.loads((folder / "out/attention.json").read_text())
    assert [model["name"] for model in facts["models"]] == ["model", "after pretrain on domain", "after finetune"]
    assert [(pair["before"], pair["after"]) for pair in facts["moved"]["pairs"]] == [(0, 1), (1, 2), (0, 2)]
    assert facts["recipe"] == "DAPT"
    rows = facts["moved"]["pairs"][-1]["divergence"]
    most = max((value, layer, head) for layer, row in enumerate(rows) for head, value in enumerate(row))
    assert most[0] > 0
    assert facts["shown"] == {"layer": most[1] + 1, "head": most[2] + 1}
    assert facts["moved"]["texts"] == min(TEXTS, 40)  # of dev
    assert len(facts["models"][0]["tokens"]) <= SHOWN


def test_a_base_of_which_layers_were_taken_is_left_out_and_named_so_that_heads_can_be_compared(tiny_world, tmp_path):
    cut = {"base": {"layers_of": str(tiny_world / "model"), "keep": 1}, "stages": [TUNED]}
    options = Options(out=tmp_path / "out", store=tmp_path / "store", engine="inline", say=lambda _: None)
    run_study(study(tiny_world, {"cut": cut}, attention=True), tmp_path, options)
    facts = json.loads((tmp_path / "out/attention.json").read_text())
    assert len(facts["models"]) == 2
    assert [(pair["before"], pair["after"]) for pair in facts["moved"]["pairs"]] == [(0, 1)]
    assert facts["notes"][-1] == "not shown, for layers and heads are as many only later: model"


def test_the_report_made_anew_shows_it_and_a_public_one_no_text(ran):
    folder, _ = ran
    text = json.loads((folder / "out/attention.json").read_text())["text"]
    page = write_report(folder / "out").read_text()
    assert page.count('<figure class="map">') == 3
    assert f'<blockquote dir="auto">{text}</blockquote>' in page
    assert "Attention is not explanation" in page
    public = write_reports([folder / "out"], folder / "public.html", public=True).read_text()
    assert text not in public
    assert 'class="map"' not in public
    assert public.count('class="confusion heat"') == 3
    assert "## Attention before and after" in (folder / "out/report.md").read_text()


def test_a_study_that_is_run_again_computes_nothing_anew(ran, tiny_world, monkeypatch):
    folder, options = ran
    before = (folder / "out/attention.json").read_bytes()
    monkeypatch.setattr(attention_facts, "attention_facts", None)  # what would compute it
    run_study(study(tiny_world, attention="DAPT"), folder, options)
    assert (folder / "out/attention.json").read_bytes() == before
    run_study(study(tiny_world), folder, options)
    assert not (folder / "out/attention.json").exists()


def test_what_goes_wrong_with_it_ends_no_study(ran, tiny_world, monkeypatch):
    folder, options = ran

    def broken(*_):
        raise RuntimeError("a map of another shape\nand pages below it")

    monkeypatch.setattr(attention_facts, "attention_facts", broken)
    assert run_study(study(tiny_world, attention="fine-tune"), folder, options).failed == 0
    assert "attention before and after is not shown: a map of another shape" in json.loads((folder / "out/study.json").read_text())["notes"]


def test_no_key_depends_on_it(tiny_world, tmp_path):
    keys = []
    for asked in (False, True, "DAPT"):
        made = study(tiny_world, attention=asked)
        keys.append([*Plan.of(made, Data.open(made.data, tmp_path, tmp_path / "cache"), tmp_path).nodes])
    assert keys[0] == keys[1] == keys[2]
    assert resolved(study(tiny_world))["attention"] is False


def test_the_best_recipe_with_attention_is_taken_where_none_is_named(ran, tiny_world):
    folder, options = ran
    run_study(study(tiny_world, attention=True), folder, options)
    best = json.loads((folder / "out/study.json").read_text())["best"]
    chosen = (best["transformer"] or best)["recipe"]
    assert json.loads((folder / "out/attention.json").read_text())["recipe"] == chosen != "tfidf"


@pytest.mark.parametrize(
    ("recipes", "asked", "message"),
    [
        (RECIPES, "DAPTT", "there is no recipe 'DAPTT' that is compared (did you mean 'DAPT'?)"),
        (RECIPES, "tfidf", "tfidf is a plain baseline, and these have no attention"),
        ({"tfidf": {"base": "tfidf"}}, True, "every recipe is a plain baseline"),
    ],
)
def test_recipes_without_attention_are_refused_before_anything_is_run(tiny_world, recipes, asked, message):
    with pytest.raises(SettingsError, match=re.escape(message)):
        study(tiny_world, recipes, attention=asked)
