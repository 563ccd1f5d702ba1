"""What a trainer keeps account of, on a toy network: time, tokens, parts and what is asked last."""

import pytest
import torch
from tests.training.test_loop import TEXTS, Toy, Toys

from acclimate.data.batches import CountOrder
from acclimate.errors import Interrupted
from acclimate.modeling.fast_paths import FastPaths
from acclimate.stages.base import Context, Runtime
from acclimate.stages.pace import Course, Pace
from acclimate.stages.trainer import Trainer
from acclimate.tasks.opened import Data
from acclimate.training.devices import Devices
from acclimate.training.groups import in_two
from acclimate.training.interrupt import StopRequest
from acclimate.training.progress import Silent


def trainer(folder, stop=None, log=None):
    (folder / "output" / "model").mkdir(parents=True, exist_ok=True)
    (folder / "work").mkdir(exist_ok=True)
    machine = Runtime(Devices("float32"), Silent(), stop or StopRequest(), None, 0.0, FastPaths(), 1, log)
    context = Context(Data(None, {}), "all", 3, "toy", folder, folder / "work", folder / "output", machine)
    model = Toy()
    return Trainer(context, model, 1000, Pace(lr=0.05), lambda pace: in_two(model.parameters(), pace.weight_decay))


def toys(seed=3, stop=None, stop_at=None):
    return Toys(CountOrder(TEXTS, 8, seed=seed), stop=stop, stop_at=stop_at)


def test_parts_add_up_and_the_curve_is_that_of_the_whole(tmp_path):
    told = []
    with trainer(tmp_path, log=told.append) as made:
        alone = made.fit(toys(4), None, Course(4, 4), "head", Pace(lr=0.5, schedule="constant"))
        result = made.fit(toys(), lambda _: {"score": 1.0}, Course(6, 3))
    outcome = made.outcome({"told": 1}, flops=5.0)
    assert outcome.cost.tokens == alone.tokens + result.tokens
    assert outcome.cost.parameters == outcome.cost.trained_parameters == sum(p.numel() for p in made.module.parameters())
    assert outcome.cost.flops == 5.0
    assert outcome.cost.peak_memory_bytes > 0
    assert outcome.log == (*result.history, *result.evaluations)
    assert sorted(line["step"] for line in told) == sorted(line["step"] for line in outcome.log), (
        "the steps of parts would run into each other"
    )
    assert {path.name for path in (tmp_path / "work").iterdir()} == {"head", "all"}
    assert alone.history[0]["lr"] == pytest.approx(0.5)
    assert result.best == {"step": 3, "score": 1.0}


def test_the_time_of_what_was_done_before_an_interrupt_counts(tmp_path, monkeypatch):
    stop = StopRequest()
    first = trainer(tmp_path, stop)
    with pytest.raises(Interrupted), first:
        first.fit(toys(stop=stop, stop_at=3), None, Course(6, 6))
    with trainer(tmp_path) as again:
        result = again.fit(toys(), None, Course(6, 6))
    assert again._trained_seconds == result.seconds
    monkeypatch.setattr(again, "_trained_seconds", 500.0)  # most of it in another process
    assert again.outcome({}, 0.0).cost.seconds >= 500.0


def test_matrices_decay_and_biases_do_not():
    model = Toy()
    matrices, biases = in_two(model.parameters(), 0.1)
    assert (matrices.weight_decay, biases.weight_decay) == (0.1, 0.0)
    assert all(torch.equal(a, b) for a, b in zip(biases.parameters, [model.out.bias], strict=True))
