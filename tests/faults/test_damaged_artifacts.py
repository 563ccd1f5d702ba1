"""A damaged artifact is found, set aside and computed again; one that the machine cannot read is not damaged, and stays."""

import errno
import logging
import os
from pathlib import Path

import pytest
from tests.study.test_store import KEY, make

from acclimate.errors import UnreadableError
from acclimate.study.store import artifacts as store_module
from acclimate.study.store.artifacts import Store
from acclimate.study.store.seal import RECORD

FAULTS = (errno.EIO, errno.ESTALE, errno.EMFILE, errno.ENFILE, errno.EACCES, errno.EPERM, errno.ETIMEDOUT)


def fails(code: int, wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file and folder of this name can neither be looked at nor read."""

    def wrapped(whole):
        def tried(self, *arguments, **more):
            if self.name == wanted:
                raise OSError(code, os.strerror(code), str(self))
            return whole(self, *arguments, **more)

        return tried

    for name in ("open", "stat", "read_text"):
        monkeypatch.setattr(Path, name, wrapped(getattr(Path, name)))


@pytest.mark.parametrize("name", ["weights", "stage.json", KEY[:16]])
@pytest.mark.parametrize("code", FAULTS)
def test_what_cannot_be_read_is_not_damaged_and_nothing_is_moved(tmp_path, monkeypatch, code, name):
    make(Store(tmp_path))
    with monkeypatch.context() as broken:
        fails(code, name, broken)
        with pytest.raises(UnreadableError, match=rf"{name}: cannot be read \({os.strerror(code)}\); nothing was changed"):
            Store(tmp_path).has(KEY)
    assert [path.name for path in (tmp_path / "artifacts").iterdir()] == [KEY[:16]]
    assert Store(tmp_path).has(KEY)


def test_a_fault_in_the_middle_of_a_file_is_not_damage(tmp_path, monkeypatch):
    make(Store(tmp_path))

    def torn(path):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(store_module, "digest_file", torn)
    with pytest.raises(UnreadableError, match="weights: cannot be read"):
        Store(tmp_path).has(KEY)
    assert Store(tmp_path).path(KEY).is_dir()


def test_a_file_of_the_same_size_and_time_but_another_inode_or_change_time_is_read_again(tmp_path, caplog):
    store = Store(tmp_path)
    weights = make(store) / "model" / "weights"
    assert store.has(KEY)
    before = weights.stat()
    (tmp_path / "other").write_text("0123456780")
    os.utime(tmp_path / "other", ns=(before.st_atime_ns, before.st_mtime_ns))
    os.replace(tmp_path / "other", weights)
    with caplog.at_level(logging.WARNING):
        assert not store.has(KEY)
    assert "content changed" in caplog.text
    weights = make(store) / "model" / "weights"
    assert store.has(KEY)
    weights.write_text("0123456780")
    os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert not store.has(KEY)


# -- leases --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["model/weights", RECORD])
def test_a_flipped_byte_is_found_set_aside_and_recomputed(tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    folder = make(Store(tmp_path))
    content = bytearray((folder / name).read_bytes())
    place = content.index(b"3") if name != RECORD else content.index(b"DAPT")
    content[place] ^= 1
    (folder / name).write_bytes(content)
    store = Store(tmp_path)
    assert not store.has(KEY)
    aside = tmp_path / "artifacts" / f"damaged-{KEY[:16]}-1"
    assert (aside / name).read_bytes() == bytes(content)
    assert aside.name in caplog.text
    assert name in caplog.text
    make(store)
    assert store.has(KEY)
    (folder / name).write_bytes(bytes(content))
    assert not Store(tmp_path).has(KEY)
    assert (tmp_path / "artifacts" / f"damaged-{KEY[:16]}-2").is_dir()


def test_a_missing_or_shortened_file_and_a_missing_record_are_damage(tmp_path: Path) -> None:
    (make(Store(tmp_path)) / "model" / "weights").unlink()
    assert not Store(tmp_path).has(KEY)
    (make(Store(tmp_path)) / "model" / "weights").write_text("01234")
    assert not Store(tmp_path).has(KEY)
    (make(Store(tmp_path)) / RECORD).unlink()
    assert not Store(tmp_path).has(KEY)
    (make(Store(tmp_path)) / RECORD).write_text('{"seal": "x", "metric": NaN}')
    assert not Store(tmp_path).has(KEY)
