"""Logits of labels are those of plain transformers' masked language model for their words, in every family, with loss and gradients."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.modeling.conftest import KINDS, VOCABULARY, build_tiny, make_batch
from tests.modeling.padded import LENGTHS, padded_logits

from acclimate.errors import ModelError
from acclimate.modeling.execution import Packed
from acclimate.modeling.fast_paths import FastPaths
from acclimate.modeling.frozen import divided
from acclimate.modeling.heads import freeze
from acclimate.modeling.label_rows import LabelRows, ask_for_labels
from acclimate.modeling.tensors import to_tensors

WORDS = (
    ((7,),),
    ((9,), (11, 12)),
    ((30, 31, 7),),
)  # one word; two, of which one has two tokens; one of three, the first label's among them

FAST, PLAIN = FastPaths(), FastPaths(sparse_head=False, sparse_last_layer=False)


def asked_batch():
    """Sequences with one mask each."""
    batch = make_batch(LENGTHS, targets=False)
    places = batch.offsets[:-1] + np.array(LENGTHS) // 2
    return replace(batch, targets={**batch.targets, "target_index": places})


def by_transformers(logits_BV):
    """[B, L] from the logits of a whole vocabulary."""
    return torch.stack([torch.stack([logits_BV[:, list(word)].mean(1) for word in label]).mean(0) for label in WORDS], dim=1)


def loss_of(logits, batch):
    return torch.nn.functional.cross_entropy(logits, torch.from_numpy(batch.targets["labels"]), reduction="sum")


@pytest.mark.measured(1)
@pytest.mark.parametrize(("family", "fast"), [*((family, FAST) for family in KINDS), ("bert", PLAIN), ("mpnet", PLAIN)])
def test_logits_loss_and_gradients_equal_those_of_the_padded_masked_language_model(family, fast):
    model = build_tiny(family, "mlm")
    plain, batch = copy.deepcopy(model), asked_batch()
    plain.set_attn_implementation("eager")
    names = set(model.state_dict())
    ask_for_labels(model, WORDS)
    assert set(model.state_dict()) == names, "it is saved as the model that it is"
    expected = by_transformers(padded_logits(plain, batch, "mlm"))
    found = Packed(model, fast)(to_tensors(batch, "cpu"))
    assert found.shape == (len(LENGTHS), len(WORDS))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    losses = loss_of(expected, batch), loss_of(found, batch)
    torch.testing.assert_close(*losses, atol=1e-5, rtol=1e-5)
    for loss in losses:
        loss.backward()
    known = dict(plain.named_parameters())
    scale = max(float(each.grad.abs().max()) for each in known.values() if each.grad is not None)
    for name, parameter in model.named_parameters():
        wanted = known[name].grad
        if wanted is None:
            assert parameter.grad is None or not parameter.grad.any(), name
        else:
            torch.testing.assert_close(parameter.grad, wanted, atol=1e-5 * scale, rtol=1e-5, msg=name)


@pytest.mark.parametrize("family", ["bert", "modernbert", "distilbert"])
def test_frozen_layers_give_the_same_and_the_head_alone_learns(family):
    model, batch = build_tiny(family, "mlm"), to_tensors(asked_batch(), "cpu")
    ask_for_labels(model, WORDS)
    expected = Packed(model)(batch)
    freeze(model, "head")
    parts = divided(Packed(model))
    found = parts(batch)
    torch.testing.assert_close(found, expected.detach(), atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(parts(replace(batch, hidden=parts.hidden(batch))), found)
    found.sum().backward()
    learned = {name for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert learned
    assert not any(name.startswith(f"{model.base_model_prefix}.layer") or "embeddings" in name for name in learned)


def test_only_rows_of_label_words_are_computed():
    model = build_tiny("bert", "mlm")
    decoder = model.get_output_embeddings()
    ask_for_labels(model, WORDS)
    rows = model.get_output_embeddings()
    assert isinstance(rows, LabelRows)
    assert rows.weight is decoder.weight
    assert sorted(rows.used.tolist()) == [7, 9, 11, 12, 30, 31]
    assert rows(torch.zeros(4, 16)).shape == (4, 3)


def test_a_head_without_a_decoder_over_the_vocabulary_is_refused():
    with pytest.raises(ModelError, match=r"deberta-v2: this form of its head for masked words \(legacy: false\)"):
        ask_for_labels(build_tiny("deberta-v2", "mlm", legacy=False), WORDS)
    assert VOCABULARY not in WORDS[0][0]
