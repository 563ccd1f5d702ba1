"""The loop on a toy model: what it promises does not depend on transformers."""

import json
import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import nn

from acclimate.data.batches import Batch, CountOrder
from acclimate.errors import DiskFullError, Interrupted, TrainingError
from acclimate.evaluation.heldout_texts import views
from acclimate.evaluation.inference import in_parts
from acclimate.modeling.tensors import to_tensors
from acclimate.training import checkpoint as checkpoint_module
from acclimate.training.checkpoint import Checkpoints
from acclimate.training.devices import Devices
from acclimate.training.interrupt import StopRequest
from acclimate.training.loop import Group, Surroundings, TrainSettings, train
from acclimate.training.memory import is_out_of_memory
from acclimate.training.progress import Silent

pytestmark = pytest.mark.measured(1)

WORDS, WIDTH, TEXTS = 50, 8, 30


class Toy(nn.Module):
    """Mean of the embeddings of a sequence, dropout, a linear layer."""

    def __init__(self, dropout=0.0):
        super().__init__()
        torch.manual_seed(0)
        self.words = nn.Embedding(WORDS, WIDTH)
        self.drop = nn.Dropout(dropout)
        self.out = nn.Linear(WIDTH, 2)

    def forward(self, batch):
        parts = self.words(batch.input_ids).split(list(batch.lengths))
        return self.out(self.drop(torch.stack([part.mean(0) for part in parts])))


@dataclass
class Toys:
    """Sequences of 1 to 6 words, labelled by whether the first word is even."""

    order: CountOrder
    fail_at: int | None = None
    seen: list[int] | None = None
    stop: StopRequest | None = None
    stop_at: int | None = None

    def batch(self, step):
        texts = [np.random.default_rng(i).integers(0, WORDS, 1 + i % 6) for i in self.order.batch(step)]
        offsets = np.concatenate([[0], np.cumsum([len(text) for text in texts])])
        labels = np.array([text[0] % 2 for text in texts])
        ids = np.concatenate(texts)
        return Batch(
            ids,
            np.concatenate([np.arange(len(text)) for text in texts]),
            offsets,
            targets={"labels": labels, "step": np.full(len(labels), step)},
        )

    def count(self, batch):
        return float(batch.sequences)

    def loss(self, model, batch):
        step = int(batch.targets["step"][0])
        if self.seen is not None:
            self.seen.append(step)
        if self.stop is not None and step + 1 == self.stop_at:
            self.stop.ask()
        summed = torch.nn.functional.cross_entropy(model(batch), batch.targets["labels"], reduction="sum")
        return summed * math.nan if self.fail_at is not None and len(self.seen) == self.fail_at else summed


SETTINGS = TrainSettings(
    title="toy",
    steps=24,
    lr=0.05,
    warmup=0.1,
    shape="linear",
    clip=1.0,
    seed=3,
    micro_tokens=10_000,
    evaluate_every=5,
    checkpoint_seconds=0.0,
)


def run(folder, settings=SETTINGS, model=None, objective=None, evaluate=None, stop=None, log=None):
    model = model or Toy()
    objective = objective or Toys(CountOrder(TEXTS, 8, seed=3))
    groups = [Group(list(model.parameters()), 1.0, 0.01)]
    result = train(
        settings, objective, model, groups, evaluate, Checkpoints(folder),
        Surroundings(Devices("float32"), Silent(), stop or StopRequest(), log),
    )  # fmt: skip
    return model, result


def weights(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def scores(model):
    return {"score": float(model.out.weight.detach().sum())}


def test_training_lowers_the_loss(tmp_path):
    _, result = run(tmp_path)
    assert result.history[-1]["loss"] < result.history[0]["loss"] - 0.05
    assert result.steps == 24


@pytest.mark.parametrize("micro_tokens", [1, 7, 25])
def test_micro_batches_do_not_change_the_update_beyond_rounding(tmp_path, micro_tokens):
    whole, _ = run(tmp_path / "whole")
    cut, _ = run(tmp_path / "cut", replace(SETTINGS, micro_tokens=micro_tokens))
    for name, value in weights(whole).items():
        torch.testing.assert_close(cut.state_dict()[name], value, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("stop_at", [1, 4, 5, 13, 23])
def test_resume_at_any_step_is_bitwise_equal_and_repeats_nothing(tmp_path, stop_at):
    straight, result = run(tmp_path / "straight", model=Toy(0.3), evaluate=scores)
    stop = StopRequest()
    first = Toys(CountOrder(TEXTS, 8, seed=3), seen=[], stop=stop, stop_at=stop_at)
    with pytest.raises(Interrupted, match=f"after step {stop_at} of 24"):
        run(tmp_path / "cut", model=Toy(0.3), objective=first, evaluate=scores, stop=stop)
    second = Toys(CountOrder(TEXTS, 8, seed=3), seen=[])
    resumed, again = run(tmp_path / "cut", model=Toy(0.3), objective=second, evaluate=scores)
    assert first.seen + second.seen == list(range(24))
    for name, value in weights(straight).items():
        assert torch.equal(resumed.state_dict()[name], value), name
    assert (again.history, again.evaluations, again.best_step, again.tokens) == (
        result.history, result.evaluations, result.best_step, result.tokens,
    )  # fmt: skip


def test_a_finished_training_is_not_done_again(tmp_path):
    first, result = run(tmp_path, evaluate=scores)
    objective = Toys(CountOrder(TEXTS, 8, seed=3), seen=[])
    second, again = run(tmp_path, objective=objective, evaluate=scores)
    assert objective.seen == []
    assert again == result
    assert all(torch.equal(value, second.state_dict()[name]) for name, value in weights(first).items())


def test_the_best_weights_are_kept_and_training_stops_early(tmp_path):
    wanted = iter([0.1, 0.9, 0.5, 0.4])
    snapshots = []

    def evaluate(model):
        snapshots.append(weights(model))
        return {"score": next(wanted)}

    model, result = run(tmp_path, replace(SETTINGS, patience=2), evaluate=evaluate)
    assert (result.steps, result.best_step, result.best_score) == (20, 10, 0.9)
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in snapshots[1].items())


def test_it_never_stops_before_min_steps(tmp_path):
    wanted = iter([0.9, 0.1, 0.1, 0.1, 0.1])
    _, result = run(tmp_path, replace(SETTINGS, patience=1, patience_from=20), evaluate=lambda _: {"score": next(wanted)})
    assert result.steps == 20


def test_a_loss_that_is_not_finite_ends_the_training_and_keeps_the_last_good_state(tmp_path):
    seen = []
    with pytest.raises(TrainingError, match=r"step 7.*lower learning rate"):
        run(tmp_path, objective=Toys(CountOrder(TEXTS, 8, seed=3), fail_at=7, seen=seen))
    rest = Toys(CountOrder(TEXTS, 8, seed=3), seen=[])
    run(tmp_path, objective=rest)
    assert rest.seen[0] == 6


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


def test_frozen_weights_stay_and_are_not_saved(tmp_path):
    model = Toy()
    model.words.requires_grad_(False)
    before = model.words.weight.clone()
    train(
        SETTINGS, Toys(CountOrder(TEXTS, 8, seed=3)), model, [Group(list(model.out.parameters()), 1.0, 0.0)], None, Checkpoints(tmp_path),
        Surroundings(Devices("float32"), Silent(), StopRequest()),
    )  # fmt: skip
    assert torch.equal(model.words.weight, before)
    assert (tmp_path / "state-24" / "model.safetensors").stat().st_size < 1000


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


def test_every_line_of_the_log_is_given_as_it_comes_and_after_a_resume_once_more_from_the_start(tmp_path):
    scores = iter(range(100))
    lines = []
    stop = StopRequest()
    objective = Toys(CountOrder(TEXTS, 8, seed=3), stop=stop, stop_at=12)
    with pytest.raises(Interrupted):
        run(tmp_path, objective=objective, evaluate=lambda _: {"score": next(scores)}, stop=stop, log=lines.append)
    assert [line["step"] for line in lines if "loss" in line] == list(range(1, 13))
    assert [line["step"] for line in lines if "score" in line] == [5, 10]
    lines.clear()
    _, result = run(tmp_path, evaluate=lambda _: {"score": next(scores)}, log=lines.append)
    assert [line["step"] for line in lines] == sorted(line["step"] for line in lines)
    assert [line for line in lines if "loss" in line] == result.history
    assert [line for line in lines if "score" in line] == result.evaluations
    lines.clear()
    run(tmp_path, evaluate=lambda _: {"score": next(scores)}, log=lines.append)
    assert len(lines) == len(result.history) + len(result.evaluations)
