"""Adapters beside the layers of every family: trained packed as on padded batches, kept in the format of peft, merged without a change."""

import json
import warnings

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from tests.modeling.conftest import DECODERS, KINDS
from tests.modeling.padded import LENGTHS, assert_equal_to_padded
from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification

from acclimate.errors import ModelError, SettingsError
from acclimate.files import read_json, write_json
from acclimate.modeling.adapter_settings import FOLDER, REST, Lora, is_adapter
from acclimate.modeling.adapters import SETTINGS, WEIGHTS, add_adapters, merge_adapter, planned, save_adapter
from acclimate.modeling.base_files import CONFIG, TOKENIZER
from acclimate.modeling.execution import Packed
from acclimate.modeling.folder import save_model
from acclimate.modeling.head_settings import HeadSettings
from acclimate.modeling.heads import load_asked, load_classifier, load_mlm, load_tagger, load_trained_classifier, load_trained_tagger
from acclimate.modeling.imported_base import import_base
from acclimate.modeling.tensors import to_tensors

pytestmark = pytest.mark.measured(0)

VARIANTS = ({}, {"dora": True}, {"rslora": True, "alpha": 3}, {"init": "orthogonal"}, {"init": "gaussian"})
NAMES = [*KINDS, *DECODERS]
every = pytest.mark.parametrize(("name", "lora"), [(name, Lora(rank=4, **VARIANTS[place % 5])) for place, name in enumerate(NAMES)])
LABELS = ("a", "b", "c")


def moved(model):
    """As if something had been learned: a fresh adapter adds nothing."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                parameter += (0.02 if "magnitude" in name else 0.1) * torch.randn_like(parameter)
    return model


@every
@pytest.mark.measured(2)
def test_a_classifier_learns_as_on_padded_batches_and_is_the_same_when_merged_and_for_peft(name, lora, tiny, flat, base, tmp_path):
    parent = import_base(base(tiny(name, "mlm")), tmp_path / "parent")
    model = load_classifier(parent, LABELS, HeadSettings(), 0, 0.0)
    whole = sum(each.numel() for each in model.parameters())
    add_adapters(model, lora, 1, head=True)
    adapters = {key: each for key, each in model.named_parameters() if ".lora_" in key}
    told = planned(lora, parent.config, name)
    assert sum(each.numel() for each in adapters.values()) == told.parameters < whole
    assert all(each.requires_grad for each in adapters.values())
    assert not any(each.requires_grad for key, each in model.named_parameters() if "base_layer" in key)
    torch.manual_seed(0)
    moved(model).eval()
    if name in DECODERS:
        # A padded batch of a decoder is asked for its last token, which `test_every_decoder.py` sees to: here rows of one length are.
        batch = flat((9, 9, 9), targets=False)
        logits = Packed(model).eval()(to_tensors(batch, "cpu"))
        ids = torch.from_numpy(batch.input_ids).view(3, 9)
        torch.testing.assert_close(logits, model(input_ids=ids).logits, rtol=1e-5, atol=1e-5)
    else:
        batch = flat(LENGTHS, targets=False)
        assert_equal_to_padded(model, batch, "classifier")
        logits = Packed(model).eval()(to_tensors(batch, "cpu"))
    output = tmp_path / "left"
    output.mkdir()
    save_adapter(output, parent, model, "a test")
    assert is_adapter(output)
    merged = merge_adapter(output, parent, tmp_path / "merged")
    assert merged.parts >= {"encoder", "mlm", "classifier"}
    again = Packed(load_trained_classifier(merged)).eval()
    torch.testing.assert_close(again(to_tensors(batch, "cpu")), logits, rtol=1e-5, atol=1e-5)
    plain = AutoModelForSequenceClassification.from_pretrained(parent.path, num_labels=3)
    loaded = PeftModel.from_pretrained(plain, merged.path / FOLDER).eval()
    ids = torch.arange(5, 15)[None]
    with torch.no_grad():
        torch.testing.assert_close(loaded(input_ids=ids).logits, again.model(input_ids=ids).logits, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["modernbert", "gpt2", "qwen3"])
def test_words_are_predicted_as_on_padded_batches(name, tiny, flat, base, tmp_path):
    parent = import_base(base(tiny(name, "mlm")), tmp_path / "parent")
    if name == "modernbert":  # whose head for words lies under other names than its own where a classifier was learned last
        parent = save_model(tmp_path / "learned", parent, load_classifier(parent, LABELS, HeadSettings(), 0, 0.0))
    model, _ = load_mlm(parent, 0)
    add_adapters(model, Lora(rank=2, dropout=0.0), 1, head=False)
    assert all(".lora_" in key for key, each in model.named_parameters() if each.requires_grad)
    assert_equal_to_padded(moved(model).eval(), flat(LENGTHS, targets=True), "mlm")
    logits = Packed(model).eval()(to_tensors(flat(LENGTHS, targets=True), "cpu"))
    output = tmp_path / "left"
    output.mkdir()
    save_adapter(output, parent, model, "a test")
    assert bool(load_file(output / REST)) == (name == "modernbert")
    merged = merge_adapter(output, parent, tmp_path / "merged")
    assert merged.parts == parent.parts
    again, fresh = load_mlm(merged, 0)
    assert not fresh
    torch.testing.assert_close(Packed(again).eval()(to_tensors(flat(LENGTHS, targets=True), "cpu")), logits, rtol=1e-5, atol=1e-5)


def test_a_tagger_and_what_its_parent_had_learned_before(tiny, flat, base, tmp_path):
    parent = import_base(base(tiny("bert", "mlm")), tmp_path / "parent")
    first = load_classifier(parent, LABELS, HeadSettings(layers=2), 0, 0.0)
    parent = save_model(tmp_path / "learned", parent, first)
    model = load_tagger(parent, ("O", "B-x"), HeadSettings(), 0, 0.0)
    add_adapters(model, Lora(targets=("query", "output.dense")), 1, head=True)
    assert {key.split(".lora_")[0].split("layer.")[1][2:] for key, _ in model.named_parameters() if ".lora_A" in key} == {
        *("attention.self.query", "attention.output.dense", "output.dense")
    }
    output = tmp_path / "left"
    output.mkdir()
    save_adapter(output, parent, moved(model), "a test", max_length=16, stride=4)
    merged = merge_adapter(output, parent, tmp_path / "merged")
    # The deeper head of the classifier goes whole, as it does where all weights are trained.
    assert merged.parts == save_model(tmp_path / "all", parent, load_tagger(parent, ("O", "B-x"), HeadSettings(), 0, 0.0)).parts
    assert not any(key.startswith("classifier.0") for key in merged.names)
    again = load_trained_tagger(merged)
    batch = to_tensors(flat(LENGTHS, targets=True), "cpu")
    torch.testing.assert_close(Packed(again).eval()(batch), Packed(model).eval()(batch), rtol=1e-5, atol=1e-5)
    plain = AutoModelForTokenClassification.from_pretrained(tmp_path / "parent", num_labels=2)
    loaded = PeftModel.from_pretrained(plain, merged.path / FOLDER).eval()
    ids = torch.arange(5, 15)[None]
    torch.testing.assert_close(loaded(input_ids=ids).logits, again(input_ids=ids).logits, rtol=1e-5, atol=1e-5)


def test_a_head_that_is_asked_for_the_words_of_labels(tiny, flat, base, tmp_path):
    parent = import_base(base(tiny("roberta", "mlm")), tmp_path / "parent")
    words = (((5,), (6,)), ((7, 8),))
    model = load_asked(parent, words, 0.0)
    add_adapters(model, Lora(), 1, head=True)
    moved(model).eval()
    output = tmp_path / "left"
    output.mkdir()
    save_adapter(output, parent, model, "a test", max_length=16, asked={"labels": ["a", "b"]})
    assert not any("lm_head" in name for name in load_file(output / FOLDER / WEIGHTS))  # which plain transformers could not place
    again = load_asked(merge_adapter(output, parent, tmp_path / "merged"), words, None).eval()
    batch = to_tensors(flat(LENGTHS, targets=True), "cpu")
    torch.testing.assert_close(Packed(again)(batch), Packed(model)(batch), rtol=1e-5, atol=1e-5)


def test_of_its_files_nothing_is_read_but_numbers(tiny, base, tmp_path):
    parent = import_base(base(tiny("bert", "mlm")), tmp_path / "parent")
    model, _ = load_mlm(parent, 0)
    add_adapters(model, Lora(), 1, head=False)
    output = tmp_path / "left"
    output.mkdir()
    save_adapter(output, parent, moved(model), "a test")
    assert sorted(path.name for path in output.rglob("*") if path.is_file()) == sorted(
        ["README.md", CONFIG, REST, SETTINGS, WEIGHTS],
    )
    assert not (output / TOKENIZER).exists()
    before = merge_adapter(output, parent, tmp_path / "merged").tensors()
    file = output / FOLDER / SETTINGS
    said = read_json(file)
    assert json.dumps(said) == json.dumps(dict(sorted(said.items())))
    assert said["target_modules"] == sorted(said["target_modules"])
    elsewhere = {"base_model_class": "Popen", "parent_library": "subprocess"}
    write_json(file, said | {"auto_mapping": elsewhere, "base_model_name_or_path": "/nowhere", "peft_type": "IA3", "target_modules": ["x"]})
    after = merge_adapter(output, parent, tmp_path / "again").tensors()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    other = import_base(base(tiny("bert", "mlm", num_hidden_layers=2), "other"), tmp_path / "two layers")
    with pytest.raises(ModelError, match="the adapter does not belong to this model"):
        merge_adapter(output, other, tmp_path / "wrong")


def test_names_that_no_layer_has_are_refused_with_the_nearest(tiny):
    config = tiny("gpt2", "base").config.to_dict()
    with pytest.raises(SettingsError, match=r"'c_atn' in its layers; did you mean 'c_attn'\?; there are c_attn, c_proj, c_fc"):
        planned(Lora(targets="c_atn"), config, "tiny")
    with pytest.raises(SettingsError, match="no linear layer 'wte'"):
        planned(Lora(targets=["wte"]), config, "tiny")
    assert planned(Lora(targets=["attn.c_proj"]), config, "tiny").layers == 3
    assert planned(Lora(), config, "tiny").layers == 12


def test_the_same_seed_draws_the_same_adapters_and_peft_warns_of_nothing(tiny):
    first, again, other = (tiny("gpt2", "mlm") for _ in range(3))
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        for model, seed in ((first, 1), (again, 1), (other, 2)):
            add_adapters(model, Lora(), seed, head=False)
    same = dict(again.named_parameters())
    assert all(torch.equal(each, same[name]) for name, each in first.named_parameters())
    assert any(not torch.equal(each, same[name]) for name, each in other.named_parameters())
