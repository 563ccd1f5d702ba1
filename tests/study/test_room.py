"""What will not fit on a disk is said before work is spent."""

from collections import namedtuple

from acclimate.study.store import room

Usage = namedtuple("Usage", "total used free")


def test_a_disk_without_room_is_named_once_with_what_is_needed_on_it(tmp_path, monkeypatch):
    monkeypatch.setattr(room.shutil, "disk_usage", lambda place: Usage(10**9, 0, 50 * 10**6))
    assert room._lines([(tmp_path / "store", 40 * 10**6), (tmp_path / "not/there/yet", 5 * 10**6)]) == []
    (line,) = room._lines([(tmp_path / "store", 40 * 10**6), (tmp_path / "not/there/yet", 20 * 10**6)])
    assert line.startswith(f"{tmp_path}: about 60 MB are needed on this disk and 50 MB are free")


def test_the_plan_says_what_does_not_fit(write_study, tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from acclimate.cli.verbs import app

    text = "{head}\nseeds: 1\nrecipes:\n  plain: [finetune: {{ epochs: 1 }}]\n"
    monkeypatch.setattr(room.shutil, "disk_usage", lambda place: Usage(10**9, 0, 1000))
    found = CliRunner().invoke(app, ["plan", str(write_study(tmp_path, text))])
    assert found.exit_code == 0, found.output
    assert "are needed on this disk and 0 MB are free" in found.stdout
