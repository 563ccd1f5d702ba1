"""Folders that acclimate made are told by its mark, and what somebody put into one is never lost."""

import pytest

from acclimate.errors import SettingsError
from acclimate.files import atomic_folder
from acclimate.owned import MARK, is_marked, mark, mark_made, own_folder, refuse_foreign, refuse_holding, remove_own, strangers


def made(path, **files):
    with own_folder(path, "model", later=["README.md"]) as folder:
        for name, text in files.items():
            (folder / name).write_text(text)


def test_a_folder_of_somebody_is_refused_whatever_its_files_are_called(tmp_path):
    out = tmp_path / "model"
    refuse_foreign(out, "model")  # not there
    out.mkdir()
    refuse_foreign(out, "model")  # empty
    (out / "config.json").write_text("{}")
    (out / "model.safetensors").write_text("precious")
    with pytest.raises(SettingsError, match=r"holds 'config\.json' and 1 more, and acclimate did not make it"):
        refuse_foreign(out, "model")
    (out / MARK).write_text('{"made_by": "somebody", "kind": "model"}')
    with pytest.raises(SettingsError, match="did not make it"):
        refuse_foreign(out, "model")


def test_a_folder_of_acclimate_is_not_taken_for_something_else(tmp_path):
    mark(tmp_path / "study", "study")
    refuse_foreign(tmp_path / "study", "study")
    with pytest.raises(SettingsError, match="made it for something else"):
        refuse_foreign(tmp_path / "study", "model")


def test_a_file_and_a_dangling_link_are_no_folder(tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    for name, said in (("file", "is a file"), ("link", "is a link")):
        with pytest.raises(SettingsError, match=said):
            refuse_foreign(tmp_path / name, "model")


@pytest.mark.parametrize("names", [[".lock"], [f".tmp-{'0' * 32}-{MARK}"]])
def test_what_a_command_leaves_that_was_killed_before_its_mark_is_no_hindrance(tmp_path, names):
    for name in names:
        (tmp_path / name).write_text("")
    refuse_foreign(tmp_path, "study")


def test_the_root_the_home_the_working_directory_and_what_is_precious_are_refused(tmp_path, monkeypatch):
    (tmp_path / "home/work/data").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "home/work")
    precious = {"the folder of the data": [tmp_path / "home/work/data"]}
    for out, said in (("/", "root"), ("~", "is your home"), (".", "working"), ("..", "home"), ("data", "is the folder of the data")):
        with pytest.raises(SettingsError, match=said):
            refuse_holding(tmp_path / "home" if out == "~" else tmp_path / "home/work" / out, precious)
    refuse_holding(tmp_path / "home/work/data/out", precious)
    (tmp_path / "link").symlink_to(tmp_path / "home/work/data")
    with pytest.raises(SettingsError, match="data"):
        refuse_holding(tmp_path / "link", precious)


def test_somebodys_files_stay_when_the_folder_is_replaced(tmp_path):
    path = tmp_path / "model"
    made(path, config="old", vocabulary="old")
    (path / "notes.txt").write_text("mine")
    (path / ".git").mkdir()
    (path / ".git/HEAD").write_text("mine, too")
    (path / "README.md").write_text("the card")
    made(path, config="new")
    assert {file.relative_to(path).as_posix(): file.read_text() for file in path.rglob("*") if file.is_file() and file.name != MARK} == {
        "config": "new", "notes.txt": "mine", ".git/HEAD": "mine, too",
    }  # fmt: skip
    assert strangers(path) == [".git/HEAD", "notes.txt"]
    assert [each.name for each in tmp_path.iterdir()] == ["model"]


def test_a_file_of_somebody_that_would_be_replaced_is_an_error_and_stays(tmp_path):
    path = tmp_path / "model"
    made(path, config="old")
    (path / "vocabulary").write_text("mine")
    with pytest.raises(SettingsError, match="vocabulary: acclimate did not write this file"):
        made(path, config="new", vocabulary="new")
    assert (path / "vocabulary").read_text() == "mine"
    assert (path / "config").read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["model"]


def test_the_mark_of_a_whole_folder_differs_with_its_content(tmp_path):
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        mark_made(tmp_path / name, "model", name)
        assert is_marked(tmp_path / name, "model")
    assert (tmp_path / "one" / MARK).read_text() != (tmp_path / "other" / MARK).read_text()


def test_removing_our_files_leaves_those_of_others(tmp_path):
    made(tmp_path / "model", config="old")
    (tmp_path / "model/notes.txt").write_text("mine")
    remove_own(tmp_path / "model")
    assert [each.name for each in (tmp_path / "model").iterdir()] == ["notes.txt"]
    with atomic_folder(tmp_path / "unmarked") as folder:
        (folder / "file").write_text("x")
    remove_own(tmp_path / "unmarked")
    assert not (tmp_path / "unmarked").exists()
