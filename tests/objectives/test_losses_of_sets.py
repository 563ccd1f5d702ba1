import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.objectives.given import loss_of_names

from acclimate.objectives.class_weights import class_weights
from acclimate.tasks.split import Split


def split_of(gold):
    return Split((("",) * len(gold),), gold, np.arange(len(gold)), (), None, tuple(map(str, range(gold.shape[1]))))


@given(st.integers(1, 12), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_the_loss_is_that_of_torch_with_the_same_weights(texts, labels, seed):
    rng = np.random.default_rng(seed)
    gold = rng.random((texts, labels)) < 0.4
    weights = rng.uniform(0.1, 5, labels)
    loss = loss_of_names("cross_entropy", weights, "set")
    rows = rng.permutation(texts)
    targets = loss.targets(split_of(gold), rows)
    logits = torch.tensor(rng.normal(size=(texts, labels)), dtype=torch.float32)
    ours = loss.summed(logits, {name: torch.tensor(each) for name, each in targets.items()}) / loss.count(targets)
    theirs = torch.nn.BCEWithLogitsLoss(pos_weight=torch.tensor(weights, dtype=torch.float32))(
        logits, torch.tensor(gold[rows], dtype=torch.float32)
    )
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-5)


def test_the_loss_is_that_of_transformers():
    from transformers import BertConfig, BertForSequenceClassification

    torch.manual_seed(0)
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    model = BertForSequenceClassification(
        BertConfig(vocab_size=20, num_labels=3, problem_type="multi_label_classification", **sizes)
    ).eval()
    gold = np.array([[True, False, True], [False, False, False]])
    ids = torch.tensor([[1, 2, 3], [4, 5, 6]])
    theirs = model(input_ids=ids, labels=torch.tensor(gold, dtype=torch.float32))
    loss = loss_of_names("cross_entropy", class_weights("none", gold, ("a", "b", "c")), "set")
    targets = loss.targets(split_of(gold), np.arange(2))
    ours = loss.summed(theirs.logits, {name: torch.tensor(each) for name, each in targets.items()}) / loss.count(targets)
    assert ours.item() == pytest.approx(theirs.loss.item(), rel=1e-6)


def test_a_batch_in_parts_sums_to_the_whole():
    gold = np.array([[True, False], [False, False], [True, True]])
    loss = loss_of_names("cross_entropy", [2.0, 3.0], "set")
    logits = torch.tensor([[0.3, -1.0], [2.0, 0.1], [-0.5, 0.7]])

    def summed(rows):
        targets = loss.targets(split_of(gold), np.array(rows))
        return loss.summed(logits[rows], {name: torch.tensor(each) for name, each in targets.items()}).item()

    assert summed([0, 1, 2]) == pytest.approx(summed([0]) + summed([1, 2]))


def test_balanced_examples_of_a_label_weigh_as_much_as_all_texts_without_it():
    gold = np.array([[True, False, True], [False, False, True], [False, False, True], [False, True, True]])
    assert class_weights("balanced", gold, ("a", "b", "c")).tolist() == [3.0, 3.0, 0.25]  # no label is left aside
    assert class_weights("balanced", gold[:1], ("a", "b", "c")).tolist() == [1.0, 1.0, 1.0]
    assert class_weights({"a": 1.0, "b": 4.0, "c": 1.0}, gold, ("a", "b", "c")).tolist() == [1.0, 4.0, 1.0]
