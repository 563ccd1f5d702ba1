"""Sixteen kinds of damage to a checkpoint: noticed, said, and the same command goes on to the very weights of a training without any."""

import errno
import logging
import os
import shutil
from pathlib import Path

import pytest
import torch
from tests.training.test_loop import TEXTS, Toy, Toys, run, scores, weights

from acclimate.data.batches import CountOrder
from acclimate.errors import Interrupted, UnreadableError
from acclimate.training.checkpoint import Checkpoints
from acclimate.training.devices import Devices
from acclimate.training.interrupt import StopRequest
from acclimate.training.remembered import remembered

pytestmark = pytest.mark.measured(1)

FILES = ("model.safetensors", "optimizer.safetensors", "state.json", "best.safetensors")


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-(len(content) // 3)] ^= 1
    path.write_bytes(content)


DAMAGES = {
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-7]),
    "empty": lambda path: path.write_bytes(b""),
    "missing": Path.unlink,
    "one bit flipped": flip,
    "another file": lambda path: path.write_bytes(os.urandom(path.stat().st_size)),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
}


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    model, result = run(tmp_path_factory.mktemp("straight"), model=Toy(0.3), evaluate=scores)
    return weights(model), result


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """The folder of a training that was stopped after step 13, with the states of steps 12 and 13, and best weights of step 10."""
    folder, stop = tmp_path_factory.mktemp("stopped"), StopRequest()
    with pytest.raises(Interrupted):
        run(folder, model=Toy(0.3), objective=Toys(CountOrder(TEXTS, 8, seed=3), stop=stop, stop_at=13), evaluate=scores, stop=stop)
    assert sorted(path.name for path in folder.iterdir()) == ["best.safetensors", "state-12", "state-13"]
    return folder


def goes_on(folder, straight):
    """(the weights are those of a training without damage, the steps that were done again)"""
    model, objective = Toy(0.3), Toys(CountOrder(TEXTS, 8, seed=3), seen=[])
    _, result = run(folder, model=model, objective=objective, evaluate=scores)
    expected, whole = straight
    assert (result.best_step, result.best_score) == (whole.best_step, whole.best_score)
    assert result.evaluations == whole.evaluations
    return all(torch.equal(value, expected[name]) for name, value in weights(model).items()), min(objective.seen)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_state_gives_way_to_the_one_before_it(tmp_path, straight, stopped, name, damage, caplog):
    shutil.copytree(stopped, tmp_path / "all")
    DAMAGES[damage](tmp_path / "all" / (name if name.startswith("best") else f"state-13/{name}"))
    with caplog.at_level(logging.WARNING):
        equal, first = goes_on(tmp_path / "all", straight)
    assert equal
    assert first == (0 if name.startswith("best") else 12)
    assert name in caplog.text


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", FILES[:3])
def test_where_no_state_is_whole_training_begins_afresh(tmp_path, straight, stopped, name, damage):
    shutil.copytree(stopped, tmp_path / "all")
    for state in ("state-12", "state-13"):
        DAMAGES[damage](tmp_path / "all" / state / name)
    assert goes_on(tmp_path / "all", straight) == (True, 0)


def test_best_weights_that_are_lost_are_made_again_from_a_state_before_them(tmp_path, straight, stopped):
    shutil.copytree(stopped, tmp_path / "all")
    states, stop = tmp_path / "all", StopRequest()
    shutil.rmtree(states / "state-12")
    early = tmp_path / "early"
    with pytest.raises(Interrupted):
        run(early, model=Toy(0.3), objective=Toys(CountOrder(TEXTS, 8, seed=3), stop=stop, stop_at=7), evaluate=scores, stop=stop)
    shutil.copytree(early / "state-7", states / "state-7")
    flip(states / "best.safetensors")
    equal, first = goes_on(states, straight)
    assert equal
    assert first == (7 if straight[1].best_step > 7 else 0)


@pytest.mark.parametrize("stray", ["state-", "state-x", "state-99", ".tmp-0123-state-14"])
def test_a_stray_file_among_the_states_keeps_nothing_from_going_on(tmp_path, straight, stopped, stray):
    shutil.copytree(stopped, tmp_path / "all")
    (tmp_path / "all" / stray).write_text("x")
    assert goes_on(tmp_path / "all", straight) == (True, 13)


def test_a_state_of_another_model_is_not_used(tmp_path, stopped):
    shutil.copytree(stopped, tmp_path / "all")
    assert Checkpoints(tmp_path / "all").read(torch.nn.Linear(2, 2)) is None


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("code", [errno.EIO, errno.EACCES, errno.EMFILE, errno.ESTALE])
def test_a_checkpoint_that_cannot_be_read_is_not_damaged(tmp_path, stopped, name, code, monkeypatch):
    shutil.copytree(stopped, tmp_path / "all")
    before = sorted(str(path) for path in (tmp_path / "all").rglob("*"))
    whole = Path.open

    def fails(self, *arguments, **more):
        if self.name == name:
            raise OSError(code, os.strerror(code), str(self))
        return whole(self, *arguments, **more)

    monkeypatch.setattr(Path, "open", fails)
    with pytest.raises(UnreadableError, match=rf"{name}: cannot be read"):
        run(tmp_path / "all", model=Toy(0.3), evaluate=scores)
    assert sorted(str(path) for path in (tmp_path / "all").rglob("*")) == before


@pytest.mark.parametrize("text", ["", "{", "[]", '{"value": null}', '{"value": "x"}', "{}"])
def test_a_damaged_note_is_measured_anew(tmp_path, text):
    (tmp_path / "micro.json").write_text(text)
    assert remembered(tmp_path / "micro.json", lambda: 7.0, Devices("float32")) == 7.0
    assert remembered(tmp_path / "micro.json", lambda: 8.0, Devices("float32")) == 7.0
