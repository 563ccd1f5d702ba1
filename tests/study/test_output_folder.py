"""What a study may replace in its output folder, and that an interrupted write of results neither locks anybody out nor mixes two runs."""

import json
import shutil

import pytest

from acclimate.cli.verbs import app
from acclimate.errors import SettingsError
from acclimate.owned import MARK, is_marked
from acclimate.report.pages.page import render
from acclimate.report.results.finished import Results
from acclimate.study.language.study import load_study
from acclimate.study.outputs.output_folder import claim
from acclimate.study.run import Options, run_study

PLAIN = """
data:
  task: {{ path: {world}/train.jsonl }}
seeds: {seeds}
recipes:
  majority: {{ base: majority }}
  tfidf: {{ base: tfidf }}
"""


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
