"""Pairs go through every architecture as through plain transformers: the same logits, loss and gradients, on one padded rectangle."""

import copy

import numpy as np
import pytest
import torch
from tests.modeling.conftest import KINDS, make_tokenizer
from tokenizers import processors
from torch.nn.functional import cross_entropy
from transformers import PreTrainedTokenizerFast

from acclimate.data.model_inputs import sequences_of
from acclimate.data.ragged import offsets_of
from acclimate.data.tokens import TokenStore, encoded
from acclimate.modeling.execution import Packed
from acclimate.modeling.fast_paths import FastPaths
from acclimate.modeling.frozen import divided
from acclimate.modeling.heads import freeze
from acclimate.modeling.tensors import to_tensors

pytestmark = pytest.mark.measured(1)

# As their own tokenizers have it, and whether these give segments to the model.
DOUBLE = processors.TemplateProcessing(
    single="[CLS] $A [SEP]", pair="[CLS]:0 $A:0 [SEP]:0 [SEP]:0 $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
)
ROBERTA = processors.RobertaProcessing(("[SEP]", 3), ("[CLS]", 2))
BERT = processors.TemplateProcessing(
    single="[CLS] $A [SEP]", pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
)
POST = {"mpnet": DOUBLE, "roberta": ROBERTA, "camembert": ROBERTA, "xlm-roberta": ROBERTA}
WITHOUT_SEGMENTS = ("distilbert", "modernbert", "mpnet", "roberta", "camembert", "xlm-roberta")
SIZES = ((3, 9), (20, 25), (1, 1), (12, 30), (12, 12), (30, 2), (7, 9))
LENGTH, LABELS = 34, 3


def tokenizer_for(family):
    tokenizer = make_tokenizer()
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokenizer.post_processor = POST.get(family, BERT)
    return tokenizer


def texts():
    rng = np.random.default_rng(0)
    return tuple([" ".join(f"w{word}" for word in rng.integers(0, 50, pair[side])) for pair in SIZES] for side in (0, 1))


def batch_for(family, targets):
    tokenizer = tokenizer_for(family)
    stores = []
    for column in texts():
        ids, lengths = encoded(tokenizer, column)
        stores.append(TokenStore(ids.astype(np.uint32), offsets_of(lengths)))
    return sequences_of(stores, tokenizer, LENGTH).batch(np.arange(len(SIZES)), targets)


def plain_logits(family, model):
    names = ["input_ids", "attention_mask", *([] if family in WITHOUT_SEGMENTS else ["token_type_ids"])]
    plain = PreTrainedTokenizerFast(tokenizer_object=tokenizer_for(family), model_input_names=names, pad_token="[PAD]", cls_token="[CLS]")
    inputs = plain(*texts(), truncation="longest_first", max_length=LENGTH, padding=True, return_tensors="pt")
    padding = model.config.pad_token_id or 0
    inputs["input_ids"] = torch.where(inputs["attention_mask"] > 0, inputs["input_ids"], padding)
    return model(**inputs).logits


@pytest.mark.parametrize("fast", [FastPaths(), FastPaths(packed=False)], ids=["packed", "bucketed"])
@pytest.mark.parametrize("family", KINDS)
def test_logits_loss_and_gradients_are_those_of_plain_transformers(family, fast, tiny):
    model = tiny(family, "classifier")
    plain = copy.deepcopy(model)
    plain.set_attn_implementation("eager")
    labels = np.arange(len(SIZES)) % LABELS
    batch = batch_for(family, {"labels": labels})
    found, expected = Packed(model, fast)(to_tensors(batch, "cpu")), plain_logits(family, plain)
    assert (found - expected).abs().max() <= 1e-5 * expected.abs().max()
    losses = [cross_entropy(logits, torch.from_numpy(labels)) for logits in (found, expected)]
    assert losses[0].item() == pytest.approx(losses[1].item(), rel=1e-5)
    for loss in losses:
        loss.backward()
    wanted = {name: parameter.grad for name, parameter in plain.named_parameters()}
    scale = max(float(gradient.abs().max()) for gradient in wanted.values() if gradient is not None)
    for name, parameter in model.named_parameters():
        if wanted[name] is None:
            assert parameter.grad is None or not parameter.grad.any(), name
        else:
            assert (parameter.grad - wanted[name]).abs().max() <= 1e-5 * scale, name


@pytest.mark.parametrize("family", ["bert", "electra", "albert", "modernbert", "roberta"])
def test_segments_matter_where_a_model_has_them(family, tiny):
    model = tiny(family, "classifier").eval()
    batch = batch_for(family, {})
    logits = Packed(model)(to_tensors(batch, "cpu"))
    without = Packed(model)(to_tensors(type(batch)(batch.input_ids, batch.position_ids, batch.offsets), "cpu"))
    assert torch.equal(logits, without) == (family in WITHOUT_SEGMENTS)


@pytest.mark.parametrize("train", ["head", 1])
@pytest.mark.parametrize("family", ["bert", "electra", "modernbert", "roberta"])
def test_frozen_layers_see_both_texts_and_their_segments(family, train, tiny):
    model = tiny(family, "classifier")
    expected = plain_logits(family, copy.deepcopy(model).eval())
    freeze(model, train)
    packed = Packed(model)
    parts = divided(packed)
    assert parts is not None
    batch = to_tensors(batch_for(family, {}), "cpu")
    assert (parts.eval()(batch) - expected).abs().max() <= 1e-5 * expected.abs().max()


def test_a_single_segment_is_never_exceeded(tiny):
    model = tiny("roberta", "classifier", type_vocab_size=1)
    tokenizer = tokenizer_for("bert")
    stores = []
    for column in texts():
        ids, lengths = encoded(tokenizer, column)
        stores.append(TokenStore(ids.astype(np.uint32), offsets_of(lengths)))
    batch = sequences_of(stores, tokenizer, LENGTH).batch(np.arange(len(SIZES)))
    assert batch.token_type_ids.max() == 1
    assert Packed(model)(to_tensors(batch, "cpu")).isfinite().all()
