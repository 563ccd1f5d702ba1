"""TSDAE and SimCSE: the loss of a plain computation, gradients of parts as of one batch, two views, texts that stand there twice."""

import numpy as np
import pytest
import torch
from tests.modeling.conftest import build_tiny, make_tokenizer

from acclimate.data.batches import CountOrder
from acclimate.data.deleted_words import WHOLE, marked_words
from acclimate.data.ragged import offsets_of
from acclimate.data.tokens import TokenStore
from acclimate.data.windows import within
from acclimate.modeling.embedder import Embedder
from acclimate.modeling.embedding_form import EmbeddingForm
from acclimate.modeling.execution import Packed
from acclimate.modeling.fast_paths import FastPaths
from acclimate.modeling.packing import Packing
from acclimate.modeling.tensors import to_tensors
from acclimate.modeling.text_decoder import decoder_for
from acclimate.objectives.simcse import TEXT, TwoViews
from acclimate.objectives.tsdae import Deletion, Denoiser, GivenBack
from acclimate.training.cached_gradients import accumulate
from acclimate.training.devices import Devices, seeded

LENGTHS = np.array([5, 9, 3, 5, 7, 12])


@pytest.fixture(scope="module")
def texts():
    """A store of texts, of which the first and the fourth are equal, and their windows."""
    ids = np.random.default_rng(0).integers(5, 60, LENGTHS.sum()).astype(np.uint16)
    ids[17:22] = ids[:5]
    store = TokenStore(ids, offsets_of(LENGTHS))
    return store, within(store.offsets[:-1], LENGTHS, 20)


def embedder(name="bert", fast=FastPaths(), **form):
    model = build_tiny(name, "base", dropout=0.1)
    model.pooler = None
    return Embedder(Packed(model, fast), EmbeddingForm(**form), None, 40)


def deleting(texts):
    store, windows = texts
    deletion = Deletion(0.6, marked_words(make_tokenizer()), (2,), (3,))
    return GivenBack(store, windows, CountOrder(len(windows), 6, seed=0), deletion, seed=0)


def gradients(module):
    return [parameter.grad.clone() for parameter in module.parameters() if parameter.grad is not None]


def test_tsdaes_loss_is_that_of_the_same_modules_on_padded_texts(texts):
    denoiser = Denoiser(embedder(normalize=False), decoder_for(embedder().encoder.model, 16, 20, seed=0)).eval()
    batch = deleting(texts).batch(0)
    model, words = denoiser.embedder.encoder.model, denoiser.embedder.encoder.model.get_input_embeddings().weight
    plain, total = build_tiny("bert", "base"), 0.0
    plain.load_state_dict(model.state_dict(), strict=False)
    for number in range(batch.sequences):  # one at a time there is nothing to pad
        one = to_tensors(batch.select(np.array([number])), "cpu")
        vector = plain.eval()(input_ids=one.input_ids[None]).last_hidden_state.mean(1)
        ids = one.targets[WHOLE]
        alone = Packing((len(ids),), torch.tensor([0, len(ids)]), torch.arange(len(ids)))
        logits = denoiser.decoder(ids, alone, vector, words) @ words.T + denoiser.decoder.bias
        total += torch.nn.functional.cross_entropy(logits, ids, reduction="sum")
    torch.testing.assert_close(denoiser(to_tensors(batch, "cpu")), total, rtol=1e-5, atol=1e-5)


def test_in_half_precision_tsdaes_loss_and_gradients_are_near(texts):
    batch, found = to_tensors(deleting(texts).batch(0), "cpu"), []
    for half in (False, True):
        denoiser = Denoiser(embedder(normalize=False), decoder_for(embedder().encoder.model, 16, 20, seed=0)).eval()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            loss = denoiser(batch)
        loss.backward()
        found.append((loss.detach(), torch.cat([gradient.flatten() for gradient in gradients(denoiser)])))
    (loss, one), (rounded, other) = found
    torch.testing.assert_close(loss, rounded, rtol=0.02, atol=0.1)
    assert torch.cosine_similarity(one, other, dim=0) > 0.99


def test_parts_of_a_batch_come_to_tsdaes_gradient_of_all_of_it(texts):
    objective = deleting(texts)
    batch, found = objective.batch(0), []
    for most in (10_000, 12):
        denoiser = Denoiser(embedder(normalize=False), decoder_for(embedder().encoder.model, 16, 20, seed=0)).eval()
        for part in batch.micro(most):
            (objective.loss(denoiser, to_tensors(part, "cpu")) / objective.count(batch)).backward()
        found.append(gradients(denoiser))
    assert len(batch.micro(12)) > 2
    for one, parts in zip(*found, strict=True):
        torch.testing.assert_close(one, parts, rtol=1e-4, atol=1e-6)


def views(texts, rows=(0, 1, 2, 4, 5)):
    store, windows = texts

    class Rows:
        def batch(self, _):
            return np.array(rows)

    return TwoViews(store, windows, Rows(), (2,), (3,), 0.05)


def test_simcses_loss_is_that_of_sentence_transformers_on_the_same_two_views(texts):
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    objective = views(texts)
    batch = to_tensors(objective.batch(0), "cpu")
    with seeded(1, torch.device("cpu")):
        vectors = objective.outputs(embedder().train(), batch)
    theirs = MultipleNegativesRankingLoss(model=None, scale=20.0)
    expected = theirs.compute_loss_from_embeddings([vectors[0::2], vectors[1::2]], None)
    torch.testing.assert_close(objective.summed(vectors, batch.targets) / 5, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("fast", [FastPaths(), FastPaths(cheap_dropout=False), FastPaths(packed=False)], ids=["cheap", "torchs", "padded"])
def test_the_two_views_of_a_text_are_dropped_by_different_masks(texts, fast):
    objective, model = views(texts), embedder(fast=fast).train()
    batch = objective.batch(0)
    assert np.array_equal(batch.select(np.array([0])).input_ids, batch.select(np.array([1])).input_ids)
    with torch.no_grad(), seeded(1, torch.device("cpu")):
        vectors = model(to_tensors(batch, "cpu"))
        assert ((vectors[0::2] - vectors[1::2]).abs().amax(1) > 1e-3).all()
        alone = model.eval()(to_tensors(batch, "cpu"))
    torch.testing.assert_close(alone[0::2], alone[1::2])


def test_cached_gradients_in_parts_are_those_of_one_batch(texts):
    objective, found, losses = views(texts), [], []
    batch, devices = objective.batch(0), Devices("float32")
    for most in (10_000, 14):
        model = embedder().eval()  # parts of other sizes draw other numbers
        parts = batch.micro(most)
        losses.append(accumulate(objective, model, parts, batch, objective.count(batch), devices, lambda _: torch.enable_grad(), "t"))
        found.append(gradients(model))
    assert len(batch.micro(14)) > 3
    torch.testing.assert_close(*losses)
    for one, parts in zip(*found, strict=True):
        torch.testing.assert_close(one, parts, rtol=1e-4, atol=1e-6)


def test_a_text_that_stands_there_twice_is_no_negative_of_itself(texts):
    objective, vectors = (
        views(texts, (0, 1, 3)),
        torch.nn.functional.normalize(torch.randn(6, 4, generator=torch.Generator().manual_seed(0))),
    )
    batch = objective.batch(0)
    assert batch.targets[TEXT][0] == batch.targets[TEXT][4] != batch.targets[TEXT][2]
    likeness, _ = objective.likeness(vectors, to_tensors(batch, "cpu").targets)
    assert likeness.isinf().nonzero().tolist() == [[0, 2], [2, 0]]
    assert objective.summed(vectors, to_tensors(batch, "cpu").targets).isfinite()
    assert objective.count(batch) == 3
    assert views(texts, (0, 3)).count(views(texts, (0, 3)).batch(0)) == 0
    assert views(texts, (1,)).count(views(texts, (1,)).batch(0)) == 0
