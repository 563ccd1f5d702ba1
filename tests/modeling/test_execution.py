import pytest
import torch
from tests.modeling.padded import LENGTHS, assert_equal_to_padded, padded_logits

from acclimate.modeling import attention_kernels
from acclimate.modeling.dropout import CheapDropout
from acclimate.modeling.execution import Packed, buckets
from acclimate.modeling.fast_paths import FastPaths
from acclimate.modeling.heads import freeze
from acclimate.modeling.layers import layers_of
from acclimate.modeling.tensors import to_tensors

pytestmark = pytest.mark.measured(1)

# That all families equal the padded model is in test_every_family.py; here are those that are computed in ways of their own.
VERIFIED = ["albert", "bert", "distilbert", "electra", "modernbert", "roberta"]


@pytest.mark.parametrize("kind", ["mlm", "classifier"])
@pytest.mark.parametrize("name", VERIFIED)
def test_the_path_for_gpus_equals_the_padded_model_too(name, kind, tiny, flat, monkeypatch):
    monkeypatch.setattr(attention_kernels, "_choose", lambda *_: attention_kernels.BackEnd("padded", attention_kernels.padded))
    assert_equal_to_padded(tiny(name, kind), flat(LENGTHS, kind == "mlm"), kind)


@pytest.mark.parametrize("kind", ["mlm", "classifier"])
@pytest.mark.parametrize("switch", ["packed", "sparse_head", "sparse_last_layer"])
@pytest.mark.parametrize("name", VERIFIED)
def test_every_shortcut_can_be_switched_off(name, switch, kind, tiny, flat):
    fast = FastPaths(**{switch: False})
    assert (Packed(tiny(name, kind), fast).execution == "bucketed") == (switch == "packed")
    assert_equal_to_padded(tiny(name, kind), flat(LENGTHS, kind == "mlm"), kind, fast)


@pytest.mark.parametrize("cheap", [True, False])
def test_cheap_dropout_can_be_switched_off_everywhere(cheap, tiny, flat, monkeypatch):
    calls = []
    attend = attention_kernels.attend
    monkeypatch.setattr(attention_kernels, "attend", lambda *arguments: calls.append(1) or attend(*arguments))
    model = tiny("bert", "classifier", dropout=0.3)
    Packed(model, FastPaths(cheap_dropout=cheap)).train()(to_tensors(flat(LENGTHS, False), "cpu"))
    assert bool(calls) == cheap
    assert any(isinstance(module, CheapDropout) for module in model.modules()) == cheap


@pytest.mark.parametrize("name", ["bert", "distilbert", "electra", "roberta"])
def test_the_last_feed_forward_sees_the_chosen_positions_alone(name, tiny, flat):
    rows = {}
    for fast in (FastPaths(), FastPaths(sparse_last_layer=False)):
        model = tiny(name, "mlm")
        last = layers_of(model.base_model)[-1]
        inner = last.ffn if name == "distilbert" else last.intermediate
        inner.register_forward_hook(lambda m, i, o, fast=fast: rows.update({fast.sparse_last_layer: o.shape[1]}))
        Packed(model, fast)(to_tensors(flat(LENGTHS, True), "cpu"))
    assert rows == {True: len(flat(LENGTHS, True).targets["target_index"]), False: sum(LENGTHS)}


@pytest.mark.parametrize("name", VERIFIED)
def test_a_frozen_part_keeps_still_while_the_rest_trains(name, tiny, flat):
    model = tiny(name, "classifier", dropout=0.5)
    freeze(model, "head")
    wrapped = Packed(model).train()
    assert all(not module.training for module in layers_of(model.base_model).modules())
    assert any(module.training for module in model.modules() if isinstance(module, torch.nn.Dropout))
    wrapped.eval()
    assert not any(module.training for module in wrapped.modules())


@pytest.mark.parametrize("kind", ["mlm", "classifier"])
@pytest.mark.parametrize("name", ["bert", "roberta", "electra", "albert", "deberta-v2"])
def test_segments_of_pairs_reach_the_model(name, kind, tiny, flat):
    model = tiny(name, kind, type_vocab_size=2)
    batch = flat(LENGTHS, kind == "mlm", types=True)
    assert_equal_to_padded(model, batch, kind)
    without = Packed(model)(to_tensors(flat(LENGTHS, kind == "mlm"), "cpu"))
    assert not torch.allclose(without, Packed(model)(to_tensors(batch, "cpu")))


def test_mean_pooling_of_modernbert_equals_the_padded_model(tiny, flat):
    assert_equal_to_padded(tiny("modernbert", "classifier", classifier_pooling="mean"), flat(LENGTHS, False), "classifier")


def test_the_sliding_window_of_modernbert_matters_at_these_lengths(tiny, flat):
    batch = to_tensors(flat(LENGTHS, True), "cpu")
    narrow, wide = tiny("modernbert", "mlm"), tiny("modernbert", "mlm", local_attention=96)
    wide.load_state_dict(narrow.state_dict())
    assert not torch.allclose(Packed(narrow)(batch), Packed(wide)(batch), rtol=1e-3)


@pytest.mark.parametrize("name", ["bert", "mpnet"])
def test_a_sequence_does_not_depend_on_its_neighbours(name, tiny, flat):
    model = Packed(tiny(name, "classifier"))
    batch = flat(LENGTHS, False)
    together = model(to_tensors(batch, "cpu"))
    alone = torch.cat([model(to_tensors(part, "cpu")) for part in batch.micro(1)])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-6)


def test_a_decoder_is_not_packed(tiny):
    assert "decoder" in Packed(tiny("bert", "classifier", is_decoder=True)).reason


@pytest.mark.parametrize("name", ["bert", "albert", "modernbert"])
def test_heads_see_the_positions_they_need_and_no_others(name, tiny, flat):
    seen = []
    for kind, rows in (("mlm", len(flat(LENGTHS, True).targets["target_index"])), ("classifier", len(LENGTHS))):
        model = tiny(name, kind)
        for module in model.modules():
            # Every layer outside the encoder's own blocks: poolers, transforms, decoders.
            if isinstance(module, torch.nn.Linear):
                module.register_forward_hook(lambda m, i, o: seen.append(o.numel() // o.shape[-1]))
        seen.clear()
        Packed(model)(to_tensors(flat(LENGTHS, kind == "mlm"), "cpu"))
        assert seen[-2:] == [rows, rows]  # transform or pooler, then decoder or classifier
        assert sum(LENGTHS) in seen


@pytest.mark.parametrize("name", ["bert", "modernbert", "distilbert", "albert"])
def test_attention_dropout_is_honoured_while_training_only(name, tiny, flat):
    changes = {"attention_dropout": 0.5} if name in ("modernbert", "distilbert") else {"attention_probs_dropout_prob": 0.5}
    model = tiny(name, "classifier")
    for field, value in changes.items():
        setattr(model.config, field, value)
    for module in model.modules():
        if type(module).__name__.endswith(("SelfAttention", "AlbertAttention")):
            (module.dropout if hasattr(module, "dropout") else module.attention_dropout).p = 0.5
        elif type(module).__name__ == "ModernBertAttention":
            module.attention_dropout = 0.5
    model, batch = Packed(model), to_tensors(flat(LENGTHS, False), "cpu")

    def answer(seed):
        torch.manual_seed(seed)
        return model(batch)

    model.train()
    assert torch.equal(answer(1), answer(1))
    assert not torch.equal(answer(1), answer(2))
    model.eval()
    assert torch.equal(answer(1), answer(2))


def test_two_models_and_the_bare_model_do_not_disturb_each_other(tiny, flat):
    model, other = tiny("modernbert", "mlm"), Packed(tiny("bert", "classifier", seed=3))
    batch = flat(LENGTHS, True)
    expected = padded_logits(model, batch, "mlm").detach()
    wrapped = Packed(model)
    first = wrapped(to_tensors(batch, "cpu"))
    other(to_tensors(flat((3, 4), False), "cpu"))
    # The wrapped model itself still answers padded batches as plain transformers does.
    torch.testing.assert_close(padded_logits(model, batch, "mlm"), expected, rtol=1e-5, atol=1e-5)
    assert torch.equal(wrapped(to_tensors(batch, "cpu")), first)


def test_an_error_in_a_forward_pass_leaves_no_hook_behind(tiny, flat):
    model = tiny("bert", "mlm")
    wrapped = Packed(model)
    broken = to_tensors(flat(LENGTHS, True), "cpu")
    broken.targets["target_index"].fill_(10**6)
    with pytest.raises(IndexError):
        wrapped(broken)
    assert not model.base_model._forward_hooks


def test_a_micro_batch_without_a_masked_token_gives_no_rows(tiny, flat):
    batch = flat((4, 6), True)
    empty = batch.select([0 if batch.targets["target_index"][0] >= 4 else 1])
    keep = empty.targets["target_index"][:0]
    batch = type(batch)(empty.input_ids, empty.position_ids, empty.offsets, None, {"target_index": keep, "target_ids": keep})
    for name in ("bert", "mpnet"):
        assert Packed(tiny(name, "mlm"))(to_tensors(batch, "cpu")).shape == (0, 60)


def test_buckets_cover_each_sequence_once_and_waste_little():
    lengths = (3, 100, 7, 90, 76, 74, 4, 3, 500)
    groups = buckets(lengths)
    assert sorted(number for group in groups for number in group) == list(range(len(lengths)))
    for group in groups:
        assert min(lengths[number] for number in group) >= 0.75 * max(lengths[number] for number in group)
