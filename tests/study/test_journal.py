"""The journal: what the engine says is what a status shows, and the file says how it ended."""

import math
import time
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from acclimate.errors import Interrupted, SettingsError
from acclimate.study.engines.reports import Report
from acclimate.study.language.study import load_study
from acclimate.study.plan.prepared import prepare
from acclimate.study.run import _lost
from acclimate.study.watch import journal as journal_module
from acclimate.study.watch.journal import Journal
from acclimate.study.watch.status import Begun, read_status, write_status
from acclimate.training.progress import Progress


@pytest.fixture(scope="module")
def prepared(write_study, tmp_path_factory):
    folder = tmp_path_factory.mktemp("journal")
    return prepare(load_study(write_study(folder)), folder, folder / "store")


def planned(prepared, folder: Path | None = None):
    journal = Journal("study", folder)
    journal.planned(prepared, prepared.plan.nodes)
    return journal


def states(journal):
    return {stage.key: stage.state for stage in journal.snapshot().stages}


def test_before_the_plan_is_made_the_study_is_preparing(tmp_path):
    with Journal("study", tmp_path):
        status = read_status(tmp_path)
    assert (status.state, status.stages) == ("preparing", ())
    assert status.process is not None


def test_a_shared_stage_is_there_once_with_its_number_of_recipes(prepared):
    stages = {stage.key: stage for stage in planned(prepared).snapshot().stages}
    assert list(stages) == list(prepared.plan.nodes)
    for key, stage in stages.items():
        assert stage.recipes == len(prepared.plan.recipes_of(key))
    assert max(stage.recipes for stage in stages.values()) == 3


def test_curves_of_what_runs_are_thinned_begin_anew_with_a_part_and_go_when_it_is_done(prepared):
    journal, key = planned(prepared), next(iter(prepared.plan.nodes))

    def curves():
        return next(stage.curves for stage in journal.snapshot().stages if stage.key == key)

    def losses():
        return curves()["loss"]

    journal.began(key)
    for step in range(1, 1000):
        journal.progress(key, Progress("all of it", step, 1000, loss=1 / step))
    steps = [step for step, _ in losses()]
    assert len(steps) <= journal_module.MOST_POINTS
    assert steps == sorted(set(steps))
    assert (losses()[0], losses()[-1]) == ((1, 1.0), (999, 1 / 999))
    journal.progress(key, Progress("a head alone", 1, 10, loss=3.0))
    journal.progress(key, Progress("a head alone", 2, 10))
    assert losses() == ((1, 3.0),)
    journal.ended(Report(key, "done"))
    assert curves() == {}


def test_evaluations_of_what_runs_are_curves_with_those_of_before_an_interrupt(prepared, tmp_path):
    journal, key = planned(prepared), next(iter(prepared.plan.nodes))
    before = ({"step": 1, "loss": 2.0, "lr": 0.1}, {"step": 4, "dev_macro_f1": 0.25, "dev_accuracy": 0.5, "score": 0.25})
    journal.began(key)
    journal.progress(key, Progress("all of it", 4, 9, 4, measured=before))
    journal.progress(key, Progress("all of it", 6, 9, 4, loss=1.0))
    journal.progress(key, Progress("all of it", 6, 9, 4, loss=1.0, measured=({"step": 6, "dev_macro_f1": 0.75, "heldout_loss": math.nan},)))
    write_status(tmp_path, journal.snapshot())
    stage = next(stage for stage in read_status(tmp_path).stages if stage.key == key)
    assert stage.curves == {"loss": ((1, 2.0), (6, 1.0)), "dev_macro_f1": ((4, 0.25), (6, 0.75))}
    assert stage.progress == Progress("all of it", 6, 9, 4, loss=1.0)


def test_what_is_cached_and_what_is_not_needed_are_told_apart(prepared):
    first, second, *others = prepared.plan.nodes
    journal = Journal("study")
    journal.planned(replace(prepared, cached=frozenset([first])), others)
    found = states(journal)
    assert (found[first], found[second], {found[key] for key in others}) == ("cached", "not needed", {"waiting"})


def test_states_follow_the_engine_and_what_needs_a_failed_stage_is_skipped(prepared):
    journal = planned(prepared)
    chain = next(run.nodes for run in prepared.plan.runs if run.recipe == "DAPT + TAPT")
    base, domain, task, end = chain
    for key in (base, domain):
        journal.began(key)
        assert states(journal)[key] == "running"
        journal.progress(key, Progress("part", 1, 2))
    journal.ended(Report(base, "done"))
    journal.ended(Report(domain, "failed", "the loss is nan\nand more"))
    for key in (task, end):
        journal.ended(Report(key, "failed", "needs 'pretrain', which failed"))
    found = {stage.key: stage for stage in journal.snapshot().stages}
    assert [found[key].state for key in chain] == ["done", "failed", "skipped", "skipped"]
    assert found[domain].error == "the loss is nan"
    assert found[domain].progress == Progress("part", 1, 2)
    assert found[base].seconds is not None


@pytest.mark.parametrize(
    ("error", "state", "code", "said"),
    [
        (None, "finished", 0, ""),
        (Interrupted("stopped"), "interrupted", 130, "stopped"),
        (KeyboardInterrupt(), "interrupted", 130, ""),
        (SettingsError("a mistake"), "failed", 2, "a mistake"),
        (ValueError("a bug"), "failed", 1, "ValueError: a bug"),
    ],
    ids=["finished", "interrupted", "stopped at once", "mistake", "bug"],
)
def test_the_file_says_how_it_ended_and_names_no_machine_any_more(prepared, tmp_path, error, state, code, said):
    with nullcontext() if error is None else pytest.raises(type(error)), planned(prepared, tmp_path) as journal:
        journal.began(next(iter(prepared.plan.nodes)))
        if error is not None:
            raise error
    status = read_status(tmp_path)
    assert (status.state, status.exit_code, status.error, status.process) == (state, code, said, None)
    assert status.stages[0].state == "interrupted"


def test_failed_runs_are_an_exit_code(prepared, tmp_path):
    with planned(prepared, tmp_path) as journal:
        journal.failed(2)
    assert (read_status(tmp_path).state, read_status(tmp_path).exit_code) == ("finished", 1)


def test_a_thousand_events_a_second_are_a_file_a_second(prepared, tmp_path, monkeypatch):
    written, seconds = [], iter([False, False, False, True])
    monkeypatch.setattr(journal_module, "write_status", lambda folder, status: written.append(status))
    key = next(iter(prepared.plan.nodes))
    journal = planned(prepared, tmp_path)

    def a_second_passes(beat):
        assert beat == 1.0
        for step in range(1000):
            journal.progress(key, Progress("part", step, 1000))
        return next(seconds)  # whether the study is over

    monkeypatch.setattr(journal, "_over", SimpleNamespace(wait=a_second_passes))
    journal._beat()
    assert len(written) == 3


def test_a_silent_study_still_has_a_heartbeat(prepared, tmp_path, monkeypatch):
    monkeypatch.setattr(journal_module, "BEAT", 0.02)
    monkeypatch.setattr(journal_module, "HEARTBEAT", 0.05)
    seen = set()
    with planned(prepared, tmp_path):
        while len(seen) < 4:  # more than the plan alone would give; without a heartbeat this would not end
            seen.add(read_status(tmp_path).updated)
            time.sleep(0.01)


def test_a_status_that_cannot_be_written_does_not_stop_the_study(prepared, tmp_path):
    (tmp_path / "file").write_text("")
    with planned(prepared, tmp_path / "file"):
        pass


def test_a_status_says_with_what_the_study_was_begun_and_no_cluster_once_it_is_finished(tmp_path):
    begun = Begun("s3://bucket/all", "ray", "head:6379", threads=2)
    with Journal("study", tmp_path, begun=begun):
        assert read_status(tmp_path).begun == begun
    assert read_status(tmp_path).begun == replace(begun, address=None)
    assert replace(begun, address=None).options == {"--store": "s3://bucket/all", "--engine": "ray", "--threads": "2"}


def test_a_lost_attempt_waits_again_and_is_told_also_after_another_run(prepared, tmp_path):
    key, other = [*prepared.plan.nodes][:2]
    with Journal("study", tmp_path) as journal:
        journal.planned(prepared, prepared.plan.nodes)
        for each in (key, other):
            journal.began(each)
            journal.lost(each, "node blue was lost")
            assert states(journal)[each] == "waiting"
            journal.began(each)
        journal.ended(Report(key, "done"))
        journal.lost(other, "node red was lost")
    with Journal("study", tmp_path) as again:  # killed before it had a plan
        pass
    with Journal("study", tmp_path) as again:
        again.planned(prepared, {other})
        assert again.lost_attempts == {key: ("node blue was lost",), other: ("node blue was lost", "node red was lost")}
        again.began(other)
        again.ended(Report(other, "done"))
        assert _lost(again.lost_attempts, {}, prepared)[0].endswith("for node blue was lost")
    with Journal("study", tmp_path) as anew:  # over an empty store
        anew.planned(prepared, prepared.plan.nodes)
        assert anew.lost_attempts == {}
