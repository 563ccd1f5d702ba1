"""A full disk is said with the folder, what was complete stays, and after room was made the same command goes on."""

import errno
import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from tests.cli.test_streams import ended, full, stream
from tests.data.test_outputs import never
from tests.faults.small_disk import Disk
from tests.study.test_store import KEY, OTHER, make
from tests.training.test_loop import TEXTS, Toys, run, weights

from acclimate.data.batches import CountOrder
from acclimate.data.hidden_outputs import Outputs
from acclimate.errors import DiskFullError
from acclimate.study.store.artifacts import Store
from acclimate.training import checkpoint as checkpoint_module


def test_a_full_disk_leaves_the_last_good_state(tmp_path, monkeypatch):
    calls = []
    real = checkpoint_module.save_file

    def save(tensors, path, **more):
        calls.append(path)
        if len(calls) == 9:
            path.write_bytes(b"half")
            raise OSError(28, "No space left on device")
        real(tensors, path, **more)

    monkeypatch.setattr(checkpoint_module, "save_file", save)
    with pytest.raises(DiskFullError, match="last complete state is kept"):
        run(tmp_path)
    monkeypatch.undo()
    rest = Toys(CountOrder(TEXTS, 8, seed=3), seen=[])
    resumed, _ = run(tmp_path, objective=rest)
    assert rest.seen[0] == 4
    straight, _ = run(tmp_path.with_name("straight"))
    assert all(torch.equal(value, resumed.state_dict()[name]) for name, value in weights(straight).items())


def test_a_full_disk_keeps_the_last_good_state_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    make(store, OTHER)
    (store.work(KEY) / "state").write_text("step 7")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def build() -> None:
        with store.lock(KEY), store.building(KEY, {}) as folder:
            (folder / "big").write_text("x")
            monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(DiskFullError, match="prune"):
        build()
    monkeypatch.undo()
    assert [path.name for path in (tmp_path / "artifacts").iterdir()] == [OTHER[:16]]
    assert Store(tmp_path).has(OTHER)
    assert (store.work(KEY) / "state").read_text() == "step 7"


def test_a_full_disk_is_recognised_in_a_librarys_own_error(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(DiskFullError), store.lock(KEY), store.building(KEY, {}):
        raise RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)")
    with pytest.raises(RuntimeError, match="shape"), store.lock(KEY), store.building(KEY, {}):
        raise RuntimeError("shape mismatch")


def test_a_store_without_room_is_found_before_anything_is_done(tmp_path, monkeypatch):
    def full(self, content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DiskFullError, match="no space left"):
        Store(tmp_path).check_writable()
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith(".tmp-")]


def test_a_full_disk_is_said_before_a_row_is_computed(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(DiskFullError, match="no space left"):
        Outputs.build(tmp_path / "o", "key", np.array([2]), 4, "float32", never())


@pytest.mark.parametrize("count", [1, 100_000], ids=["at the end", "at once"])
def test_a_full_standard_output_is_an_error(monkeypatch, capsys, count):
    monkeypatch.setattr(sys, "stdout", stream(full))
    code, _, err = ended(capsys, lambda: print("x" * count))
    assert code == 2
    assert err.startswith("error: standard output: no space left on the disk")


def test_a_full_log_does_not_end_the_work(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stderr", stream(full))
    assert ended(capsys, lambda: print("going on", file=sys.stderr, flush=True) or print("done"))[:2] == (0, "done\n")


STUDY = """forgetting: false
base: {world}/model
data:
  domain: {world}/domain.jsonl
  task: {{ train: {world}/train.jsonl, dev: {world}/dev.jsonl, test: {world}/test.jsonl }}
seeds: 1
recipes:
  majority: {{ base: majority }}
  small:
    - prune: {{ size: 40 }}
    - pretrain: {{ tokens: 600, batch_tokens: 256 }}
    - finetune: {{ epochs: 1, min_steps: 0 }}
"""
PLACES = ("store", "store/cache", "out", "temporary")


@pytest.fixture(scope="module")
def roomy(acclimate, write_study, tmp_path_factory):
    """The folder of a study that had room everywhere, and how much each place was asked for."""
    folder = tmp_path_factory.mktemp("roomy")
    with ExitStack() as stack:
        disks = {place: stack.enter_context(Disk(folder / place).mounted()) for place in PLACES}
        done = carried_out(acclimate, write_study, folder)
    assert done.returncode == 0, done.stderr
    return folder, {place: disk.asked for place, disk in disks.items()}


def carried_out(acclimate, write_study, folder):
    (folder / "temporary").mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(folder / "temporary"))
        where = ("--out", folder / "out", "--store", folder / "store", "--engine", "inline", "--threads", 1)
        return acclimate("study", write_study(folder, STUDY), *where)


@pytest.mark.measured(0)
@pytest.mark.parametrize("place", PLACES)
def test_a_disk_that_fills_up_under_a_study_is_said_and_after_room_was_made_it_goes_on(acclimate, write_study, tmp_path, roomy, place):
    straight, asked = roomy
    assert asked[place] > 1
    with Disk(tmp_path / place, room=asked[place] // 2).mounted():
        full = carried_out(acclimate, write_study, tmp_path)
    assert full.returncode in (1, 2)
    told = [line for line in full.stderr.splitlines() if "no space left on the disk" in line]
    assert told
    assert all(f"{tmp_path / place}" in line for line in told)
    assert "Traceback" not in full.stderr
    done = carried_out(acclimate, write_study, tmp_path)
    assert done.returncode == 0, done.stderr
    scores = [
        pq.read_table(each / "out" / "results.parquet").select(["recipe", "test_macro_f1"]).to_pylist() for each in (straight, tmp_path)
    ]
    assert scores[0] == scores[1]
    assert not list(tmp_path.glob("out/**/.tmp-*"))
