"""What a worker keeps between two stages, what it tells them, and how it reports what goes wrong before the first."""

import gc
from contextlib import contextmanager

import pytest
from transformers import PreTrainedModel

from acclimate.errors import Interrupted, TrainingError
from acclimate.stages import trainer
from acclimate.stages.finetune import Finetune
from acclimate.study.engines.inline import Inline
from acclimate.study.language.study import parse_study
from acclimate.study.run import Options, run_study
from acclimate.study.store.artifacts import Store
from acclimate.training import devices

pytestmark = pytest.mark.measured(0)


@pytest.fixture
def run(tiny_world, tmp_path):
    task = {split: str(tiny_world / f"{split}.jsonl") for split in ("train", "dev", "test")}
    short = {"epochs": 1, "min_steps": 0}
    recipes = {"a": [{"finetune": short}], "b": [{"finetune": {**short, "train": 1}}]}
    study = parse_study({"base": str(tiny_world / "model"), "data": {"task": task}, "labels": [30], "seeds": 2, "recipes": recipes})
    options = {"engine": "inline", "threads": 1, "say": lambda _: None}

    def start(**more):
        return run_study(study, tmp_path, Options(tmp_path / "out", tmp_path / "store", **(options | more)))

    return start


def models():
    return sum(issubclass(type(each), PreTrainedModel) for each in gc.get_objects())


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_no_model_of_an_earlier_stage_is_in_memory_when_the_next_begins(run, monkeypatch, precision):
    alive, whole = [], Finetune.run

    def watched(self, parent, context):
        alive.append(models())
        return whole(self, parent, context)

    monkeypatch.setattr(Finetune, "run", watched)
    gc.collect()
    there = models()  # of other tests
    run(precision=precision)
    assert alive == [there] * 4


def test_workers_on_one_device_take_a_share_of_its_memory_each(run, monkeypatch):
    asked = []
    monkeypatch.setattr(trainer, "free_bytes", lambda device: 6000)
    monkeypatch.setattr(trainer, "micro_tokens", lambda config, free, *more: asked.append(free) or 256)
    monkeypatch.setattr(Inline, "settle", lambda self, setup: setup.one_of(3, setup.threads))
    run()
    assert set(asked) == {2000}


def test_a_device_that_cannot_be_set_up_is_a_failed_run_and_not_a_crash(run, monkeypatch):
    def broken(*_):
        raise TrainingError("the driver is too old")

    monkeypatch.setattr(devices, "Devices", broken)
    said = []
    finished = run(say=said.append)
    assert finished.failed == finished.runs == 4
    assert any("the driver is too old" in line for line in said)


@pytest.mark.measured(1)
def test_the_loss_of_a_process_that_trains_along_is_an_interrupt_also_to_the_store(run, monkeypatch):
    whole, seen = Store.building, []

    @contextmanager
    def building(self, key, record):
        try:
            with whole(self, key, record) as folder:
                yield folder
        except Interrupted as interrupted:  # upon which a bucket is brought the last checkpoints
            seen.append(str(interrupted))
            raise

    def lost(*_):
        raise RuntimeError("[gloo/transport/tcp/pair.cc:547] Connection closed by peer")

    monkeypatch.setattr(Store, "building", building)
    monkeypatch.setattr(Finetune, "run", lost)
    monkeypatch.setattr(Inline, "settle", lambda self, setup: setup.together(2))
    with pytest.raises(Interrupted):
        run()
    assert seen == ["a process that trained along was lost"]
