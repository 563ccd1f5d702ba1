"""Caches are verified when they are opened: a damaged one is made again with a word, one that cannot be read is not taken for damaged."""

import errno
import logging
import os
from pathlib import Path

import numpy as np
import pytest
from tests.data.test_outputs import made, parts_of
from tokenizers import Tokenizer, models, pre_tokenizers

from acclimate.data.hidden_outputs import Outputs
from acclimate.data.tokens import TokenStore
from acclimate.errors import UnreadableError

TEXTS = ["one text of words", "another text", "", "words and words"] * 20


def tokenizer():
    words = Tokenizer(models.WordLevel({"[UNK]": 0, "one": 1, "text": 2, "words": 3}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    return words


def tokens(folder, texts=TEXTS, **more):
    store = TokenStore.build(folder, iter(texts), tokenizer(), "key", **more)
    return [store.tokens.tolist(), store.offsets.tolist(), store.bytes]


def outputs(folder, parts=True, **more):
    values = np.arange(12, dtype=np.float32).reshape(6, 2)
    given = iter([(np.arange(3), values)]) if parts else never()
    made = Outputs.build(folder, "key", np.array([1, 2, 3]), 2, "float32", given, **more)
    return [made.values.tolist(), made.offsets.tolist()]


def never():
    raise AssertionError("it was computed again")
    yield


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


DAMAGES = {
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-3]),
    "empty": lambda path: path.write_bytes(b""),
    "missing": Path.unlink,
    "one bit flipped": flip,
    "another file": lambda path: path.write_bytes(os.urandom(path.stat().st_size)),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
}
CACHES = [(tokens, "tokens.bin"), (tokens, "offsets.bin"), (tokens, "store.json"), (outputs, "values.bin"), (outputs, "outputs.json")]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize(("make", "name"), CACHES)
def test_a_damaged_cache_is_made_again_with_a_word(tmp_path, make, name, damage, caplog):
    made = make(tmp_path / "cache")
    with caplog.at_level(logging.WARNING):
        assert make(tmp_path / "cache") == made
    assert not caplog.records
    DAMAGES[damage](tmp_path / "cache" / name)
    with caplog.at_level(logging.WARNING):
        assert make(tmp_path / "cache") == made
    assert name in caplog.text
    assert "made again" in caplog.text
    caplog.clear()
    assert make(tmp_path / "cache") == made
    assert not caplog.records


@pytest.mark.parametrize("make", [tokens, outputs])
def test_a_file_in_the_place_of_a_cache_keeps_nothing_from_being_made(tmp_path, make):
    made = make(tmp_path / "other")
    (tmp_path / "cache").write_text("x")
    assert make(tmp_path / "cache") == made


@pytest.mark.parametrize("code", [errno.EIO, errno.EMFILE, errno.EACCES, errno.ESTALE])
@pytest.mark.parametrize(("make", "name"), CACHES)
def test_a_cache_that_cannot_be_read_stays_and_the_error_is_said(tmp_path, make, name, code, monkeypatch):
    make(tmp_path / "cache")
    before = {path: path.stat().st_ino for path in tmp_path.rglob("*")}
    whole = Path.open

    def fails(self, *arguments, **more):
        if self.name == name:
            raise OSError(code, os.strerror(code), str(self))
        return whole(self, *arguments, **more)

    with monkeypatch.context() as broken:
        broken.setattr(Path, "open", fails)
        with pytest.raises(UnreadableError, match=rf"{name}: cannot be read"):
            make(tmp_path / "cache")
    assert {path: path.stat().st_ino for path in tmp_path.rglob("*")} == before


def test_what_a_killed_build_left_is_removed_by_the_next_one(tmp_path):
    left = tmp_path / f".tmp-{'0' * 32}-o"
    left.mkdir()
    (left / "values.bin").write_bytes(b"0" * 100)
    other = tmp_path / f".tmp-{'0' * 32}-another"
    other.mkdir()
    Outputs.build(tmp_path / "o", "key", np.array([1]), 4, "float32", parts_of(made([1], 4), [0], 1))
    assert not left.exists()
    assert other.exists()
