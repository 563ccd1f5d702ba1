"""What is compared inside of two models, packed, equals what plain transformers and torch compute text by text on the same weights."""

import math

import numpy as np
import pytest
import torch
from tests.study.conftest import tiny_model
from tokenizers import Tokenizer
from torch.nn import functional
from transformers import BertConfig, BertForSequenceClassification, DistilBertConfig, DistilBertForSequenceClassification

from acclimate.data.hidden_outputs import Outputs
from acclimate.data.model_inputs import sequences_of
from acclimate.data.ragged import offsets_of
from acclimate.data.tokens import TokenStore
from acclimate.modeling.execution import Packed
from acclimate.modeling.fast_paths import FastPaths
from acclimate.modeling.inner_states import first_states, last_attention_of
from acclimate.modeling.tensors import to_tensors
from acclimate.objectives.inner_likeness import Layers, Relations


def bert(seed, width, layers):
    torch.manual_seed(seed)
    sizes = {
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "intermediate_size": 32,
        "max_position_embeddings": 64,
    }
    return BertForSequenceClassification(BertConfig(vocab_size=51, num_labels=3, initializer_range=0.3, **sizes)).eval()


@pytest.fixture
def texts(tmp_path):
    """Texts of several lengths, some of them equally long."""
    tiny_model(tmp_path)
    rng = np.random.default_rng(0)
    lengths = np.array([3, 7, 3, 12, 7, 40, 1, 9])
    store = TokenStore(rng.integers(5, 50, lengths.sum()).astype(np.uint16), offsets_of(lengths))
    return sequences_of([store], Tokenizer.from_file(str(tmp_path / "tokenizer.json")), 48)


def read(texts, kept, counts):
    """The batch of all texts with what a teacher has for each."""
    return to_tensors(
        type(texts)(texts.store, texts.windows, texts.prefix, texts.suffix, Outputs(kept, offsets_of(counts))).batch(np.arange(8)), "cpu"
    )


def one_by_one(texts):
    for row in range(len(texts)):
        yield torch.tensor([[2, *texts.store[row].tolist(), 3]])


@torch.no_grad()
@pytest.mark.parametrize("packed", [True, False])
def test_states_between_layers_are_those_of_plain_transformers(texts, packed):
    teacher, student = bert(0, 16, 4), bert(1, 16, 2)
    asked, own = Packed(teacher), Packed(student, FastPaths(packed=packed))
    plain = to_tensors(texts.batch(np.arange(8)), "cpu")
    logits, kept = first_states(asked, [1], asked, plain)
    wanted, mine, said = [], [], []
    for ids in one_by_one(texts):
        there, here = teacher(ids, output_hidden_states=True), student(ids, output_hidden_states=True)
        wanted.append(there.hidden_states[2][:, 0])  # the embeddings are the first of them
        mine.append(here.hidden_states[1][:, 0])
        said.append(here.logits)
    torch.testing.assert_close(kept[:, 0], torch.cat(wanted), atol=1e-5, rtol=1e-5)
    expected = (functional.normalize(torch.cat(mine)) - functional.normalize(torch.cat(wanted))).square().sum(-1)
    outputs, apart = Layers(own, (0,)).apart(own, read(texts, kept.flatten(1).numpy(), np.ones(8, np.int64)))
    torch.testing.assert_close(outputs, torch.cat(said), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(apart, expected, atol=1e-5, rtol=1e-5)
    assert logits.shape == (8, 3)


def compared(model, ids):
    """Queries, keys and values of the last layer [L, D]."""
    before = model(ids, output_hidden_states=True).hidden_states[-2]
    attention = model.bert.encoder.layer[-1].attention.self
    return [linear(before)[0] for linear in (attention.query, attention.key, attention.value)]


@torch.no_grad()
def test_relations_of_tokens_are_those_of_plain_torch_whatever_the_widths(texts):
    teacher, student, heads = bert(0, 32, 3), bert(1, 16, 1), 8
    asked, own = Packed(teacher), Packed(student)
    _, kept = last_attention_of(asked, asked, to_tensors(texts.batch(np.arange(8)), "cpu"))
    expected = []
    for ids in one_by_one(texts):
        total = 0.0
        for theirs, mine in zip(compared(teacher, ids), compared(student, ids), strict=True):
            each = []
            for x in (theirs, mine):
                by_head = x.view(len(x), heads, -1).transpose(0, 1)
                each.append((by_head @ by_head.transpose(1, 2) / math.sqrt(x.shape[1] / heads)).softmax(-1))
            total += float((each[0] * (each[0].log() - each[1].log())).sum(-1).mean())
        expected.append(total)
    batch = read(texts, torch.cat(kept, dim=-1).numpy(), texts.lengths)
    outputs, apart = Relations(own, heads).apart(own, batch)
    torch.testing.assert_close(apart, torch.tensor(expected), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(outputs, own(batch))  # and nothing watches any more
    assert own.seen is None


def test_what_is_learned_inside_reaches_every_weight_below(texts):
    torch.manual_seed(0)
    sizes = {"dim": 16, "n_layers": 3, "n_heads": 4, "hidden_dim": 32, "vocab_size": 51, "max_position_embeddings": 64}
    model = DistilBertForSequenceClassification(DistilBertConfig(num_labels=3, **sizes))
    own = Packed(model).train()
    batch = read(texts, np.random.default_rng(0).normal(size=(int(texts.lengths.sum()), 48)).astype(np.float32), texts.lengths)
    _, apart = Relations(own, 4).apart(own, batch)
    apart.sum().backward()
    weights = {name: parameter.grad for name, parameter in model.named_parameters()}
    assert float(weights["distilbert.transformer.layer.0.ffn.lin1.weight"].abs().sum()) > 0
    assert float(weights["distilbert.transformer.layer.2.attention.q_lin.weight"].abs().sum()) > 0
    assert weights["classifier.weight"] is None
