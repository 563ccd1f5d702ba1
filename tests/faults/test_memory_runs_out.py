"""Memory that runs out: passes are halved until they fit, and where nothing smaller helps, the error says what does not fit."""

import json
from dataclasses import replace

import pytest
import torch
from tests.training.test_loop import SETTINGS, TEXTS, Toy, Toys, run, weights

from acclimate.data.batches import CountOrder
from acclimate.errors import TrainingError
from acclimate.evaluation.heldout_texts import views
from acclimate.evaluation.inference import in_parts
from acclimate.modeling.tensors import to_tensors
from acclimate.stages import trainer
from acclimate.training.devices import Devices
from acclimate.training.memory import is_out_of_memory

pytestmark = pytest.mark.measured(1)


class Tight(Toys):
    """Memory holds `room` tokens."""

    room = 8
    kind = torch.OutOfMemoryError

    def loss(self, model, batch):
        if len(batch.input_ids) > self.room:
            raise self.kind("DefaultCPUAllocator: not enough memory: you tried to allocate 1 bytes.")
        return super().loss(model, batch)


@pytest.mark.parametrize("kind", [torch.OutOfMemoryError, RuntimeError, MemoryError])
def test_out_of_memory_halves_the_passes_and_changes_nothing_else(tmp_path, kind):
    wide, result = run(tmp_path / "wide")
    objective = Tight(CountOrder(TEXTS, 8, seed=3))
    objective.kind = kind
    narrow, again = run(tmp_path / "narrow", objective=objective)
    assert (again.steps, again.tokens) == (result.steps, result.tokens)
    for name, value in weights(wide).items():
        torch.testing.assert_close(narrow.state_dict()[name], value, rtol=1e-4, atol=1e-6)


def test_the_size_that_fits_is_kept_for_a_resume(tmp_path):
    run(tmp_path, objective=Tight(CountOrder(TEXTS, 8, seed=3)))
    (state,) = tmp_path.glob("state-*/state.json")
    assert json.loads(state.read_text())["micro_tokens"] <= 16


def test_where_a_single_sequence_is_too_much_the_error_says_how_long_it_is(tmp_path):
    objective = Tight(CountOrder(TEXTS, 8, seed=3))
    objective.room = 2
    with pytest.raises(TrainingError, match=r"single sequence of 6 tokens through a toy on cpu .* GiB free"):
        run(tmp_path, replace(SETTINGS, model="a toy"), objective=objective)


def test_other_errors_are_not_taken_for_missing_memory(tmp_path):
    objective = Tight(CountOrder(TEXTS, 8, seed=3))
    objective.kind = ValueError
    with pytest.raises(ValueError, match="DefaultCPUAllocator"):
        run(tmp_path, objective=objective)
    assert not is_out_of_memory(RuntimeError("shapes do not fit"))


def test_evaluation_runs_in_halves_where_memory_is_short(monkeypatch):
    batch = Toys(CountOrder(TEXTS, 8, seed=3)).batch(0)
    model, sizes = Toy(), []

    def tight(tensors):
        if len(tensors.input_ids) > 8:
            raise torch.OutOfMemoryError("no")
        sizes.append(len(tensors.input_ids))
        return model(tensors)

    devices = Devices("float32")
    found = torch.cat(in_parts(tight, batch, devices))
    assert len(sizes) > 1
    torch.testing.assert_close(found, torch.cat(in_parts(model, batch, devices)))
    tight_room = batch.select(batch.lengths.argsort()[-1:])
    with pytest.raises(TrainingError, match="single sequence"):
        in_parts(lambda _: (_ for _ in ()).throw(torch.OutOfMemoryError("no")), tight_room, devices)


def test_views_of_held_out_texts_are_made_in_halves_where_memory_is_short():
    batch, sizes = Toys(CountOrder(TEXTS, 8, seed=3)).batch(0), []
    model = Toy()

    def tight(tensors):
        if len(tensors.input_ids) > 8:
            raise torch.OutOfMemoryError("no")
        sizes.append(len(tensors.lengths))
        return model(tensors)

    with torch.no_grad():
        found = views(tight, batch, 0, Devices("float32"), 10_000)
        torch.testing.assert_close(found, model(to_tensors(batch, "cpu")))
    assert len(sizes) > 1
    with pytest.raises(TrainingError, match="single sequence"):
        views(lambda _: (_ for _ in ()).throw(torch.OutOfMemoryError("no")), batch, 0, Devices("float32"), 10_000)


def test_weights_that_find_no_room_are_told_as_such_and_not_as_a_fault_of_the_program(run_study, monkeypatch):
    def full(*_args, **_more):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")

    monkeypatch.setattr(trainer.Packed, "to", full)
    said = []
    assert run_study(say=said.append).failed == 4
    assert any("out of memory where smaller passes would not help (cpu: free are " in line for line in said)
    assert not any("OutOfMemoryError" in line or "Traceback" in line for line in said)
