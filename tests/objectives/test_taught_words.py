"""Masked words by a teacher: the loss and its gradient against plain torch, and packed against plain transformers on the same weights."""

import numpy as np
import pytest
import torch
from tests.study.conftest import tiny_model
from tokenizers import Tokenizer
from torch.nn import functional
from transformers import BertConfig, BertForMaskedLM

from acclimate.data.batches import CountOrder
from acclimate.data.ragged import offsets_of
from acclimate.data.tokens import TokenStore
from acclimate.data.windows import first
from acclimate.modeling.execution import Packed
from acclimate.modeling.tensors import to_tensors
from acclimate.objectives.mlm import MaskedText, Vocabulary
from acclimate.objectives.taught_words import TaughtWords
from acclimate.objectives.vocabulary_loss import summed_soft_cross_entropy


@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_soft_targets_cost_what_torch_says_and_have_its_gradient(scale):
    torch.manual_seed(0)
    weights, inputs = torch.randn(50, 8, requires_grad=True), torch.randn(7, 8) * scale
    words = torch.randint(0, 50, (7, 4))
    words[0, 1] = words[0, 0]  # the word itself is among the likeliest
    shares = torch.rand(7, 4).softmax(-1)
    target = torch.zeros(7, 50).scatter_add_(1, words, shares)
    expected = functional.cross_entropy(inputs @ weights.T, target, reduction="sum")
    found = summed_soft_cross_entropy(inputs @ weights.T, words, shares)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-4)
    ours, theirs = (torch.autograd.grad(0.5 * loss, weights)[0] for loss in (found, expected))
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-4)


def bert(seed, width):
    torch.manual_seed(seed)
    sizes = {"num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32, "max_position_embeddings": 64}
    return BertForMaskedLM(BertConfig(vocab_size=51, hidden_size=width, initializer_range=0.3, hidden_dropout_prob=0.0, **sizes)).eval()


@torch.no_grad()
@pytest.mark.parametrize("likeliest", [5, 99])
def test_the_loss_of_a_batch_is_that_of_plain_transformers(tmp_path, likeliest):
    tiny_model(tmp_path)
    vocabulary = Vocabulary.of(Tokenizer.from_file(str(tmp_path / "tokenizer.json")), whole_word=False)
    rng = np.random.default_rng(0)
    lengths = rng.integers(5, 20, 12)
    store = TokenStore(rng.integers(5, 50, lengths.sum()).astype(np.uint16), offsets_of(lengths))
    text = MaskedText(store, first(store, 30), CountOrder(12, 6, 0), vocabulary, 0.3, 0)
    teacher, student = bert(0, 32), bert(1, 16)
    objective = TaughtWords(text, Packed(teacher), 0.7, likeliest)
    batch = objective.batch(1)
    places, wanted = batch.targets["target_index"], torch.tensor(batch.targets["target_ids"])
    theirs, mine = [], []
    for begin, end in zip(batch.offsets, batch.offsets[1:], strict=False):
        ids = torch.tensor(batch.input_ids[begin:end])[None]
        here = torch.tensor([place - begin for place in places if begin <= place < end], dtype=torch.long)
        theirs.append(teacher(ids).logits[0, here])
        mine.append(student(ids).logits[0, here])
    theirs, mine = torch.cat(theirs), torch.cat(mine)
    values, words = theirs.topk(min(likeliest, 51))
    target = torch.zeros_like(theirs).scatter_(1, words, 0.7 * values.softmax(-1))
    target[torch.arange(len(wanted)), wanted] += 0.3
    expected = -(target * mine.log_softmax(-1)).sum()
    assert len(wanted) > 10
    assert objective.count(batch) == len(wanted)
    assert float(objective.loss(Packed(student), to_tensors(batch, "cpu"))) == pytest.approx(float(expected), rel=1e-5)
