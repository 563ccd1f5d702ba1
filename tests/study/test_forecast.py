"""The time that is left: nothing is said before something is known, and then what the stages took decides."""

from dataclasses import replace

import pytest

from acclimate.study.language.study import load_study
from acclimate.study.plan.prepared import prepare
from acclimate.study.watch.forecast import Weight, seconds_left, weigh
from acclimate.study.watch.status import StageStatus
from acclimate.training.progress import Progress

TRAINED = Weight("finetune", 10.0, True)
OTHER = Weight("pretrain", 40.0, True)
BASE = Weight("start", 1.0, False)


def stage(key, state="waiting", seconds=None, parent=None, progress=None):
    return StageStatus(key, parent, f"stage {key}", 1, state, seconds, progress)


def going(key, step, steps, left, first=0):
    return Progress(f"stage {key}", step, steps, first, 100.0, 1.0, left)


def test_nothing_is_said_before_something_is_known():
    stages = [stage("base", "done", 9.0), stage("a", "running", 0.5, "base"), stage("b", parent="base")]
    weights = {"base": BASE, "a": TRAINED, "b": TRAINED}
    assert seconds_left(stages, {}, 1) is None
    # How long a base takes to read says nothing about training.
    assert seconds_left(stages, weights, 1) is None


def test_what_finished_stages_took_scales_the_estimates_of_the_others():
    stages = [stage("a", "done", 30.0), stage("b"), stage("c")]
    assert seconds_left(stages, dict.fromkeys("abc", TRAINED), 1) == pytest.approx(60.0)


def test_another_kind_is_taken_to_go_at_the_same_pace_until_it_shows_its_own():
    weights = {"a": TRAINED, "b": OTHER, "c": OTHER}
    assert seconds_left([stage("a", "done", 30.0), stage("b"), stage("c")], weights, 1) == pytest.approx(3 * 80.0)
    assert seconds_left([stage("a", "done", 30.0), stage("b", "done", 40.0), stage("c")], weights, 1) == pytest.approx(40.0)


def test_a_running_stage_counts_by_its_own_steps_and_tells_about_others_when_it_is_well_on_its_way():
    weights = dict.fromkeys("ab", TRAINED)
    begun = [stage("a", "running", 1.0, progress=going("a", 1, 100, 99.0)), stage("b")]
    assert seconds_left(begun, weights, 1) is None
    assert seconds_left(begun[:1], weights, 1) == pytest.approx(99.0)
    later = [stage("a", "running", 20.0, progress=going("a", 50, 100, 20.0)), stage("b")]
    assert seconds_left(later, weights, 1) == pytest.approx(20.0 + 40.0)


def test_a_part_of_a_stage_says_nothing_about_its_end():
    head = Progress("stage a (head alone)", 9, 10, 0, 100.0, 1.0, 0.1)
    assert seconds_left([stage("a", "running", 9.0, progress=head)], {"a": TRAINED}, 1) is None


def test_a_stage_that_went_on_after_an_interrupt_is_no_measure_for_others():
    went_on = stage("a", "done", 2.0, progress=going("a", 100, 100, 0.0, first=90))
    assert seconds_left([went_on, stage("b")], dict.fromkeys("ab", TRAINED), 1) is None


def test_several_devices_share_the_work_but_a_chain_is_one_after_the_other():
    weights = dict.fromkeys("abcd", TRAINED)
    apart = [stage("a", "done", 10.0), stage("b"), stage("c"), stage("d")]
    assert seconds_left(apart, weights, 3) == pytest.approx(10.0)
    chain = [stage("a", "done", 10.0), stage("b", parent="a"), stage("c", parent="b"), stage("d", parent="c")]
    assert seconds_left(chain, weights, 3) == pytest.approx(30.0)
    # What stands beside the others waits for the longest of them.
    beside = [stage("a", "done", 10.0), stage("b", parent="a"), stage("c", parent="b"), replace(stage("d", parent="a"), beside=("c",))]
    assert seconds_left(beside, weights, 3) == pytest.approx(30.0)


def test_failed_skipped_and_cached_stages_take_no_time():
    stages = [stage("a", "done", 10.0), stage("b", "failed", 1.0), stage("c", "skipped"), stage("d", "cached")]
    assert seconds_left(stages, dict.fromkeys("abcd", TRAINED), 1) == 0.0


def test_every_stage_of_a_plan_has_a_weight_and_seeds_weigh_the_same(write_study, tmp_path):
    prepared = prepare(load_study(write_study(tmp_path)), tmp_path, tmp_path / "store")
    weights = weigh(prepared, list(prepared.plan.nodes))
    assert weights.keys() == prepared.plan.nodes.keys()
    kinds = {weight.kind: weight.trains for weight in weights.values()}
    assert kinds == {"start": False, "finetune": True, "tfidf": False, "pretrain": True}
    ends = {(run.recipe, run.labels, run.seed): weights[run.end] for run in prepared.plan.runs}
    assert ends["fine-tune", "all", 0] == ends["fine-tune", "all", 1]
    assert ends["fine-tune", "all", 0].seconds > ends["fine-tune", "30", 0].seconds
