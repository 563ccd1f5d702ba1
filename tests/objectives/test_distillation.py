"""The loss of a distillation against what plain PyTorch computes on plain transformers' outputs, with and without labels."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tests.study.conftest import tiny_model
from tokenizers import Tokenizer
from torch.nn import functional

from acclimate.data.batches import CountOrder
from acclimate.data.model_inputs import sequences_of
from acclimate.data.ragged import offsets_of
from acclimate.data.tokens import TokenStore
from acclimate.modeling.execution import Packed
from acclimate.modeling.tensors import to_tensors
from acclimate.objectives.distillation import Distilled, SoftLabels
from acclimate.objectives.losses import LOSSES
from acclimate.objectives.losses.loss import Given
from acclimate.tasks.kind import Head

NAMES = ("a", "b", "c")


def soft(link, student, teacher, temperature):
    """[B] as whoever reads the papers writes it."""
    if link == "none":
        return functional.mse_loss(student, teacher, reduction="none").mean(-1)
    if link == "softmax":
        apart = functional.kl_div(
            functional.log_softmax(student / temperature, -1), functional.softmax(teacher / temperature, -1), reduction="none"
        )
        return temperature**2 * apart.sum(-1)
    student, teacher = torch.sigmoid(student / temperature), torch.sigmoid(teacher / temperature)
    entropy = functional.binary_cross_entropy(teacher, teacher, reduction="none")
    return temperature**2 * (functional.binary_cross_entropy(student, teacher, reduction="none") - entropy).mean(-1)


@pytest.mark.parametrize("temperature", [1.0, 3.0])
@pytest.mark.parametrize("link", ["softmax", "sigmoid", "none"])
def test_soft_labels_are_those_of_plain_torch(link, temperature):
    torch.manual_seed(0)
    student, teacher = (3 * torch.randn(5, 1 if link == "none" else 4, dtype=torch.float64) for _ in range(2))
    torch.testing.assert_close(SoftLabels(link, temperature).each(student, teacher), soft(link, student, teacher, temperature))
    assert float(SoftLabels(link, temperature).each(teacher, teacher).abs().max()) < 1e-12
    sure = torch.full((1, student.shape[1]), -200.0, dtype=torch.float64)
    sure[0, 0] = 200.0
    assert SoftLabels(link, temperature).each(student[:1], sure).isfinite().all()


@torch.no_grad()
@pytest.mark.parametrize(("link", "problem"), [("softmax", "single_label_classification"), ("sigmoid", "multi_label_classification")])
def test_the_loss_of_a_batch_is_that_of_plain_transformers_on_the_same_weights(tmp_path, link, problem):
    from transformers import BertConfig, BertForSequenceClassification

    tiny_model(tmp_path)
    config = BertConfig.from_pretrained(
        tmp_path, num_labels=3, problem_type=problem, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0
    )
    torch.manual_seed(1)
    plain = BertForSequenceClassification(config)
    packed = Packed(BertForSequenceClassification(config))
    packed.model.load_state_dict(plain.state_dict())
    rng = np.random.default_rng(0)
    lengths = rng.integers(2, 9, 12)
    store = TokenStore(rng.integers(5, 40, lengths.sum()).astype(np.uint16), offsets_of(lengths))
    tokenizer = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    texts = sequences_of([store], tokenizer, 16)
    said = rng.normal(size=(12, 3)).astype(np.float32)
    known = np.arange(12) % 3 == 0
    labels = rng.integers(0, 3, 12) if link == "softmax" else rng.random((12, 3)) < 0.5
    head = Head("sequence", NAMES, link, ("cross_entropy",))
    hard = LOSSES["cross_entropy"](Given(head, np.ones(3), np.ones(3), 12))
    gold = SimpleNamespace(gold=labels, names=NAMES)
    order = CountOrder(12, 5, 0)
    objective = Distilled(texts, np.arange(12)[::-1], order, said, SoftLabels(link, 2.0), gold, known, hard, 0.7)

    rows = objective.rows[order.batch(1)]
    total = torch.zeros(())
    for row in rows:
        ids = torch.tensor([[2, *store[int(row)].tolist(), 3]])
        logits = plain.eval()(ids).logits
        right = torch.tensor(labels[row : row + 1])
        of_label = (
            functional.cross_entropy(logits, right)
            if link == "softmax"
            else functional.binary_cross_entropy_with_logits(logits, right.float())
        )
        of_teacher = soft(link, logits, torch.tensor(said[row : row + 1]), 2.0)[0]
        total = total + (0.7 * of_teacher + 0.3 * of_label if known[row] else of_teacher)
    batch = objective.batch(1)
    mine = objective.loss(packed.eval(), to_tensors(batch, "cpu"))
    assert objective.count(batch) == 5
    assert float(mine) == pytest.approx(float(total), abs=1e-5)
    # And so are those of its parts, one by one.
    parts = sum(float(objective.loss(packed, to_tensors(part, "cpu"))) for part in batch.micro(12))
    assert parts == pytest.approx(float(total), abs=1e-5)
    alone = Distilled(texts, np.arange(12)[::-1], order, said, SoftLabels(link, 2.0), gold, known, hard, 1.0)
    assert float(alone.loss(packed, to_tensors(alone.batch(1), "cpu"))) != pytest.approx(float(total), abs=1e-3)
