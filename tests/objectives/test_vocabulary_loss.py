import weakref

import pytest
import torch
from torch.nn.functional import cross_entropy

from acclimate.objectives import vocabulary_loss
from acclimate.objectives.vocabulary_loss import asked_of_words, summed_cross_entropy


@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_loss_and_gradient_are_torchs(scale):
    torch.manual_seed(0)
    weights, inputs = torch.randn(50, 8, requires_grad=True), torch.randn(7, 8) * scale
    target = torch.tensor([0, 49, 3, 3, 20, 7, 1])
    expected = cross_entropy(inputs @ weights.T, target, reduction="sum")
    found = summed_cross_entropy(inputs @ weights.T, target)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(
        torch.autograd.grad(found * 0.5, weights), torch.autograd.grad(expected * 0.5, weights), rtol=1e-5, atol=1e-5
    )
    with torch.no_grad():
        torch.testing.assert_close(summed_cross_entropy(inputs @ weights.T, target), expected)


def test_in_double_precision_they_agree_to_twelve_digits():
    target = torch.tensor([2, 0, 1])
    logits = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    expected = torch.autograd.grad(cross_entropy(logits, target, reduction="sum"), logits)
    torch.testing.assert_close(torch.autograd.grad(summed_cross_entropy(logits * 1, target), logits), expected, rtol=1e-12, atol=1e-12)


def test_logits_that_somebody_kept_are_an_error_and_no_wrong_gradient():
    kept = torch.randn(3, 4, requires_grad=True).exp()  # exp's gradient needs its output
    loss = summed_cross_entropy(kept, torch.tensor([0, 1, 2]))
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


@pytest.mark.parametrize("chunk", [1, 120, 10**6])
def test_logits_in_parts_come_to_the_loss_and_gradients_of_all_at_once(chunk):
    torch.manual_seed(0)
    states, words, bias = torch.randn(7, 8, requires_grad=True), torch.randn(50, 8, requires_grad=True), torch.randn(50, requires_grad=True)
    target = torch.tensor([0, 49, 3, 3, 20, 7, 1])
    logits = states @ words.T + bias
    expected = cross_entropy(logits, target, reduction="sum")
    found = asked_of_words(states, words, bias, target, chunk)
    torch.testing.assert_close(found.loss, expected)
    assert found.right == (logits.argmax(-1) == target).sum()
    each = (states, words, bias)
    torch.testing.assert_close(torch.autograd.grad(found.loss * 0.5, each), torch.autograd.grad(expected * 0.5, each), rtol=1e-5, atol=1e-5)


def test_what_is_frozen_has_no_gradient_of_words():
    states, words, bias = torch.randn(3, 8, requires_grad=True), torch.randn(50, 8), torch.zeros(50, requires_grad=True)
    asked_of_words(states, words, bias, torch.tensor([1, 2, 3])).loss.backward()
    assert states.grad is not None
    assert bias.grad is not None
    assert words.grad is None


@pytest.mark.parametrize("learned", [True, False], ids=["learned", "asked"])
def test_the_logits_of_a_part_are_gone_before_those_of_the_next_are_there(monkeypatch, learned):
    times, alive, seen = vocabulary_loss.times, weakref.WeakSet(), []

    def noting(left, right):
        seen.append(len(alive))
        found = times(left, right)
        if found.shape[1] == 50:
            alive.add(found)
        return found

    monkeypatch.setattr(vocabulary_loss, "times", noting)
    states, words = torch.randn(6, 8, requires_grad=learned), torch.randn(50, 8, requires_grad=learned)
    asked_of_words(states, words, torch.zeros(50), torch.tensor([1, 2, 3, 4, 5, 6]), 100)
    assert seen == ([0, 1] * 3 if learned else [0] * 3)  # the other product is the gradient of the states


def test_under_autocast_gradients_of_the_words_are_those_of_products_in_half_precision():
    torch.manual_seed(0)
    states, words, bias = torch.randn(7, 8, requires_grad=True), torch.randn(50, 8, requires_grad=True), torch.zeros(50)
    target = torch.tensor([0, 49, 3, 3, 20, 7, 1])
    expected = torch.autograd.grad(asked_of_words(states, words, bias, target).loss, (states, words))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = torch.autograd.grad(asked_of_words(states, words, bias, target, 120).loss, (states, words))
    torch.testing.assert_close(found, expected, rtol=0.05, atol=0.05)
