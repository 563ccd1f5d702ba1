"""Killed at whatever moment: what stood before still stands or what is new is whole, and the same command goes on."""

import contextlib
import errno
import os
import shutil
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save
from tests.faults.killing import killed, moments
from tests.study.test_output_folder import names, seeds_of
from tests.study.test_store import KEY, OTHER, make
from tests.test_owned import made
from tests.training.test_loop import SETTINGS, Toy, run, scores, weights

from acclimate import owned
from acclimate.errors import DiskFullError
from acclimate.owned import heal
from acclimate.study.language.study import load_study
from acclimate.study.outputs import output_folder as outputs
from acclimate.study.outputs.contributions import NAME as CONTRIBUTIONS
from acclimate.study.outputs.outcomes import Outcomes, verdicts
from acclimate.study.outputs.output_folder import claim, take
from acclimate.study.plan.prepared import prepare
from acclimate.study.run import Options, write_results
from acclimate.study.store.artifacts import Store
from acclimate.training import checkpoint
from acclimate.training.checkpoint import Checkpoints


class Killed(BaseException):
    """As sudden as a kill: nothing catches it."""


@pytest.fixture(scope="module")
def write(study_of, tmp_path_factory):
    """A function that writes the results of a study with two seeds, all of whose stages are done, into a folder that a study has taken."""
    done = tmp_path_factory.mktemp("done")
    study_of(2)(done / "out")
    file = study_of.folder / "2/study.yaml"
    prepared = prepare(load_study(file), file.parent, study_of.folder / "store")
    found = verdicts(prepared.study, Outcomes.read(prepared.plan, prepared.store, {}), prepared.data.task, done)

    def known(study, outcomes, task, out):
        shutil.copyfile(done / CONTRIBUTIONS, out / CONTRIBUTIONS)
        return found

    def write(out):
        take(out)
        write_results(prepared, {}, Options(out=out, store=study_of.folder / "store"))

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("acclimate.study.run.verdicts", known)  # they take most of the time
        yield write


def stopped_at(point, error, function):
    """Call it, raising `error` where it asks the system for the `point`-th time to rename, remove, copy or make something.

    Returns whether it was raised.
    """
    left = [point]

    def watched(asked):
        def call(*given, **more):
            left[0] -= 1
            if left[0] == 0:
                raise error
            return asked(*given, **more)

        return call

    with pytest.MonkeyPatch.context() as patched:
        for home, name in ((os, "replace"), (os, "unlink"), (os, "mkdir"), (shutil, "copytree"), (outputs, "swap")):
            patched.setattr(home, name, watched(getattr(home, name)))
        if isinstance(error, Killed):
            patched.setattr(outputs.shutil, "rmtree", lambda *given, **more: None)  # the killed tidy nothing
        with contextlib.suppress(Killed, DiskFullError, OSError):
            function()
        return left[0] <= 0


@pytest.mark.measured(1)
@pytest.mark.parametrize("error", [Killed(), OSError(errno.ENOSPC, "No space left on device")], ids=["kill", "full disk"])
def test_results_cut_off_at_any_point_are_of_one_run_or_none_and_the_same_command_heals_them(before, write, tmp_path, error):
    seen = set()
    for point in range(1, 1000, 7):  # one in seven: each takes a second
        out = tmp_path / f"{point}"
        shutil.copytree(before, out)
        (out / "notes.txt").write_text("mine")
        (out / "best/notes.txt").write_text("mine")
        if not stopped_at(point, error, lambda out=out: write(out)):
            break
        seen.add(seeds_of(out) if (out / "study.json").exists() else 0)
        claim(out, {})
        write(out)
        assert seeds_of(out) == 2
        assert not [name for name in names(out) if name.startswith(".tmp-")]
        assert (out / "notes.txt").read_text() == (out / "best/notes.txt").read_text() == "mine"
        shutil.rmtree(out)
    assert point > 20
    assert seen >= {0, 1}


def in_pieces(tensors, path, metadata):
    """As safetensors writes a file, but in pieces, for a kill to come between."""
    content = save(tensors, metadata)
    with path.open("wb", buffering=0) as file:
        for start in range(0, len(content), 200):
            file.write(content[start : start + 200])


@pytest.mark.measured(0)
def test_a_training_killed_while_it_saves_ends_bitwise_equal(tmp_path, monkeypatch):
    torch.set_num_threads(1)  # a copy of this process would wait for its other threads for ever
    monkeypatch.setattr(checkpoint, "save_file", in_pieces)
    settings = replace(SETTINGS, steps=6, evaluate_every=2)

    def training(folder):
        def work(lines):
            for name in ("save", "save_best"):
                monkeypatch.setattr(Checkpoints, name, lines.watched()(getattr(Checkpoints, name)))
            run(folder, settings, Toy(0.3), evaluate=scores)

        return work

    model, whole = run(tmp_path / "straight", settings, Toy(0.3), evaluate=scores)
    for moment in moments(training(tmp_path / "counted")):
        folder = tmp_path / str(moment)
        assert killed(training(folder), moment)
        again, result = run(folder, settings, Toy(0.3), evaluate=scores)
        assert (result.history, result.evaluations, result.best_step) == (whole.history, whole.evaluations, whole.best_step), moment
        for name, value in weights(model).items():
            assert torch.equal(value, again.state_dict()[name]), (moment, name)
        assert len([*folder.glob("state-*")]) <= 2, moment


@pytest.mark.measured(0)
def test_an_artifact_killed_while_it_is_built_is_whole_or_not_there(tmp_path):
    def building(root):
        def work(lines):
            store = Store(root)
            with lines.watched():
                (store.work(KEY) / "state").write_text("step 7")
                make(store, KEY, weights="0123456789", tokenizer="{}")

        return work

    make(Store(tmp_path / "counted"), OTHER)
    for moment in moments(building(tmp_path / "counted")):
        root = tmp_path / str(moment)
        make(Store(root), OTHER)
        assert killed(building(root), moment)
        store = Store(root)
        assert store.has(OTHER)
        if not store.has(KEY):
            make(store, KEY, weights="0123456789", tokenizer="{}")  # its lock is free
        assert (store.path(KEY) / "model" / "weights").read_text() == "0123456789"
        store.prune()
        assert sorted(path.name for path in (root / "artifacts").iterdir()) == sorted([KEY[:16], OTHER[:16]]), moment


@pytest.mark.measured(0)
def test_a_model_killed_while_it_is_replaced_is_the_old_one_or_the_new_one(tmp_path):
    def old(path):
        made(path, config="old", weights="old")
        (path / "notes.txt").write_text("mine")

    def replacing(path):
        def work(lines):
            with lines.watched():
                made(path, config="new", weights="new")

        return work

    old(tmp_path / "counted" / "model")
    for moment in moments(replacing(tmp_path / "counted" / "model")):
        path = tmp_path / str(moment) / "model"
        old(path)
        assert killed(replacing(path), moment)
        heal(path)
        assert (path / "config").read_text() == (path / "weights").read_text()
        assert (path / "notes.txt").read_text() == "mine"
        assert [each.name for each in path.parent.iterdir()] == ["model"], moment


@pytest.mark.parametrize("exchange", [True, False])
def test_a_kill_at_any_rename_leaves_the_old_folder_or_the_new_one(tmp_path, monkeypatch, exchange):
    class Killed(BaseException):
        pass

    if not exchange:
        monkeypatch.setattr(owned, "_exchanged", lambda one, other: False)
    path = tmp_path / "model"
    for point in range(1, 9):
        made(path, config="old")
        (path / "notes.txt").write_text("mine")
        left = [point]
        replace, remove = os.replace, owned.shutil.rmtree

        def counted(*given, left=left, replace=replace):
            left[0] -= 1
            if left[0] == 0:
                raise Killed
            replace(*given)

        with monkeypatch.context() as patched:
            patched.setattr(os, "replace", counted)
            patched.setattr(owned.shutil, "rmtree", lambda *given, **more: None)  # nothing is tidied by who was killed
            with contextlib.suppress(Killed):
                made(path, config="new")
        assert owned.shutil.rmtree is remove
        heal(path)
        assert (path / "config").read_text() in ("old", "new")
        assert (path / "notes.txt").read_text() == "mine"
        assert [each.name for each in tmp_path.iterdir()] == ["model"]
