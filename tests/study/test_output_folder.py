"""What a study may replace in its output folder, and that an interrupted write of results neither locks anybody out nor mixes two runs."""

import contextlib
import errno
import json
import os
import shutil

import pytest

from acclimate.cli.verbs import app
from acclimate.errors import DiskFullError, SettingsError
from acclimate.owned import MARK, is_marked
from acclimate.report.pages.page import render
from acclimate.report.results.finished import Results
from acclimate.study.language.study import load_study
from acclimate.study.outputs import output_folder as outputs
from acclimate.study.outputs.contributions import NAME as CONTRIBUTIONS
from acclimate.study.outputs.outcomes import Outcomes, verdicts
from acclimate.study.outputs.output_folder import claim, take
from acclimate.study.plan.prepared import prepare
from acclimate.study.run import Options, run_study, write_results

PLAIN = """
data:
  task: {{ path: {world}/train.jsonl }}
seeds: {seeds}
recipes:
  majority: {{ base: majority }}
  tfidf: {{ base: tfidf }}
"""


class Killed(BaseException):
    """As sudden as a kill: nothing catches it."""


@pytest.fixture(scope="module")
def study_of(tiny_world, tmp_path_factory):
    """A function from a number of seeds to what runs such a study into a folder; artifacts are shared."""
    folder = tmp_path_factory.mktemp("studies")

    def make(seeds):
        file = folder / f"{seeds}" / "study.yaml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(PLAIN.format(world=tiny_world, seeds=seeds))

        def run(out, **more):
            return run_study(load_study(file), file.parent, Options(out=out, store=folder / "store", engine="inline", **more))

        return run

    make.folder = folder
    return make


@pytest.fixture(scope="module")
def before(study_of, tmp_path_factory):
    """The output folder of a study with one seed."""
    out = tmp_path_factory.mktemp("before") / "out"
    study_of(1)(out)
    return out


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def seeds_of(folder):
    """The seeds in a folder's results, which agree among themselves."""
    found = Results.load(folder)
    seeds = {run.seed for run in found.runs}
    assert seeds == set(found.study["seeds"]) == set(range(max(seeds) + 1))
    assert f"seeds: {len(seeds)}" in found.study_yaml
    return len(seeds)


@pytest.fixture(scope="module")
def write(study_of, tmp_path_factory):
    """A function that writes the results of a study with two seeds, all of whose stages are done, into a folder that a study has taken."""
    done = tmp_path_factory.mktemp("done")
    study_of(2)(done / "out")
    file = study_of.folder / "2/study.yaml"
    prepared = prepare(load_study(file), file.parent, study_of.folder / "store")
    found = verdicts(prepared.study, Outcomes.read(prepared.plan, prepared.store, {}), prepared.data.task, done)

    def known(study, outcomes, task, out):
        shutil.copyfile(done / CONTRIBUTIONS, out / CONTRIBUTIONS)
        return found

    def write(out):
        take(out)
        write_results(prepared, {}, Options(out=out, store=study_of.folder / "store"))

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("acclimate.study.run.verdicts", known)  # they take most of the time
        yield write


def stopped_at(point, error, function):
    """Call it, raising `error` where it asks the system for the `point`-th time to rename, remove, copy or make something.

    Returns whether it was raised.
    """
    left = [point]

    def watched(asked):
        def call(*given, **more):
            left[0] -= 1
            if left[0] == 0:
                raise error
            return asked(*given, **more)

        return call

    with pytest.MonkeyPatch.context() as patched:
        for home, name in ((os, "replace"), (os, "unlink"), (os, "mkdir"), (shutil, "copytree"), (outputs, "swap")):
            patched.setattr(home, name, watched(getattr(home, name)))
        if isinstance(error, Killed):
            patched.setattr(outputs.shutil, "rmtree", lambda *given, **more: None)  # the killed tidy nothing
        with contextlib.suppress(Killed, DiskFullError, OSError):
            function()
        return left[0] <= 0


@pytest.mark.measured(1)
@pytest.mark.parametrize("error", [Killed(), OSError(errno.ENOSPC, "No space left on device")], ids=["kill", "full disk"])
def test_results_cut_off_at_any_point_are_of_one_run_or_none_and_the_same_command_heals_them(before, write, tmp_path, error):
    seen = set()
    for point in range(1, 1000, 7):  # one in seven: each takes a second
        out = tmp_path / f"{point}"
        shutil.copytree(before, out)
        (out / "notes.txt").write_text("mine")
        (out / "best/notes.txt").write_text("mine")
        if not stopped_at(point, error, lambda out=out: write(out)):
            break
        seen.add(seeds_of(out) if (out / "study.json").exists() else 0)
        claim(out, {})
        write(out)
        assert seeds_of(out) == 2
        assert not [name for name in names(out) if name.startswith(".tmp-")]
        assert (out / "notes.txt").read_text() == (out / "best/notes.txt").read_text() == "mine"
        shutil.rmtree(out)
    assert point > 20
    assert seen >= {0, 1}


def test_a_mixture_of_two_runs_is_refused_and_the_same_command_mends_it(study_of, before, tmp_path):
    out = tmp_path / "out"
    study_of(2)(out)
    for name in ("results.parquet", "verdicts.json", "study.yaml"):
        shutil.copy(before / name, out / name)
        with pytest.raises(SettingsError, match=rf"{name}: is not the file that this study wrote .* run the study again"):
            Results.load(out)
        study_of(2)(out)
        Results.load(out)
    (out / "results.csv").write_text("saved by a spreadsheet")
    Results.load(out)  # nothing reads it


def test_a_folder_without_its_record_is_said_to_be_unfinished(before, tmp_path):
    shutil.copytree(before, tmp_path / "out")
    (tmp_path / "out/study.json").unlink()
    with pytest.raises(SettingsError, match=r"study\.json is missing — the study has not finished, or stopped .* run the study again"):
        Results.load(tmp_path / "out")


def test_an_older_folder_without_mark_still_reports_and_goes_on(study_of, before, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(before, out)
    (out / MARK).unlink()
    record = json.loads((out / "study.json").read_text())
    record.pop("files")
    # Files were lists, without the rows of each.
    task, corpora = record["data"]["task"], record["data"]["corpora"]
    task["files"] = {split: list(rows) for split, rows in task["files"].items()}
    for name in ("unread", "labels_noted"):
        task.pop(name, None)
    for corpus in corpora.values():
        corpus["paths"] = list(corpus["paths"])
    (out / "study.json").write_text(json.dumps(record))
    assert "train.jsonl" in render(Results.load(out))
    shutil.rmtree(out / "best")
    (out / "best").mkdir()
    (out / "best/config.json").write_text("{}")
    Results.load(out)
    study_of(1)(out)
    assert is_marked(out, "study")


def test_an_older_folder_that_was_left_without_its_record_goes_on(study_of, before, tmp_path):
    # study.yaml was written first and study.json last: whatever ended the process between them locked the folder.
    out = tmp_path / "out"
    out.mkdir()
    for name in (".status.json", "study.yaml"):
        shutil.copy(before / name, out / name)
    study_of(1)(out)
    assert seeds_of(out) == 1


@pytest.mark.parametrize("name", ["study.json", "study.yaml", "models/precious", "notes.txt"])
def test_somebodys_own_folder_is_never_written_into(study_of, tmp_path, name):
    file = tmp_path / "out" / name
    file.parent.mkdir(parents=True)
    file.write_text("{}")
    with pytest.raises(SettingsError, match="acclimate did not make it"):
        study_of(1)(tmp_path / "out")
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == [file]


def test_the_folders_of_store_and_data_are_refused_before_anything_is_written(tmp_path):
    precious = {"the store": [tmp_path / "a/store"], "the folder of the data": [tmp_path / "data"]}
    for out, said in (
        ("a", "holds the store"),
        ("a/store", "is the store"),
        ("a/store/out", "inside of the store"),
        ("data", "is the folder"),
    ):
        with pytest.raises(SettingsError, match=said):
            claim(tmp_path / out, precious)
    claim(tmp_path / "a/out", precious)
    assert list(tmp_path.iterdir()) == []


def test_models_that_are_no_longer_handed_over_go_and_files_of_others_beside_them_stay(study_of, before, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(before, out)
    shutil.copytree(out / "best", out / "best_transformer")
    (out / "best_transformer/notes.txt").write_text("mine")
    study_of(1)(out)
    assert names(out / "best_transformer") == ["notes.txt"]


def test_the_verb_says_where_a_folder_is_somebodys(tiny_world, tmp_path):
    from typer.testing import CliRunner

    file = tmp_path / "study.yaml"
    file.write_text(PLAIN.format(world=tiny_world, seeds=1))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/study.json").write_text("{}")
    found = CliRunner().invoke(app, ["study", str(file), "--out", str(tmp_path / "mine")])
    assert found.exit_code == 2
    assert "acclimate did not make it" in found.stderr
