import copy

import pytest
import torch
from tests.modeling.padded import LENGTHS
from torch.nn.functional import cross_entropy

from acclimate.data.hidden_outputs import Outputs
from acclimate.errors import SettingsError
from acclimate.modeling.execution import Packed
from acclimate.modeling.fast_paths import FastPaths
from acclimate.modeling.frozen import Divided, divided
from acclimate.modeling.heads import freeze
from acclimate.modeling.layers import layers_of
from acclimate.modeling.tensors import to_tensors

pytestmark = pytest.mark.measured(1)


def loss_of(model, batch):
    return cross_entropy(model(to_tensors(batch, "cpu")), torch.from_numpy(batch.targets["labels"]), reduction="sum")


def halves(tiny, name, train, fast=FastPaths(), **changes):
    """The same model twice: whole, and divided."""
    model = tiny(name, "classifier", **changes)
    freeze(model, train)
    plain = Packed(copy.deepcopy(model))
    parts = divided(Packed(model, fast))
    return plain, model, parts


def test_what_is_given_is_what_is_used(tiny, flat):
    _, _, parts = halves(tiny, "bert", 1)
    batch = flat(LENGTHS, False)
    rows = parts.hidden(to_tensors(batch, "cpu")).numpy()
    given = type(batch)(batch.input_ids, batch.position_ids, batch.offsets, None, batch.targets, rows + 1)
    assert not torch.allclose(loss_of(parts, batch), loss_of(parts, given), rtol=1e-3)


def test_parts_of_a_batch_keep_their_rows(tiny, flat):
    for train in ("head", 1):
        _, _, parts = halves(tiny, "bert", train)
        batch = flat(LENGTHS, False)
        whole = parts(to_tensors(batch, "cpu"))
        rows = parts.hidden(to_tensors(batch, "cpu")).numpy()
        given = type(batch)(batch.input_ids, batch.position_ids, batch.offsets, None, batch.targets, rows)
        cut = torch.cat([parts(to_tensors(micro, "cpu")) for micro in given.micro(31)])
        torch.testing.assert_close(cut, whole, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_modernbert_s_last_norm_is_trained_also_where_the_head_sees_a_mean(pooling, tiny, flat):
    plain, model, parts = halves(tiny, "modernbert", "head", classifier_pooling=pooling)
    assert parts.one_row == (pooling == "cls")
    batch = flat(LENGTHS, False)
    torch.testing.assert_close(loss_of(parts, batch), loss_of(plain, batch), rtol=1e-5, atol=1e-6)
    assert model.model.final_norm.weight.requires_grad


def test_frozen_layers_have_no_dropout_and_the_others_do(tiny, flat):
    _, _, parts = halves(tiny, "bert", 1, dropout=0.3)
    parts.train()
    batch = to_tensors(flat(LENGTHS, False), "cpu")
    assert torch.equal(parts.hidden(batch), parts.hidden(batch))
    assert not torch.equal(parts(batch), parts(batch))


def test_training_the_upper_part_trains_the_model(tiny, flat):
    _, model, parts = halves(tiny, "bert", 1)
    batch = flat(LENGTHS, False)
    before = Packed(model)(to_tensors(batch, "cpu")).detach()
    optimizer = torch.optim.SGD([p for p in parts.parameters() if p.requires_grad], lr=0.1)
    loss_of(parts, batch).backward()
    optimizer.step()
    after = Packed(model)(to_tensors(batch, "cpu"))
    assert not torch.allclose(before, after)
    torch.testing.assert_close(parts(to_tensors(batch, "cpu")), after, rtol=1e-5, atol=1e-6)


def test_models_that_cannot_be_divided_stay_whole(tiny):
    for name, train in (("albert", "head"), ("mpnet", "head"), ("bert", "all"), ("bert", 3)):
        model = tiny(name, "classifier")
        freeze(model, train)
        assert divided(Packed(model)) is None
    model = tiny("bert", "classifier")
    freeze(model, "head")
    assert divided(Packed(model, FastPaths(packed=False))) is None


def test_rows_that_were_kept_on_disk_give_the_same_logits(tiny, flat, tmp_path):
    import numpy as np

    _, _, parts = halves(tiny, "bert", 1)
    batch = flat(LENGTHS, False)
    tensors = to_tensors(batch, "cpu")
    rows = parts.hidden(tensors).numpy()
    everything = np.arange(len(LENGTHS))
    exact = Outputs.build(tmp_path / "a", "k", np.array(LENGTHS), 16, "float32", iter([(everything, rows)]))
    half = Outputs.build(tmp_path / "b", "k", np.array(LENGTHS), 16, "float16", iter([(everything, rows)]))
    rounded = Divided(parts.whole, parts.depth, torch.float16)
    for outputs, computed in ((exact, parts), (half, rounded)):
        given = type(batch)(batch.input_ids, batch.position_ids, batch.offsets, None, batch.targets, outputs.rows(everything))
        # Kept or computed at every step: the same numbers, also where they are rounded.
        torch.testing.assert_close(parts(to_tensors(given, "cpu")), computed(tensors), rtol=1e-6, atol=1e-6)
    assert not torch.equal(parts(tensors), rounded(tensors))


def test_what_half_precision_cannot_hold_is_refused(tiny, flat):
    _, _, parts = halves(tiny, "bert", 1)
    rounded = Divided(parts.whole, parts.depth, torch.float16)
    with torch.no_grad():
        layers_of(parts.whole.model.base_model)[1].output.LayerNorm.weight.fill_(1e6)
    with pytest.raises(SettingsError, match="use float32"):
        rounded.hidden(to_tensors(flat(LENGTHS, False), "cpu"))
