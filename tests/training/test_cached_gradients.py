"""Cached gradients are those of one large batch, whatever a batch is cut into."""

import copy
import weakref
from contextlib import ExitStack
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.modeling.conftest import KINDS, build_tiny, make_batch
from tests.modeling.padded import LENGTHS, padded_logits
from tests.objectives.given import loss_of_names
from tests.toys.contrast import Contrast
from tests.training.seen_together import BATCHES, PARTS, Contrasts, Sums, gradients
from tests.training.test_loop import SETTINGS, TEXTS, Toy, Toys, run, weights

from acclimate.data.batches import CountOrder
from acclimate.errors import Interrupted, TrainingError
from acclimate.modeling.execution import Packed, checkpoint_activations
from acclimate.modeling.fast_paths import FastPaths
from acclimate.modeling.frozen import divided
from acclimate.modeling.heads import freeze
from acclimate.modeling.tensors import to_tensors
from acclimate.objectives.supervised import Supervised
from acclimate.objectives.word_dropout import WordDropout
from acclimate.training.cached_gradients import accumulate, together
from acclimate.training.devices import Devices, seeded
from acclimate.training.interrupt import StopRequest

CPU = torch.device("cpu")
LOSS = Contrast(None)
OBJECTIVE = Supervised(None, None, None, LOSS)  # nothing is asked of its texts here


def batch_of(lengths, seed=0):
    batch = make_batch(lengths, False, seed=seed)
    return replace(batch, targets={"classes": batch.targets["labels"]})


def draws(number):
    return seeded(100 + number, CPU)


def found_by_parts(module, batch, tokens, devices=None, draws=draws):
    """The loss and every gradient, by cached gradients."""
    module.zero_grad(set_to_none=True)
    count = LOSS.count(batch.targets)
    summed = accumulate(OBJECTIVE, module, batch.micro(tokens), batch, count, devices or Devices("float32"), draws, "toy")
    return summed / count, grads(module)


def in_one_graph(module, outputs, batch):
    """The same in plain torch, from the outputs of all texts."""
    module.zero_grad(set_to_none=True)
    loss = LOSS.summed(outputs, {"classes": torch.from_numpy(batch.targets["classes"])}) / LOSS.count(batch.targets)
    loss.backward()
    return loss.detach(), grads(module)


def with_draws(module, batch, tokens, draws=draws):
    """The outputs of all texts, part by part with the draws of each, all in one graph."""
    made = []
    for number, part in enumerate(batch.micro(tokens)):
        with draws(number):
            made.append(module(to_tensors(part, "cpu")))
    return torch.cat(made)


def grads(module):
    return {name: parameter.grad.clone() for name, parameter in module.named_parameters() if parameter.grad is not None}


def far(found, expected):
    """How far apart losses and gradients are, beside the largest of each gradient."""
    (loss, each), (right, wanted) = found, expected
    scale = max(float(value.abs().max()) for value in wanted.values())
    # A key's bias has a true gradient of zero, of which rounding leaves a different speck each time: it is held against the others.
    own = {name: float(value.abs().max()) for name, value in wanted.items()}
    held = {name: size if size > 1e-4 * scale else 0.1 * scale for name, size in own.items()}
    blank = {name: torch.zeros_like(value) for name, value in wanted.items()}
    apart = [float(((each.get(name, blank[name])) - value).abs().max()) / held[name] for name, value in wanted.items()]
    assert not set(each) - set(wanted) or all(not each[name].any() for name in set(each) - set(wanted))
    return max([abs(float(loss - right)) / float(right), *apart])


def padded(model, batch):
    plain = copy.deepcopy(model)
    plain.set_attn_implementation("eager")
    return in_one_graph(plain, padded_logits(plain, batch, "classifier"), batch)


def packed_names(found):
    return found[0], {name.removeprefix("model."): value for name, value in found[1].items()}


@cache
def tiny_bert(double):
    # Wider, and float32 alone comes to 2e-5 in a model of this size, whatever is done with it.
    model = build_tiny("bert", "classifier", initializer_range=0.1)
    plain = copy.deepcopy(model.double() if double else model)
    plain.set_attn_implementation("eager")
    return plain, Packed(model)


@settings(max_examples=20)
@given(st.lists(st.integers(1, 24), min_size=2, max_size=12), st.integers(1, 120), st.integers(0, 5))
def test_loss_and_gradients_are_those_of_one_padded_batch_at_any_micro_size(lengths, tokens, seed):
    batch = batch_of(tuple(lengths), seed)
    assume(LOSS.count(batch.targets) > 0)
    for double, tolerance in ((False, 1e-5), (True, 1e-10)):
        plain, module = tiny_bert(double)
        loss, wanted = in_one_graph(plain, padded_logits(plain, batch, "classifier"), batch)
        again, found = packed_names(found_by_parts(module, batch, tokens))
        assert abs(float(again - loss)) <= tolerance * max(1.0, float(loss))
        assert found.keys() == wanted.keys()
        # Of texts of one token some gradients are next to nothing, and in float32 noise beside the others: beside the largest, then.
        largest = max(float(value.abs().max()) for value in wanted.values())
        assert all(float((found[name] - value).abs().max()) <= tolerance * max(1e-2, largest) for name, value in wanted.items())


@pytest.mark.measured(0)
@pytest.mark.parametrize("name", KINDS)
def test_so_they_are_in_every_architecture(name):
    model, batch = build_tiny(name, "classifier"), batch_of(LENGTHS)
    expected = padded(model, batch)
    for tokens in (1, 31):
        assert far(packed_names(found_by_parts(Packed(model), batch, tokens)), expected) <= 1e-5


@pytest.mark.measured(0)
@pytest.mark.parametrize("tokens", [1, 31])
@pytest.mark.parametrize(("name", "checkpointed"), [("bert", False), ("bert", True), ("deberta-v2", False)])
def test_with_dropout_the_gradient_is_exactly_that_of_the_loss_that_is_told(name, checkpointed, tokens):
    model, batch = build_tiny(name, "classifier", dropout=0.3), batch_of(LENGTHS)
    # Checkpointed layers stay whole, and so does what they draw.
    plain = Packed(copy.deepcopy(model), FastPaths(sparse_last_layer=not checkpointed)).train()
    expected = in_one_graph(plain, with_draws(plain, batch, tokens), batch)
    if checkpointed:
        checkpoint_activations(model)
    module = Packed(model).train()
    assert far(found_by_parts(module, batch, tokens), expected) <= 1e-5

    seeds = iter(range(1000))
    never_twice = found_by_parts(module, batch, tokens, draws=lambda _: seeded(next(seeds), CPU))
    seeds = iter(range(1000))
    other = in_one_graph(plain, with_draws(plain, batch, tokens, lambda _: seeded(next(seeds), CPU)), batch)
    assert abs(float(never_twice[0] - other[0])) < 1e-5  # the loss of the first pass, whose gradient that is not
    assert far(never_twice, other) > 0.01


class Recorded(torch.nn.Module):
    """Keeps what a model gave for each part, and how many tensors of earlier parts were still kept then."""

    def __init__(self, model):
        super().__init__()
        self.model, self.given, self.kept = model, [], []

    def forward(self, batch):
        alive = weakref.WeakSet()

        class Kept:
            def __init__(self, tensor):
                self.tensor = tensor.detach()  # else it would keep itself
                alive.add(self)

        self.given.append((batch.input_ids.tolist(), torch.is_grad_enabled(), [len(part) for part in self.kept]))
        self.kept.append(alive)
        with torch.autograd.graph.saved_tensors_hooks(Kept, lambda kept: kept.tensor):
            outputs = self.model(batch)
        self.given[-1] += (outputs.detach().clone(),)
        assert len(alive) > 10
        return outputs


def test_a_part_draws_twice_the_same_and_no_two_parts_are_ever_kept():
    batch = batch_of(LENGTHS)
    module = Recorded(Packed(build_tiny("bert", "classifier", dropout=0.3))).train()
    found_by_parts(module, batch, 31)
    parts = [part.input_ids.tolist() for part in batch.micro(31)]
    # The last part is made once: its graph is still there when its gradient is known.
    assert [given[0] for given in module.given] == [*parts, *reversed(parts[:-1])]
    assert len(parts) > 2
    assert all(not any(given[2]) for given in module.given)
    for first, second in zip(module.given[len(parts) - 2 :: -1], module.given[len(parts) :], strict=True):
        assert torch.equal(first[3], second[3])


def test_a_batch_in_one_part_runs_once():
    module = Recorded(Packed(build_tiny("bert", "classifier")))
    found_by_parts(module, batch_of(LENGTHS), 10_000)
    assert len(module.given) == 1


@pytest.mark.parametrize("train", ["head", 1])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_what_frozen_layers_gave_is_used(train, dropout):
    model, batch = build_tiny("bert", "classifier", dropout=dropout), batch_of(LENGTHS)
    freeze(model, train)
    whole = Packed(copy.deepcopy(model)).train()
    parts = divided(Packed(model)).train()
    rows = parts.hidden(to_tensors(batch, "cpu")).numpy()
    given = replace(batch, hidden=rows)
    if dropout:
        expected = in_one_graph(parts, with_draws(parts, given, 31), batch)
    else:
        expected = in_one_graph(whole, whole(to_tensors(batch, "cpu")), batch)
        expected = (expected[0], {f"above.{name}": value for name, value in expected[1].items()})
    assert far(found_by_parts(parts, given, 31), expected) <= 1e-5


def test_the_loss_of_all_is_float32_where_the_model_runs_in_half_precision():
    model, batch = build_tiny("bert", "classifier", dropout=0.3), batch_of(LENGTHS)
    module, devices = Packed(model).train(), Devices("bf16")
    try:

        def half(number):
            stack = ExitStack()
            stack.enter_context(draws(number))
            stack.enter_context(devices.autocast())
            return stack

        outputs = with_draws(module, batch, 31, half)
        assert outputs.dtype == torch.bfloat16
        assert far(found_by_parts(module, batch, 31, devices), in_one_graph(module, outputs, batch)) <= 1e-5
    finally:
        Devices("float32")


def test_words_are_dropped_before_a_batch_is_cut():
    dropped = WordDropout(OBJECTIVE, 0.5, 0)
    batch = to_tensors(batch_of(LENGTHS), "cpu")
    model = Packed(build_tiny("bert", "classifier")).eval()
    assert together(dropped) is dropped
    assert torch.equal(dropped.summed(dropped.outputs(model, batch), batch.targets), OBJECTIVE.loss(model, batch))


# ---- in the loop

QUICK = replace(SETTINGS, checkpoint_seconds=1e9)


@pytest.mark.parametrize("kind", [Contrasts, Sums])
@pytest.mark.parametrize("texts", BATCHES)
def test_parts_change_nothing_in_one_process(kind, texts):
    devices, model = Devices("float32"), Toy()
    objective = kind(CountOrder(texts, texts, seed=3))
    batch = to_tensors(objective.batch(0), "cpu")
    (objective.summed(model(batch), batch.targets) / (objective.count(objective.batch(0)) or 1.0)).backward()
    wanted = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    for tokens in PARTS:
        found = gradients(kind, texts, tokens, model, devices)
        for name, value in wanted.items():
            torch.testing.assert_close(found[name], value, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("tokens", [1, 7, 25])
def test_a_training_in_parts_is_that_of_whole_batches(tmp_path, tokens):
    whole, result = run(tmp_path / "whole", QUICK, objective=contrasts())
    cut, again = run(tmp_path / "cut", replace(QUICK, micro_tokens=tokens), objective=contrasts())
    assert [point["loss"] for point in again.history] == pytest.approx([point["loss"] for point in result.history], rel=1e-4)
    assert result.history[-1]["loss"] < result.history[0]["loss"] - 0.2
    for name, value in weights(whole).items():
        torch.testing.assert_close(cut.state_dict()[name], value, rtol=1e-3, atol=1e-5)


def contrasts(**more):
    return Contrasts(CountOrder(TEXTS, 8, seed=3), **more)


@pytest.mark.parametrize("stop_at", [1, 13])
def test_a_resume_amid_steps_of_several_parts_is_bitwise_equal(tmp_path, stop_at):
    narrow = replace(QUICK, micro_tokens=9)
    straight, result = run(tmp_path / "straight", narrow, Toy(0.3), contrasts())
    stop = StopRequest()
    first, second = contrasts(seen=[], stop=stop, stop_at=stop_at), contrasts(seen=[])
    with pytest.raises(Interrupted):
        run(tmp_path / "cut", narrow, Toy(0.3), first, stop=stop)
    resumed, again = run(tmp_path / "cut", narrow, Toy(0.3), second)
    assert first.seen + second.seen == list(range(24))
    assert again.history == result.history
    assert all(torch.equal(value, resumed.state_dict()[name]) for name, value in weights(straight).items())


class Tight(Toy):
    """Memory fails at the forward passes of these numbers, counted from 0."""

    def __init__(self, at=()):
        super().__init__()
        self.at, self.calls = at, []

    def forward(self, batch):
        self.calls.append(len(batch.lengths))
        if len(self.calls) - 1 in self.at:
            raise torch.OutOfMemoryError("no")
        return super().forward(batch)


@pytest.mark.parametrize("at", [0, 1, 2, 3])
def test_memory_that_runs_out_in_either_pass_has_the_whole_step_tried_again(tmp_path, at):
    narrow = replace(QUICK, steps=2, micro_tokens=14)
    batch = contrasts().batch(0)
    parts = len(batch.micro(14))
    assert (parts, 2 * parts - 1 > 3) == (3, True)  # passes 0 to 2, and then 3 and 4 once more
    wide, result = run(tmp_path / "wide", replace(QUICK, steps=2), objective=contrasts())
    tight, again = run(tmp_path / "tight", narrow, Tight({at}), contrasts(seen=(seen := [])))
    smaller = [part.sequences for part in batch.micro(max(part.tokens for part in batch.micro(14)) // 2)]
    assert tight.calls[at + 1 : at + 1 + 2 * len(smaller) - 1] == [*smaller, *reversed(smaller[:-1])]
    assert seen == ([0, 1] if at < parts else [0, 0, 1])
    assert [point["loss"] for point in again.history] == pytest.approx([point["loss"] for point in result.history], rel=1e-5)
    for name, value in weights(wide).items():
        torch.testing.assert_close(tight.state_dict()[name], value, rtol=1e-4, atol=1e-6)


def test_where_the_loss_of_all_is_too_much_smaller_parts_are_not_tried(tmp_path):
    class Wide(Contrasts):
        def summed(self, outputs, targets):
            raise RuntimeError("DefaultCPUAllocator: not enough memory")

    model = Tight()
    with pytest.raises(TrainingError, match=r"^toy: out of memory in a loss over all 8 texts of a batch.*batch_size"):
        run(tmp_path, replace(QUICK, micro_tokens=14), model, Wide(CountOrder(TEXTS, 8, seed=3)))
    assert len(model.calls) == 3

    class Broken(Contrasts):
        def summed(self, outputs, targets):
            raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="shapes"):
        run(tmp_path / "other", QUICK, objective=Broken(CountOrder(TEXTS, 8, seed=3)))


def test_a_batch_of_which_nothing_is_asked_is_passed_over(tmp_path):
    # Nine texts in batches of eight: the last of an epoch is alone, and has nobody to be like.
    _, result = run(tmp_path, QUICK, objective=Contrasts(CountOrder(9, 8, seed=3)))
    assert (result.steps, result.passed_over) == (24, 12)
    assert np.isfinite([point["loss"] for point in result.history]).all()


def test_losses_that_are_sums_never_come_here():
    assert together(Supervised(None, None, None, loss_of_names("cross_entropy", np.ones(2)))) is None
    assert together(Toys(CountOrder(TEXTS, 8, seed=3))) is None
    assert together(OBJECTIVE) is OBJECTIVE
