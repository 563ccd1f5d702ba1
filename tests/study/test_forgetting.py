"""Forgetting in a study: what is measured where, what it costs whom, and what the result files say of it."""

import json
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from tests.study.conftest import tiny_model
from transformers import BertForMaskedLM

from acclimate.cli.shown_plan import plan as show_plan
from acclimate.data.general import GENERAL
from acclimate.errors import SettingsError
from acclimate.stages import Measure
from acclimate.study.language.study import Study, load_study, resolved
from acclimate.study.outputs.forgetting import failures, forgetting, with_general
from acclimate.study.outputs.outcomes import Outcomes, rows
from acclimate.study.plan.estimate import estimates
from acclimate.study.plan.measured import states
from acclimate.study.plan.prepared import prepare
from acclimate.study.run import Options, carry_out
from acclimate.study.watch.journal import Journal

SHORT = {"epochs": 1, "min_steps": 0, "max_length": 32}
DAPT = {"pretrain": {"tokens": 1500, "batch_tokens": 256, "head_warmup": 0.1, "patience": None, "lr": 1e-2}}


def study(world, recipes, **also):
    task = {split: str(world / f"{split}.jsonl") for split in ("train", "dev", "test")}
    data = {"task": task, "domain": str(world / "domain.jsonl")}
    return Study.model_validate({"base": str(world / "model"), "data": data, "seeds": 1, "recipes": recipes} | also)


@pytest.fixture(scope="module")
def knowing(tiny_world, tmp_path_factory):
    """The tiny world with a base that has a head for masked words."""
    folder = tmp_path_factory.mktemp("knowing")
    for each in tiny_world.glob("*.jsonl"):
        (folder / each.name).write_bytes(each.read_bytes())
    tiny_model(folder / "model")
    torch.manual_seed(0)
    BertForMaskedLM.from_pretrained(folder / "model").save_pretrained(folder / "model")
    return folder


def measured(plan, recipe, labels="all"):
    """What is measured of a recipe's first seed, by title."""
    run = next(run for run in plan.runs if (run.recipe, run.labels) == (recipe, labels))
    return [(node.stage.word(), carried) for node, carried in states(plan, run) if node.key in plan.measured]


def test_it_is_measured_where_a_recipe_changes_the_model_and_nobody_says_otherwise(tiny_world):
    plain, dapt = {"plain": ["finetune"]}, {"DAPT": ["pretrain", "finetune"]}
    assert study(tiny_world, plain).general_text is None
    assert study(tiny_world, dapt).general_text == GENERAL
    assert study(tiny_world, {"cut": [{"prune": {"size": 30}}, "finetune"]}).general_text == GENERAL
    assert study(tiny_world, plain, forgetting=True).general_text == GENERAL
    assert study(tiny_world, dapt, forgetting=False).general_text is None
    assert study(tiny_world, dapt, forgetting="domain").general_text == "domain"
    assert [resolved(study(tiny_world, each))["forgetting"] for each in (plain, dapt)] == [False, True]
    assert resolved(study(tiny_world, dapt, forgetting="domain"))["forgetting"] == "domain"


def test_what_cannot_be_measured_is_refused_with_its_line(tiny_world, tmp_path):
    file = tmp_path / "study.yaml"
    text = f"data: {{task: {tiny_world}/train.jsonl, general: g.txt}}\nrecipes: {{tfidf: {{base: tfidf}}}}\nforgetting: "
    mend = r"there is no corpus 'genral' \(did you mean 'general'\?\)"
    for asked, said in (("genral", mend), ("true", "every recipe is a plain baseline")):
        file.write_text(text + asked)
        with pytest.raises(SettingsError, match=rf"study\.yaml:3.*forgetting: {said}"):
            load_study(file)


def test_measurements_move_no_key_and_nothing_depends_on_them(knowing, tmp_path):
    recipes = {"DAPT": [DAPT, {"merge": {}}, {"finetune": SHORT}], "plain": [{"finetune": SHORT}], "tfidf": {"base": "tfidf"}}
    without = prepare(study(knowing, recipes, seeds=2, forgetting=False), tmp_path, tmp_path / "store").plan
    plan = prepare(study(knowing, recipes, seeds=2), tmp_path, tmp_path / "store").plan
    added = {key: node for key, node in plan.nodes.items() if key not in without.nodes}
    assert {*plan.nodes} - {*added} == {*without.nodes}
    assert plan.runs == without.runs
    assert {type(node.stage) for node in added.values()} == {Measure}
    assert not any(key in node.parents for key in added for node in plan.nodes.values())
    assert measured(plan, "DAPT") == [("start", False), ("pretrain", False), ("merge", False), ("finetune", True)]
    assert measured(plan, "plain") == [("start", False), ("finetune", True)]
    assert measured(plan, "tfidf") == []
    # Base, pretraining and merge once, for they are shared by the seeds; the rest for each.
    assert len(added) == 3 + 2 * 2
    order = list(plan.nodes)
    assert all(order.index(by) == order.index(of) + 1 for of, by in plan.measured.items())


def test_the_plan_shows_all_measurements_in_one_row(knowing, tmp_path, capsys):
    prepared = prepare(study(knowing, {"DAPT": [DAPT, {"finetune": SHORT}]}, seeds=2), tmp_path, tmp_path / "store")
    show_plan(prepared, estimates(prepared, 1e10))
    (row,) = [line for line in capsys.readouterr().out.splitlines() if line.strip().startswith("general text")]
    assert row.split()[:6] == ["general", "text,", "4", "models", "DAPT", "-"]


def test_a_fresh_head_and_random_weights_have_no_before(tiny_world, knowing, tmp_path):
    recipes = {
        "DAPT": [DAPT, {"finetune": SHORT}],
        "plain": [{"finetune": SHORT}],
        "scratch": {"base": "random", "stages": [DAPT, {"finetune": SHORT}]},
    }
    plan = prepare(study(tiny_world, recipes), tmp_path, tmp_path / "store").plan
    assert measured(plan, "DAPT") == [("pretrain", False), ("finetune", True)]
    assert measured(plan, "plain") == []
    plan = prepare(study(knowing, recipes), tmp_path, tmp_path / "store").plan
    assert measured(plan, "scratch") == [("pretrain", False), ("finetune", True)]


def test_general_text_that_the_vocabulary_cannot_read_is_no_fault_of_the_base(knowing, tmp_path):
    recipes = {"DAPT": [DAPT, {"finetune": SHORT}]}
    prepared = prepare(study(knowing, recipes), tmp_path, tmp_path / "store")
    (note,) = (note for note in prepared.readings.notes(prepared.plan) if "unknown to" in note)
    assert note.startswith("DAPT: 7")
    assert "% of the tokens of the general text are unknown to the vocabulary, and each byte of them is charged 8 bits" in note
    assert "`forgetting: NAME` takes a corpus of `data` in the base's own language" in note


def test_after_labels_only_the_largest_budget_is_measured(knowing, tmp_path):
    recipes = {"DAPT": [DAPT, {"finetune": SHORT}]}
    plan = prepare(study(knowing, recipes, labels=[30, 60]), tmp_path, tmp_path / "store").plan
    assert measured(plan, "DAPT", "60") == [("start", False), ("pretrain", False), ("finetune", True)]
    assert measured(plan, "DAPT", "30") == [("start", False), ("pretrain", False)]


def test_a_model_is_measured_where_it_is_kept_and_none_is_made_again_for_that(knowing, tmp_path):
    plan = prepare(study(knowing, {"DAPT": [DAPT, {"finetune": SHORT}]}), tmp_path, tmp_path / "store").plan
    start, pretraining, end = plan.runs[0].nodes
    by = plan.measured
    assert plan.missing({start, pretraining, end}) == {by[start], by[pretraining], by[end]}
    assert plan.missing({start, end, by[start]}) == {by[end]}
    assert plan.missing(set()) == {*plan.nodes}


def test_documents_of_a_corpus_of_the_study_are_kept_from_every_stage_where_they_judge(tiny_world, tmp_path):
    recipes = {"DAPT": [DAPT, {"finetune": SHORT}]}
    prepared = prepare(study(tiny_world, recipes, forgetting="domain"), tmp_path, tmp_path / "store")
    held = prepared.data.general
    assert (held.name, len(held.documents)) == ("domain", 15)
    assert not {*held.documents} & {*prepared.data.corpora["domain"].documents()}
    assert prepared.data.corpora["domain"].held_out == 15
    again = prepare(study(tiny_world, recipes, forgetting="domain"), tmp_path, tmp_path / "store")
    assert list(again.plan.nodes) == list(prepared.plan.nodes)


def test_what_was_forgotten_is_in_the_results(knowing, tmp_path):
    recipes = {"plain": [{"finetune": SHORT}], "DAPT": [DAPT, {"finetune": SHORT}], "majority": {"base": "majority"}}
    its = study(knowing, recipes, seeds=2, forgetting="domain")
    prepared = prepare(its, tmp_path, tmp_path / "store")
    options = Options(tmp_path / "out", tmp_path / "store", engine="inline", say=lambda _: None)
    with Journal("forgetting", owns_terminal=False) as journal:
        reports = carry_out(prepared, options, journal)
    assert {report.status for report in reports.values()} == {"done"}
    outcomes = Outcomes.read(prepared.plan, prepared.store, reports)
    assert failures(outcomes) == []
    block = json.loads(json.dumps(forgetting(outcomes, prepared.data.general, "all")))
    assert (block["text"], block["documents"]) == ("domain", 15)
    assert list(block["recipes"]) == ["plain", "DAPT"]
    dapt, plain = block["recipes"]["DAPT"], block["recipes"]["plain"]
    assert [each["carried_head"] for each in dapt["stages"]] == [False, False, True]
    assert [each["trainings"] for each in dapt["stages"]] == [1, 1, 2]
    assert dapt["before"] == plain["before"] == dapt["stages"][0]["bits_per_byte"]
    assert dapt["after"] == dapt["stages"][1]
    assert dapt["after"]["difference"] == pytest.approx(dapt["after"]["bits_per_byte"] - dapt["before"])
    assert dapt["after"]["low"] < dapt["after"]["difference"] < dapt["after"]["high"]
    assert plain["after"] is None
    assert plain["finetuned"] == plain["stages"][-1]
    # What it took is told by itself, and no run pays for it.
    table = with_general(rows(its, outcomes), outcomes)
    assert [row["seconds"] for row in table] == [row["seconds"] for row in rows(its, outcomes)]
    first = next(row for row in table if row["recipe"] == "DAPT")
    assert first["general_bits_per_byte_before"] == pytest.approx(dapt["before"])
    assert first["general_bits_per_byte"] == pytest.approx(dapt["after"]["bits_per_byte"])
    tuned = [row["general_bits_per_byte_finetuned"] for row in table if row["recipe"] == "DAPT"]
    assert np.mean(tuned) == pytest.approx(dapt["finetuned"]["bits_per_byte"])
    assert {row["general_bits_per_byte"] for row in table if row["recipe"] == "majority"} == {None}
    check_interval(prepared, dapt)
    check_without_one(prepared, reports, its)


def check_interval(prepared, dapt):
    """With one training it is the t-interval of the mean over documents, each by its bytes."""
    from scipy import stats

    plan, store = prepared.plan, prepared.store
    run = next(run for run in plan.runs if run.recipe == "DAPT")
    start, pretraining = (store.path(plan.measured[key]) / "general_text.parquet" for key in run.nodes[:2])
    before, after = (pq.read_table(path).to_pandas() for path in (start, pretraining))
    bits, size = (after.bits - before.bits).to_numpy(), before.bytes.to_numpy()
    mean = bits.sum() / size.sum()
    each = (bits - mean * size) / size.mean()
    half = stats.t.ppf(0.975, len(each) - 1) * each.std(ddof=1) / np.sqrt(len(each))
    assert (dapt["after"]["low"], dapt["after"]["high"]) == pytest.approx((mean - half, mean + half), rel=1e-3)


def check_without_one(prepared, reports, its):
    """A measurement that failed fails no run, and is told."""
    plan = prepared.plan
    run = next(run for run in plan.runs if run.recipe == "DAPT")
    lost = plan.measured[run.nodes[1]]
    outcomes = Outcomes.read(plan, prepared.store, reports | {lost: replace(reports[lost], status="failed", error="no room\nmore")})
    outcomes = replace(outcomes, measured={key: value for key, value in outcomes.measured.items() if key != lost})
    assert failures(outcomes) == ["DAPT: pretrain on domain: general text was not measured: no room"]
    assert outcomes.error(run) is None
    block = forgetting(outcomes, prepared.data.general, "all")["recipes"]["DAPT"]
    assert [each["after"] for each in block["stages"]] == ["read the base model", "finetune"]
    assert block["after"] is None
    assert {row["status"] for row in rows(its, outcomes)} == {"done"}
    # Neither does a base that could not be asked become one without a head.
    first = replace(outcomes, measured={key: value for key, value in outcomes.measured.items() if key != plan.measured[run.nodes[0]]})
    assert forgetting(first, prepared.data.general, "all")["recipes"]["DAPT"]["knew_before"]
    # Of two trainings each goes back to its own.
    one, other = (next(each.end for each in plan.runs if (each.recipe, each.seed) == ("plain", seed)) for seed in (0, 1))
    known = {key: value for key, value in first.measured.items() if key != plan.measured[one]}
    (alone,) = forgetting(replace(first, measured=known), prepared.data.general, "all")["recipes"]["plain"]["stages"]
    assert alone["bits_per_byte"] == first.measured[plan.measured[other]]["metrics"]["general_bits_per_byte"]
