"""Folders and files with odd names work, or are refused before anything is spent."""

import os

import pytest

from acclimate.errors import SettingsError
from acclimate.files import digest_json, read_json, write_json
from acclimate.owned import refuse_foreign, refuse_holding, refuse_inside
from acclimate.report.pages.page import write_report
from acclimate.report.results.finished import Results
from acclimate.study.language.study import load_study
from acclimate.study.run import Options, run_study
from acclimate.study.watch.status import Begun, read_status

pytestmark = pytest.mark.measured(0)

PLAIN = """
data:
  task: {{ path: {world}/train.jsonl }}
seeds: 1
recipes:
  majority: {{ base: majority }}
  "[red] = a very {long} name": {{ base: tfidf }}
"""


@pytest.mark.parametrize(
    "name",
    [
        "with spaces",
        "line\nbreak",
        "-dash",
        "#hash",
        'it\'s "quoted"',
        "[red]bold",
        "😀",
        "back\\slash",
        "a\x1b[31m",
    ],
    ids=["spaces", "newline", "dash", "hash", "quotes", "markup", "emoji", "backslash", "escape"],
)
def test_a_study_runs_in_a_folder_with_an_odd_name(tiny_world, tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    (folder / "study.yaml").write_text(PLAIN.format(world=tiny_world, long="long " * 60))
    study, out = load_study(folder / "study.yaml"), folder / "results" / name
    command = f"acclimate study {name}.yaml"
    run_study(study, folder, Options(out=out, store=folder / "kept", engine="inline", command=command, say=lambda line: None))
    write_report(out)
    assert len(Results.load(out).runs) == 2
    assert read_status(out).begun == Begun("kept", "inline")  # from the study's folder
    assert load_study(out / "study.yaml").recipes == study.recipes
    written = (out / "report.md").read_bytes() + (out / "report.html").read_bytes()
    assert b"\x1b" not in written
    written.decode()


def test_a_folder_whose_path_is_not_utf8_is_refused_before_work(tmp_path):
    odd = tmp_path / os.fsdecode(b"\xff\xfe") / "out"
    with pytest.raises(SettingsError, match=r"this path is not UTF-8, .* choose another --out"):
        refuse_holding(odd, {})
    with pytest.raises(SettingsError, match="choose another --store"):
        refuse_inside(tmp_path / "out", [odd])


def test_a_value_with_half_characters_is_written_and_read_back_equal(tmp_path):
    value = {"path": os.fsdecode(b"a\xff")}
    write_json(tmp_path / "x.json", value)
    (tmp_path / "x.json").read_text(encoding="utf-8")
    assert read_json(tmp_path / "x.json") == value
    assert digest_json(value) != digest_json({"path": "a"})


def test_a_name_that_is_too_long_is_refused_at_once(tmp_path):
    with pytest.raises(SettingsError, match="too long, at most 200 bytes"):
        refuse_foreign(tmp_path / ("ż" * 101), "model")
