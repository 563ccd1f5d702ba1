"""The benchmark's own machinery: rounds that alternate, bars, table and JSON; and one row carried out on a model of no size."""

import json

import pytest
from rich.console import Console

from bench import __main__ as command
from bench import models, report
from bench.measure import OURS, Bar, Bench, Options, Row, interleave, single, versus
from bench.rows import ROWS


def test_sides_alternate_and_see_the_number_of_the_round():
    seen = []
    sides = {name: lambda number, name=name: seen.append((name, number)) or number for name in "AB"}
    assert interleave(sides, 2) == {"A": [0, 1], "B": [0, 1]}
    assert seen == [("A", 0), ("B", 0), ("A", 1), ("B", 1)]


@pytest.mark.parametrize(("unit", "value"), [("tokens/s", 0.5), ("s", 2.0), ("MB", 0.5)])
def test_a_ratio_says_how_many_times_better_ours_is_and_of_memory_what_share(unit, value):
    cell = versus("what", {OURS: [1.0, 2.0, 9.0], "peer": [4.0, 4.0, 4.0]}, "peer", unit)
    assert cell.value == value
    assert cell.low < value < cell.high


def test_bars_have_a_sense():
    assert Bar(2).met(2.0)
    assert not Bar(2).met(1.9)
    assert Bar(0.3, "at most").met(0.2)
    assert not Bar(0.3, "at most").met(0.4)


def _failing(bench):
    raise ValueError("it broke [for good]")


@pytest.fixture
def rows(monkeypatch):
    """Rows that need no time, in the place of the real ones."""
    bars = {"cpu": {"fast": Bar(3, "at most", "s")}, "gpu": {"fast": Bar(3, "at most", "s"), "other": Bar(2)}}
    made = [Row("good", "seconds", lambda bench: [single("fast", [1.0, 2.0], "s", note="a note")], bars), Row("bad", "", _failing)]
    monkeypatch.setattr(command, "ROWS", {row.name: row for row in made})
    return made


def test_a_failed_row_leaves_the_others_their_figures_and_runs_merge_into_one_file(rows, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("ACCLIMATE_SHARED", "")
    assert command.main(["good", "--results", str(tmp_path)]) == 0
    assert command.main(["bad", "--results", str(tmp_path)]) == 1
    shown = capsys.readouterr().out
    assert "met" in shown
    assert "not measured" in shown
    assert "it broke [for good]" in shown
    (file,) = tmp_path.glob("*.json")
    kept = json.loads(file.read_text())["rows"]
    assert kept.keys() == {"good"}
    assert kept["good"]["cells"][0]["rounds"] == {OURS: [1.0, 2.0]}
    assert kept["good"]["versions"]["torch"]


def test_every_bar_is_one_of_a_row_and_every_row_says_what_is_timed():
    assert {
        "mlm-lines",
        "mlm-sentences",
        "mlm-blocks",
        "finetune",
        "head-only",
        "top-2",
        "tokenise",
        "memory",
        "study",
        "looks",
        "replay",
    } <= ROWS.keys()
    assert all(row.timed for row in ROWS.values())


def test_the_loop_does_what_the_trainer_does(bbc_folder, tmp_path, monkeypatch):
    from acclimate.modeling.folder import import_base
    from acclimate.modeling.source import resolve_base

    source = resolve_base("acclimate-tiny", tmp_path)
    tiny = models.Base("tiny", source.folder, import_base(source, tmp_path / "imported"))
    monkeypatch.setattr(models, "base", lambda bench, name: tiny)
    bench = Bench(Options(rounds=1, quick=True), tmp_path / "work")
    cells = ROWS["replay"].run(bench)
    console = Console(record=True, width=200)
    report.show(bench, [ROWS["replay"]], {"replay": cells}, console)
    assert next(cell for cell in cells if cell.variant == "difference").value < 5e-5
    assert "replay" in console.export_text()
