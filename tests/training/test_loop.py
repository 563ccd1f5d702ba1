"""The loop on a toy model: what it promises does not depend on transformers."""

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import nn

from acclimate.data.batches import Batch, CountOrder
from acclimate.errors import Interrupted
from acclimate.training.checkpoint import Checkpoints
from acclimate.training.devices import Devices
from acclimate.training.interrupt import StopRequest
from acclimate.training.loop import Group, Surroundings, TrainSettings, train
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


def run(folder, settings=SETTINGS, model=None, objective=None, evaluate=None, stop=None, log=None, reporter=None):
    model = model or Toy()
    objective = objective or Toys(CountOrder(TEXTS, 8, seed=3))
    groups = [Group(list(model.parameters()), 1.0, 0.01)]
    result = train(
        settings, objective, model, groups, evaluate, Checkpoints(folder),
        Surroundings(Devices("float32"), reporter or Silent(), stop or StopRequest(), log),
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
    told, reporter = [], Silent()
    reporter.measured = told.append
    _, result = run(tmp_path, evaluate=lambda _: {"score": next(scores)}, log=lines.append, reporter=reporter)
    assert [line for line in told if "score" in line] == result.evaluations
    assert [line for line in told if "loss" in line] == result.history[:12]  # those of before; later losses come with the steps
    assert [line["step"] for line in lines] == sorted(line["step"] for line in lines)
    assert [line for line in lines if "loss" in line] == result.history
    assert [line for line in lines if "score" in line] == result.evaluations
    lines.clear()
    run(tmp_path, evaluate=lambda _: {"score": next(scores)}, log=lines.append)
    assert len(lines) == len(result.history) + len(result.evaluations)


def test_at_most_two_states_are_on_the_disk_and_never_none(tmp_path, monkeypatch):
    from acclimate.training import checkpoint

    seen, whole = [], checkpoint._save

    def counted(tensors, path):
        seen.append(sum(each.name.startswith("state-") for each in tmp_path.iterdir()))
        whole(tensors, path)

    monkeypatch.setattr(checkpoint, "_save", counted)
    run(tmp_path, replace(SETTINGS, steps=6))
    assert set(seen[2:]) == {1}  # beside the one that is being written
    assert sorted(path.name for path in tmp_path.iterdir()) == ["state-6"]
