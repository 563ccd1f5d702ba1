"""Which files a path, a glob or a folder stands for."""

import os
import socket

import pytest

from acclimate.data.readers.folders import find
from acclimate.errors import DataError


def make(folder, *names, text="x\n"):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def names(pattern, root, **settings):
    return [str(path.relative_to(root)) for path in find(pattern, root, **settings).files]


@pytest.fixture
def linked(tmp_path):
    make(tmp_path, "corpora/here/a.txt", "elsewhere/b.txt", "elsewhere/deep/c.txt")
    (tmp_path / "corpora/linked").symlink_to("../elsewhere")
    return tmp_path


@pytest.mark.parametrize("pattern", ["corpora", "corpora/**/*.txt", "corpora/**"])
def test_linked_folders_are_entered_by_folder_and_glob_alike(linked, pattern):
    assert names(pattern, linked) == ["corpora/here/a.txt", "corpora/linked/b.txt", "corpora/linked/deep/c.txt"]


@pytest.mark.parametrize("pattern", ["corpora", "corpora/**/*.txt"])
def test_a_circle_of_links_is_noticed_and_each_real_file_is_read_once(linked, pattern):
    (linked / "corpora/again").symlink_to("here")
    (linked / "corpora/here/up").symlink_to("..")
    (linked / "elsewhere/root").symlink_to("/")
    (linked / "corpora/here/a-too.txt").symlink_to("a.txt")
    os.link(linked / "corpora/here/a.txt", linked / "corpora/here/hard.txt")
    found = find(pattern, linked)
    assert [str(path.relative_to(linked)) for path in found.files] == [
        "corpora/here/a.txt",
        "corpora/linked/b.txt",
        "corpora/linked/deep/c.txt",
    ]
    said = {str(path.relative_to(linked)) for path in found.unread}
    assert said >= {f"corpora/{name}" for name in ("again", "here/up", "linked/root", "here/a-too.txt", "here/hard.txt")}


@pytest.mark.parametrize("pattern", ["d", "d/**/*.jsonl", "d/*.jsonl"])
def test_dangling_links_and_missing_shards_are_named_together(tmp_path, pattern):
    make(tmp_path, "d/train-00000-of-00003.jsonl", "d/test.jsonl")
    (tmp_path / "d/train-00001-of-00003.jsonl").symlink_to("/nowhere/blob")
    with pytest.raises(DataError) as raised:
        find(pattern, tmp_path)
    assert "train-00001-of-00003.jsonl: a link to /nowhere/blob, which is not there" in str(raised.value)
    assert "train has 1 of 3 shards; missing: train-00001-of-00003.jsonl, train-00002-of-00003.jsonl" in str(raised.value)


def test_a_dangling_link_of_its_own_is_told_from_a_missing_file(tmp_path):
    (tmp_path / "a.csv").symlink_to("gone.csv")
    with pytest.raises(DataError, match=r"a\.csv: a link to gone\.csv, which is not there"):
        find("a.csv", tmp_path)


def test_shards_are_complete_counted_from_0_or_1_and_with_hashes(tmp_path):
    make(tmp_path, *(f"zero/train-0000{n}-of-00002-9c49ab01cd23ef4{n}.csv" for n in range(2)), *(f"one/x_{n}-of-3.txt" for n in (1, 2, 3)))
    assert len(find("zero", tmp_path).files) == 2
    assert len(find("one", tmp_path).files) == 3
    make(tmp_path, "zero/train-00001-of-00002-0123456789abcdef.csv")
    with pytest.raises(DataError, match="one shard twice"):
        find("zero", tmp_path)


def test_a_glob_that_asks_for_some_shards_gets_these(tmp_path):
    make(tmp_path, "c4.00000-of-01024.txt", "c4.00001-of-01024.txt")
    assert len(find("c4.0000[0-1]-of-*.txt", tmp_path).files) == 2
    with pytest.raises(DataError, match=r"c4 has 2 of 1,024 shards; missing: c4\.00002-of-01024\.txt, .*, \.\.\."):
        find("c4.*.txt", tmp_path)


def test_an_unreadable_folder_is_an_error_that_names_it(tmp_path, monkeypatch):
    make(tmp_path, "d/a.txt", "d/secret/b.txt")
    listdir = os.listdir

    def refused(path):
        if "secret" in str(path):
            raise PermissionError(13, "Permission denied")
        return listdir(path)

    monkeypatch.setattr(os, "listdir", refused)
    for pattern in ("d", "d/**/*.txt", "d/*/*.txt"):
        with pytest.raises(DataError, match=r"d/secret: the folder cannot be entered \(Permission denied\)"):
            find(pattern, tmp_path)


def test_what_is_not_read_below_a_folder_is_told(tmp_path):
    make(tmp_path, "d/a.txt", "d/README.md", "d/deep/notes.pdf", "d/.hidden.txt", "d/info.json")
    found = find("d", tmp_path)
    assert [path.name for path in found.files] == ["a.txt"]
    assert [path.name for path in found.unread] == ["README.md", "notes.pdf", "info.json"]
    assert [path.name for path in find("d/*", tmp_path).unread] == ["deep"]


def test_json_files_are_data_where_they_are_alone(tmp_path):
    make(tmp_path, "d/a.json", "d/b.json")
    assert names("d", tmp_path) == ["d/a.json", "d/b.json"]


def test_names_with_glob_characters_spaces_and_dashes_are_names(tmp_path):
    make(tmp_path, "d[1]/a*.txt", "d[1]/-b c.txt", "d[1]/é.txt", "d1/wrong.txt")
    assert names("d[1]/a*.txt", tmp_path) == ["d[1]/a*.txt"]
    assert names("d[1]/*.txt", tmp_path) == ["d[1]/-b c.txt", "d[1]/a*.txt", "d[1]/é.txt"]
    assert names("*.txt", tmp_path / "d[1]") == ["-b c.txt", "a*.txt", "é.txt"]
    strange = os.fsdecode(b"caf\xe9.txt")
    (tmp_path / strange).write_text("x")
    assert names(strange, tmp_path) == [strange]


@pytest.mark.parametrize("pattern", ["a\0b.txt", "\ud800.txt", "x" * 5_000, "~nobody-of-this-name/x.txt", "", "a.txt/b.txt", "[", "**"])
def test_no_name_ends_in_a_traceback(tmp_path, pattern):
    make(tmp_path, "a.txt/c")
    (tmp_path / "a.txt/c").unlink()
    with pytest.raises(DataError):
        find(pattern, tmp_path)


@pytest.mark.parametrize("pattern", ["pipe.jsonl", "d", "d/*.jsonl", "socket.jsonl", "-", "/dev/stdin", "/dev/fd/0", "/dev/null"])
def test_what_can_be_read_once_only_is_refused_and_never_waited_for(tmp_path, monkeypatch, pattern):
    (tmp_path / "d").mkdir()
    os.mkfifo(tmp_path / "pipe.jsonl")
    os.mkfifo(tmp_path / "d/pipe.jsonl")
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("socket.jsonl")
    with pytest.raises(DataError, match="cannot be read more than once"):
        find(pattern, tmp_path)
