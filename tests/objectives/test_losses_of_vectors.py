"""Losses of vectors are those of sentence-transformers on the same vectors, in value and gradient, at every part of a batch."""

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.objectives.vectors import BY_NAME, N, Vectors, examples, objective

from acclimate.objectives.losses.of_vectors import VECTOR_LOSSES
from acclimate.objectives.related_texts import told_of
from acclimate.objectives.vector_loss_settings import OF_VECTORS
from acclimate.tasks.relations import Examples
from acclimate.training.cached_gradients import accumulate
from acclimate.training.devices import Devices


def theirs(name, columns, gold):
    """The loss of sentence-transformers on columns of vectors [n, E]."""
    from sentence_transformers.sentence_transformer import losses
    from sentence_transformers.sentence_transformer.losses.triplet import TripletDistanceMetric

    made = {
        "multiple_negatives": lambda: losses.MultipleNegativesRankingLoss(None),
        "contrastive": lambda: losses.ContrastiveLoss(None),
        "online_contrastive": lambda: losses.OnlineContrastiveLoss(None),
        "cosent": lambda: losses.CoSENTLoss(None),
        "cosine": lambda: losses.CosineSimilarityLoss(None),
        "triplet": lambda: losses.TripletLoss(None, TripletDistanceMetric.COSINE, 0.5),
    }
    return made[name]().compute_loss_from_embeddings(columns, gold)


def ours(name, one, vectors):
    """The loss of a whole batch, divided as the loop does it."""
    batch = one.of(np.arange(len(one.examples)))
    model = Vectors(vectors)
    targets = {key: torch.from_numpy(each) for key, each in batch.targets.items()}
    loss = one.summed(model.words(torch.from_numpy(batch.input_ids)), targets) / one.count(batch)
    return loss, model.words.weight


def test_every_loss_of_the_table_has_settings_and_is_tried():
    assert {each.model_fields["loss"].default for each in OF_VECTORS} == {*VECTOR_LOSSES} == {*BY_NAME}


@pytest.mark.parametrize("name", [name for name in BY_NAME if name != "from_labels"])
def test_value_and_gradient_are_those_of_sentence_transformers(name):
    one = objective(name)
    vectors = torch.randn(len(one.examples.texts), 6, generator=torch.Generator().manual_seed(1))
    loss, weight = ours(name, one, vectors)
    loss.backward()
    plain = vectors.clone().requires_grad_()
    columns = [plain[column] for column in one.examples.rows.T]
    expected = theirs(name, columns, torch.from_numpy(one.examples.gold))
    expected.backward()
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(weight.grad, plain.grad, rtol=1e-5, atol=1e-6)
    assert loss.item() > 0


def test_contrast_of_labels_is_the_formula_of_its_paper():
    one = objective("from_labels")
    vectors = torch.randn(N, 6, generator=torch.Generator().manual_seed(1))
    loss, _ = ours("from_labels", one, vectors)
    unit, classes, total, anchors = torch.nn.functional.normalize(vectors), one.examples.gold, 0.0, 0
    for i in range(N):
        friends = [p for p in range(N) if p != i and classes[p] == classes[i]]
        others = sum(torch.exp(10 * unit[i] @ unit[a]) for a in range(N) if a != i)
        if friends:
            total -= sum(torch.log(torch.exp(10 * unit[i] @ unit[p]) / others) for p in friends) / len(friends)
            anchors += 1
    torch.testing.assert_close(loss.item(), float(total / anchors), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", BY_NAME)
def test_a_text_of_several_examples_is_read_once_with_the_loss_and_gradient_of_reading_it_in_each(name):
    few = examples(name)
    made = replace(few, rows=few.rows % 3 + 3 * (np.arange(few.rows.shape[1]) > 0))  # each column has three texts
    one = objective(name, made=made)
    batch = one.of(np.arange(N))
    assert batch.sequences == batch.tokens == len(np.unique(made.rows))
    assert one.read(batch).tolist() == [*dict.fromkeys(made.rows.ravel().tolist())]
    vectors = torch.randn(len(made.texts), 6, generator=torch.Generator().manual_seed(1))
    loss, weight = ours(name, one, vectors)
    model = Vectors(vectors)
    accumulate(one, model, batch.micro(2), batch, one.count(batch), Devices("float32"), lambda _: nullcontext(), "tried")
    each = vectors.clone().requires_grad_()
    item, column = np.nonzero(made.rows >= 0)
    told = {"item": item, "column": column, "text": made.rows[item, column], "gold": made.gold[item]}
    told = {key: torch.from_numpy(values) for key, values in told.items()}
    expected = one.by.summed(each[told["text"]], told) / one.by.count({key: values.numpy() for key, values in told.items()})
    for found in (loss, expected):
        found.backward()
    torch.testing.assert_close(loss, expected, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(weight.grad, each.grad, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(model.words.weight.grad, each.grad, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", BY_NAME)
def test_cached_gradients_of_it_are_those_of_one_large_batch(name):
    one = objective(name, widths=(6, 3))
    vectors = torch.randn(len(one.examples.texts), 6, generator=torch.Generator().manual_seed(1))
    loss, weight = ours(name, one, vectors)
    loss.backward()
    batch, model = one.of(np.arange(len(one.examples))), Vectors(vectors)
    accumulate(one, model, batch.micro(4), batch, one.count(batch), Devices("float32"), lambda _: nullcontext(), "tried")
    torch.testing.assert_close(model.words.weight.grad, weight.grad, rtol=1e-5, atol=1e-7)


def test_the_loss_of_several_dimensions_is_that_of_sentence_transformers_summed():
    from sentence_transformers.sentence_transformer import losses

    one = objective("multiple_negatives", widths=(6, 3))
    vectors = torch.randn(len(one.examples.texts), 6, generator=torch.Generator().manual_seed(1))
    loss, _ = ours("multiple_negatives", one, vectors)
    columns = [vectors[column] for column in one.examples.rows.T]
    plain = losses.MultipleNegativesRankingLoss(None)
    expected = sum(plain.compute_loss_from_embeddings([column[:, :width] for column in columns], None) for width in (6, 3))
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-6)


def test_a_text_that_is_right_for_an_anchor_is_no_negative_of_it_anywhere_in_the_batch():
    # b and c are both right for a; d is right for e alone.
    one = objective("multiple_negatives", made=Examples.of([["a", "a", "e"], ["b", "c", "d"]]))
    vectors = torch.randn(5, 6, generator=torch.Generator().manual_seed(1))
    unit = dict(
        zip(one.examples.texts, 20 * torch.nn.functional.normalize(vectors) @ torch.nn.functional.normalize(vectors).T, strict=True)
    )
    place = {text: number for number, text in enumerate(one.examples.texts)}

    def cost(anchor, own, others):
        scores = torch.stack([unit[anchor][place[each]] for each in (own, *others)])
        return -scores.log_softmax(0)[0]

    expected = (cost("a", "b", ["d"]) + cost("a", "c", ["d"]) + cost("e", "d", ["b", "c"])) / 3
    torch.testing.assert_close(ours("multiple_negatives", one, vectors)[0], expected)


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("multiple_negatives", Examples.of([["a"], ["b"]])),
        ("multiple_negatives", Examples.of([["a", "c"], ["b", "b"]])),
        ("cosent", Examples.of([["a", "b"], ["c", "d"]], np.float32([0.5, 0.5]))),
        ("from_labels", Examples.of([["a", "b"]], np.array([1, 1]))),
    ],
)
def test_a_batch_in_which_nothing_is_compared_is_passed_over(name, made):
    one = objective(name, made=made)
    assert one.count(one.of(np.arange(len(made)))) == 0


def test_examples_of_different_sizes_are_one_flat_batch():
    made = examples("multiple_negatives")
    one = objective("multiple_negatives", made=Examples.of([["a", "c"], ["b", "d"], [None, "e"]]))
    batch = one.of(np.array([1, 0]))
    told = told_of(batch.targets)
    assert told["text"].tolist() == [1, 3, 4, 0, 2]
    assert told["column"].tolist() == [0, 1, 2, 0, 1]
    assert made.rows.shape == (N, 3)
