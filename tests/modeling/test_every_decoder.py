"""What the table of families says of decoders is true of transformers' own classes: one contract for all, as for encoders."""

import copy

import numpy as np
import pytest
import torch
from tests.modeling.conftest import DECODERS
from tests.modeling.padded import LENGTHS, assert_equal_to_padded
from transformers import AutoModelForCausalLM, AutoModelForTokenClassification

from acclimate.data.batches import TARGET_INDEX
from acclimate.data.ragged import offsets_of
from acclimate.data.tokens import TokenStore
from acclimate.data.windows import sliding
from acclimate.errors import ModelError, SettingsError
from acclimate.modeling.architecture import Architecture, kind_of
from acclimate.modeling.cut_layers import cut_layers
from acclimate.modeling.execution import Packed, checkpoint_activations
from acclimate.modeling.families import FAMILIES, dimensions_of, family_of
from acclimate.modeling.fast_paths import FastPaths
from acclimate.modeling.folder import save_model
from acclimate.modeling.head_settings import HeadSettings
from acclimate.modeling.heads import freeze, layer_groups, load_classifier, load_mlm, load_tagger
from acclimate.modeling.imported_base import import_base
from acclimate.modeling.layers import layers_of
from acclimate.modeling.tensors import to_tensors
from acclimate.objectives import clm, vocabulary_loss

pytestmark = pytest.mark.measured(1)

BORDERS = clm.Borders(begin=2, end=3, unknown=1)

every = pytest.mark.parametrize("name", DECODERS)


def test_each_has_a_tiny_one():
    assert sorted(DECODERS) == sorted(family.model_type for family in FAMILIES if family.decoder)


@every
def test_dimensions_modules_and_names_are_where_the_table_says(name, tiny, flat):
    base, words, classifier = (tiny(name, kind) for kind in ("base", "mlm", "classifier"))
    family, sizes = family_of(base.config), dimensions_of(base.config.to_dict())
    assert (sizes.layers, sizes.distinct, sizes.positions) == (3, 3, 48)
    assert tuple(base.get_input_embeddings().weight.shape) == (sizes.vocabulary, sizes.embedding)
    assert base(input_ids=torch.full((1, 48), 7)).last_hidden_state.shape == (1, 48, sizes.width)
    assert {part for part, module in base.named_children() if any(True for _ in module.parameters())} == {
        family.layers, *family.below, *family.above
    }  # fmt: skip
    packed, heads = Packed(words), set()
    packed.seen = lambda query, *_: heads.add((query.shape[1], query.shape[3]))
    packed.states(to_tensors(flat(LENGTHS, True), "cpu"))
    assert heads == {(sizes.heads, sizes.head)}
    assert [kind_of(model) for model in (words, classifier)] == ["mlm", "classifier"]
    assert classifier.get_submodule(family.last_linear).out_features == 3
    if family.tagger_linear:
        tagger = tiny(name, "tagger")
        assert kind_of(tagger) == "tagger"
        assert tagger.get_submodule(family.tagger_linear).out_features == 3
        heads = {key for key in tagger.state_dict() if not key.startswith(f"{tagger.base_model_prefix}.")}
        assert all(key.startswith(family.learned_heads) for key in heads)
    else:
        with pytest.raises(ValueError, match="Unrecognized configuration class"):
            tiny(name, "tagger")
    names = {key for key in words.state_dict() if not key.startswith(f"{words.base_model_prefix}.")}
    assert all(key.startswith(family.mlm_head) for key in names)
    assert names
    assert Architecture(words.config).mlm_names == (set() if words.config.tie_word_embeddings else names)
    if family.learned_positions:
        with pytest.raises((IndexError, RuntimeError)):
            base(input_ids=torch.full((1, 49), 7))


@pytest.mark.parametrize("switch", ["", "packed"])
@every
def test_logits_and_every_gradient_equal_those_of_the_padded_model(name, switch, tiny, flat):
    fast = FastPaths(**{switch: False}) if switch else FastPaths()
    for kind in ("mlm", "classifier", *(["tagger"] if family_of({"model_type": name}).tagger_linear else [])):
        model = tiny(name, kind).eval()
        assert Packed(model, fast).execution == ("bucketed" if switch else "packed")
        assert_equal_to_padded(model, flat(LENGTHS, kind != "classifier"), kind, fast)


def texts():
    """A store of the ids 5 to 59, a document of each of `LENGTHS` tokens."""
    ids = np.random.default_rng(0).integers(5, 60, sum(LENGTHS)).astype(np.uint16)
    return TokenStore(ids, offsets_of(np.array(LENGTHS)))


@every
def test_the_loss_of_next_tokens_and_every_gradient_are_those_of_transformers(name, tiny, monkeypatch):
    model = tiny(name, "mlm").eval()
    plain = copy.deepcopy(model)
    plain.set_attn_implementation("eager")
    store = texts()
    windows = sliding(store, 12)
    batch = clm.following(store, windows, np.arange(len(windows)), BORDERS)
    longest = int(batch.lengths.max())
    ids, mask = (torch.zeros(batch.sequences, longest, dtype=torch.long) for _ in range(2))
    for row, (begin, end) in enumerate(zip(batch.offsets[:-1], batch.offsets[1:], strict=True)):
        ids[row, : end - begin], mask[row, : end - begin] = torch.from_numpy(batch.input_ids[begin:end]), 1
    labels = torch.where(mask.bool(), ids, -100)
    expected = plain(input_ids=ids, attention_mask=mask, labels=labels).loss * store.total
    expected.backward()
    rows = []
    # A vocabulary of 60 in parts of seven rows: as one of 150,000 would be.
    monkeypatch.setattr(vocabulary_loss, "times", lambda a, b, times=vocabulary_loss.times: rows.append(len(a)) or times(a, b))
    monkeypatch.setattr(clm, "asked_of_words", lambda *asked: vocabulary_loss.asked_of_words(*asked, chunk=7 * 60))
    module = clm.NextTokens(Packed(model))
    asked = module.asked(to_tensors(batch, "cpu"))
    asked.loss.backward()
    assert max(rows) <= 7 < store.total
    torch.testing.assert_close(asked.loss, expected.detach(), rtol=1e-5, atol=0)
    gradients = dict(plain.named_parameters())
    scale = max(float(parameter.grad.abs().max()) for parameter in gradients.values())
    for key, parameter in model.named_parameters():
        wanted = gradients[key].grad
        assert (parameter.grad - wanted).abs().max() <= 1e-5 * max(float(wanted.abs().max()), 1e-3 * scale), key
    nats = module.nats(to_tensors(batch, "cpu"))
    torch.testing.assert_close(nats[:, 0].sum().float(), expected.detach(), rtol=1e-5, atol=0)
    assert int(nats[:, 1].sum()) == int(asked.right)


def test_every_token_of_a_text_is_asked_for_once_and_unknown_ones_are_not():
    store = texts()
    store.tokens[3] = BORDERS.unknown
    asked = clm.EveryNextToken.of(store, BORDERS, 7)
    found = {}
    for batch in asked.batches(20):
        assert batch.tokens <= 20
        for document, token in zip(batch.targets["target_document"], batch.targets["target_ids"], strict=True):
            found.setdefault(int(document), []).append(int(token))
        assert (batch.input_ids[batch.offsets[:-1]] == BORDERS.begin).all()
        assert (batch.input_ids[batch.targets[TARGET_INDEX] + 1] == batch.targets["target_ids"]).all()
    for number in range(len(store)):
        assert sorted(found[number]) == sorted(store[number][store[number] != BORDERS.unknown].tolist())


@every
def test_activations_are_computed_again_with_the_same_gradients(name, tiny, flat):
    model = tiny(name, "mlm")
    checkpoint_activations(model)
    model.train()
    assert_equal_to_padded(model, flat(LENGTHS, True), "mlm")


@every
def test_parts_can_be_frozen_and_the_groups_go_from_the_head_to_the_embeddings(name, tiny):
    model = tiny(name, "classifier")
    groups = layer_groups(model)
    assert sorted(id(p) for group in groups for p in group) == sorted(id(p) for p in model.parameters())
    assert len(groups) == 2 + 3
    freeze(model, 1)
    trained = {key for key, parameter in model.named_parameters() if parameter.requires_grad}
    assert not any("0." in key.partition(family_of(model.config).layers)[2][:3] for key in trained)
    assert any(key.startswith("score.") for key in trained)


@every
def test_a_folder_keeps_it_whole_and_plain_transformers_loads_it(name, tiny, base, tmp_path):
    model = tiny(name, "mlm").eval()
    parent = import_base(base(model), tmp_path / "imported")
    loaded, fresh = load_mlm(parent, 0)
    assert not fresh
    classifier = load_classifier(parent, ("a", "b"), HeadSettings(), 0, 0.0)
    kept = save_model(tmp_path / "classifier", parent, classifier)
    assert kept.parts == {"encoder", "mlm", "classifier"}
    if kept.family.tagger_linear:  # a head by another name than the classifier's, which goes
        tagger = load_tagger(kept, ("O", "B-x"), HeadSettings(), 0, 0.0)
        assert not any(module.p for module in tagger.modules() if isinstance(module, torch.nn.Dropout))
        tagged = save_model(tmp_path / "tagger", kept, tagger, 24, 6)
        assert (tagged.parts, tagged.labels, tagged.by_last_piece) == ({"encoder", "mlm", "tagger"}, ("O", "B-x"), True)
        _, info = AutoModelForTokenClassification.from_pretrained(tagged.path, output_loading_info=True)
        assert not info["missing_keys"]
    again, info = AutoModelForCausalLM.from_pretrained(parent.path, output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    ids = torch.arange(5, 25)[None]
    with torch.no_grad():
        for other in (loaded.eval(), again.eval()):
            torch.testing.assert_close(other(ids).logits, model(ids).logits, rtol=1e-5, atol=1e-5)


def test_a_decoder_without_a_head_for_words_is_refused(tiny, base, tmp_path):
    source = base(tiny("llama", "base"))
    with pytest.raises(ModelError, match=r"decoder without a head that predicts words \(lm_head"):
        import_base(source, tmp_path / "imported")


def test_a_head_that_bends_its_logits_is_refused_and_attention_that_looks_both_ways_is_not_packed(tiny):
    with pytest.raises(SettingsError, match="final_logit_softcapping"):
        clm.NextTokens(Packed(tiny("gemma3_text", "mlm", final_logit_softcapping=30.0)))
    both = Packed(tiny("gemma3_text", "mlm", use_bidirectional_attention=True))
    assert both.execution == "bucketed"
    assert "both ways" in both.reason


@every
def test_a_cut_model_computes_what_its_kept_layers_compute(name, tiny, base, tmp_path):
    parent = import_base(base(tiny(name, "mlm")), tmp_path / "imported")
    cut = cut_layers(parent, (0, 2), tmp_path / "cut")
    loaded, info = AutoModelForCausalLM.from_pretrained(cut.path, output_loading_info=True, attn_implementation="eager")
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    assert dimensions_of(cut.config).layers == loaded.config.num_hidden_layers == 2
    whole = AutoModelForCausalLM.from_pretrained(parent.path, attn_implementation="eager").eval()
    kept = layers_of(whole.base_model)
    whole.base_model.set_submodule(family_of(cut.config).layers, torch.nn.ModuleList([kept[0], kept[2]]))
    whole.config.num_hidden_layers = 2
    for field in family_of(cut.config).per_layer:
        setattr(whole.config, field, [getattr(whole.config, field)[number] for number in (0, 2)])
    ids = torch.arange(5, 25)[None]
    with torch.no_grad():
        torch.testing.assert_close(loaded.eval()(ids, use_cache=False).logits, whole(ids, use_cache=False).logits, rtol=0, atol=0)
