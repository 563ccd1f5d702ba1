"""An encoder on next words: what it computes is what transformers computes of it under a causal mask, and it stays an encoder."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.modeling.conftest import KINDS
from tests.modeling.padded import LENGTHS

from acclimate.data.ragged import offsets_of
from acclimate.data.tokens import TokenStore
from acclimate.data.windows import sliding
from acclimate.errors import SettingsError
from acclimate.modeling.architecture import untied
from acclimate.modeling.execution import Packed
from acclimate.modeling.families import family_of
from acclimate.modeling.fast_paths import FastPaths
from acclimate.modeling.tensors import to_tensors
from acclimate.objectives import clm

BORDERS = clm.Borders(begin=2, end=3, unknown=1)
ENCODERS = [name for name in KINDS if not family_of({"model_type": name}).unpacked]


def batch_of():
    store = TokenStore(np.random.default_rng(0).integers(5, 60, sum(LENGTHS)).astype(np.uint16), offsets_of(np.array(LENGTHS)))
    windows = sliding(store, 12)
    return store, clm.following(store, windows, np.arange(len(windows)), BORDERS)


def padded(batch):
    longest = int(batch.lengths.max())
    ids = torch.full((batch.sequences, longest), 4)
    real = torch.zeros((batch.sequences, longest), dtype=torch.bool)
    for row, (begin, end) in enumerate(zip(batch.offsets[:-1], batch.offsets[1:], strict=True)):
        ids[row, : end - begin], real[row, : end - begin] = torch.from_numpy(batch.input_ids[begin:end]), True
    return ids, real


@pytest.mark.measured(1)
@pytest.mark.parametrize("name", ENCODERS)
def test_loss_and_every_gradient_are_those_of_transformers_under_a_causal_mask(name, tiny):
    # Layers without a window: transformers takes a mask of one's own for all of them alike.
    model = tiny(name, "mlm", **({"global_attn_every_n_layers": 1} if name == "modernbert" else {})).eval()
    plain = copy.deepcopy(model)
    plain.set_attn_implementation("sdpa")
    store, batch = batch_of()
    ids, real = padded(batch)
    length = ids.shape[1]
    seen = torch.ones(length, length, dtype=torch.bool).tril()[None, None].expand(len(ids), 1, length, length)
    logits = plain(input_ids=ids, attention_mask=seen).logits[:, :-1]
    wanted = torch.where(real[:, 1:], ids[:, 1:], -100)
    expected = torch.nn.functional.cross_entropy(logits.flatten(0, 1), wanted.flatten(), reduction="sum")
    expected.backward()
    asked = clm.NextTokens(Packed(model)).asked(to_tensors(batch, "cpu"))
    asked.loss.backward()
    assert len(batch.targets["target_ids"]) == store.total
    torch.testing.assert_close(asked.loss, expected.detach(), rtol=1e-5, atol=0)
    gradients = dict(plain.named_parameters())
    scale = max(float(each.grad.abs().max()) for each in gradients.values() if each.grad is not None)
    for key, parameter in model.named_parameters():
        aim = gradients[key].grad
        assert (parameter.grad is None) == (aim is None), key
        if aim is not None:
            assert (parameter.grad - aim).abs().max() <= 1e-5 * max(float(aim.abs().max()), 0.1 * scale), key


@pytest.mark.measured(1)
def test_windows_of_modernbert_stay_and_end_at_the_token_itself(tiny):
    model = tiny("modernbert", "mlm").eval()
    _, batch = batch_of()
    module = clm.NextTokens(Packed(model))
    with torch.no_grad():
        before = module.nats(to_tensors(batch, "cpu"))[:, 0]
        changed = batch.input_ids.copy()
        changed[batch.offsets[1] - 1] = 44  # the last token of the first window, which no one before it may see
        after = module.nats(to_tensors(replace(batch, input_ids=changed), "cpu"))[:, 0]
    torch.testing.assert_close(after, before, rtol=0, atol=0)


def test_its_weights_keep_their_names_and_it_needs_packed_attention(tiny):
    model = tiny("bert", "mlm")
    names = set(untied(model))
    clm.NextTokens(Packed(model))
    clm.NextTokens(Packed(model))  # a second time it is one already
    assert set(untied(model)) == names
    with pytest.raises(SettingsError, match="in packed attention only"):
        clm.NextTokens(Packed(tiny("bert", "mlm"), FastPaths(packed=False)))
