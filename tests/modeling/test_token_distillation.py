"""Rows of new entries are learned so that texts mean what they meant: checked against the plain model, sequence by sequence."""

import numpy as np
import pytest
import torch
from tests.modeling.conftest import DECODERS

from acclimate.data.batches import TokenOrder
from acclimate.data.tokens import TokenStore
from acclimate.data.vocabularies.larger import Entry
from acclimate.data.windows import Windows
from acclimate.modeling.execution import Packed
from acclimate.modeling.tensors import to_tensors
from acclimate.objectives.token_distillation import BothWays, DistilledTokens, fitting, pieces_table, snippets
from acclimate.training.devices import Devices
from acclimate.training.new_rows import only_rows_learn

V = 32  # entries of the tiny models
NEW = [Entry("both", V, (5, 6), True), Entry("three", V + 1, (7, 8, 9), True)]


def store(*documents):
    offsets = np.concatenate([[0], np.cumsum([len(each) for each in documents])]).astype(np.int64)
    return TokenStore(np.array([token for each in documents for token in each], dtype=np.uint16), offsets)


def objective(text, seed=0):
    windows = Windows(text.offsets[:-1], np.diff(text.offsets), 0, 0)
    order = TokenOrder(windows.length + 2, 64, seed)
    return DistilledTokens(text, windows, order, (2,), (3,), pieces_table(NEW, V + 2))


@pytest.mark.parametrize("name", ["bert", "modernbert", "mpnet", "gpt2", "qwen3"])
def test_it_is_how_far_plain_hidden_states_are_apart(name, tiny):
    model = tiny(name, "mlm", vocab_size=V + 2).eval()
    text = store([10, V, 11, 12], [V + 1, 10], [13, 14, 15])
    batch = objective(text).batch(0)
    both = BothWays(Packed(model))
    apart = both(to_tensors(batch, "cpu"))
    wanted = []
    for begin, end in zip(batch.offsets[:-1], batch.offsets[1:], strict=True):
        ids = batch.input_ids[begin:end].tolist()
        pieces = [next((entry.pieces for entry in NEW if entry.id == token), (token,)) for token in ids]
        with torch.no_grad():
            new, old = (model.base_model(torch.tensor([each])).last_hidden_state[0] for each in (ids, [p for own in pieces for p in own]))
        parts = torch.split(old, [len(own) for own in pieces])
        # The last piece of a decoder has seen the others.
        wanted.append(new - torch.stack([part[-1] if name in DECODERS else part.mean(dim=0) for part in parts]))
    torch.testing.assert_close(apart, torch.cat(wanted), rtol=1e-4, atol=1e-5)


def test_a_text_without_a_new_entry_is_as_it_was(tiny):
    both = BothWays(Packed(tiny("bert", "mlm", vocab_size=V + 2).eval()))
    batch = objective(store([10, 11, 12], [13, 14])).batch(0)
    assert both(to_tensors(batch, "cpu")).abs().max() < 1e-6


def test_only_the_new_rows_learn_and_the_states_come_nearer(tiny):
    model = tiny("bert", "mlm", vocab_size=V + 2)
    weight = model.get_input_embeddings().weight
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    task = objective(store(*([10 + number % 9, V + number % 2, 11] for number in range(40))))
    both, optimizer = BothWays(Packed(model)).train(), torch.optim.AdamW([weight], lr=1e-2, weight_decay=0.0)
    losses = []
    with only_rows_learn(model, [weight], V):
        for step in range(60):
            batch = task.batch(step)
            loss = task.loss(both, to_tensors(batch, Devices("float32").device)) / task.count(batch)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            losses.append(float(loss.detach()))
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert losses[-1] < 0.8 * losses[0]
    for name, parameter in model.named_parameters():
        same = parameter.detach() == before[name]
        assert same.all() if parameter is not weight else same[:V].all() and not same[V:].any()


def test_snippets_stand_around_the_words_each_in_its_document():
    rng = np.random.default_rng(0)
    documents = [rng.integers(5, V, length).tolist() for length in (3, 30, 60, 1)]
    for number, place in ((0, 1), (1, 0), (1, 29), (2, 30), (2, 31), (3, 0)):
        documents[number][place] = V
    documents[2][5] = V + 1
    text = store(*documents)
    found = snippets(text, V, 4, 10, 0)
    assert len(found) == 5  # four of the one, and all there are of the other
    for start, length in zip(found.start.tolist(), found.length.tolist(), strict=True):
        document = np.searchsorted(text.offsets, start, side="right") - 1
        assert text.offsets[document] <= start
        assert start + length <= text.offsets[document + 1]
        assert length == min(10, len(documents[document]))
        assert (text.tokens[start : start + length] >= V).any()
    again = snippets(text, V, 4, 10, 0)
    assert (found.start == again.start).all()
    assert not len(snippets(store([5, 6]), V, 4, 10, 0))


def test_windows_are_cut_where_their_old_pieces_would_not_fit():
    text = store([10, V, 11, V + 1, 12], [13, 14, 15], [V + 1, V + 1])
    windows = Windows(text.offsets[:-1], np.diff(text.offsets), 0, 0)
    table = pieces_table(NEW, V + 2)
    assert fitting(text, windows, table, 6).length.tolist() == [3, 3, 2]
    assert fitting(text, windows, table, 8).length.tolist() == [5, 3, 2]
    assert fitting(text, windows, table, 3).length.tolist() == [2, 3, 1]
