"""What the table of families says is true of transformers' own classes, and what it promises for a family is kept.

One contract for all of them: whoever adds a family adds a tiny one to `KINDS` in conftest.py, and it is tested.
"""

import ast
import copy
import re
from pathlib import Path

import pytest
import torch
from tests.modeling.conftest import DECODERS, KINDS
from tests.modeling.padded import LENGTHS, TARGETS, assert_equal_to_padded
from torch import nn
from torch.nn.functional import cross_entropy
from transformers import AutoConfig, AutoModelForMaskedLM

import acclimate
from acclimate.errors import SettingsError
from acclimate.modeling.architecture import Architecture, kind_of
from acclimate.modeling.cut_layers import cut_layers
from acclimate.modeling.execution import Packed, checkpoint_activations
from acclimate.modeling.families import FAMILIES, LARGEST, SUPPORTED, dimensions_of, family_of
from acclimate.modeling.fast_paths import FastPaths
from acclimate.modeling.frozen import divided
from acclimate.modeling.heads import freeze, layer_groups
from acclimate.modeling.imported_base import import_base
from acclimate.modeling.layers import layers_of
from acclimate.modeling.tensors import to_tensors

pytestmark = pytest.mark.measured(1)

LAYERS, WIDTH, LABELS, POSITIONS = 3, 16, 3, 48  # of the tiny ones

every = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.model_type)
ENCODERS = [each for each in FAMILIES if each.supported and not each.decoder]  # of decoders, which answer otherwise: test_every_decoder.py
supported = pytest.mark.parametrize("family", ENCODERS, ids=lambda family: family.model_type)


@pytest.fixture(scope="module")
def models():
    """A tiny model of a family as `base`, `mlm`, `classifier` or `tagger`, built once: not to be changed."""
    from tests.modeling.conftest import build_tiny

    built = {}

    def model(family, kind):
        return built.setdefault((family.model_type, kind), build_tiny(family.model_type, kind))

    return model


def test_each_stands_in_the_table_once_and_has_a_tiny_one():
    names = [family.model_type for family in FAMILIES]
    assert names == list(dict.fromkeys(names))
    assert sorted({**KINDS, **DECODERS}) == sorted(SUPPORTED)


@every
def test_sizes_and_names_are_those_that_transformers_takes_for_granted(family):
    config = AutoConfig.for_model(family.model_type)
    said = config.to_dict()
    assert {name: said[family.renamed.get(name, name)] for name in family.sizes} == family.sizes
    assert ("embedding_size" in said) == ("embedding_size" in family.sizes)
    assert config.attribute_map.items() <= family.renamed.items()
    rates = {name for name in said if "drop" in name}
    assert family.attention_dropout in rates
    assert all(any(word in name for word in family.dropout_words) for name in rates)
    assert not family.pooling or said[family.pooling] in ("cls", "mean")
    assert all(len(getattr(config, name)) == config.num_hidden_layers for name in family.per_layer)
    # An empty config.json and a whole one describe the same model.
    assert dimensions_of({"model_type": family.model_type}) == dimensions_of(said)


@supported
def test_the_dimensions_of_a_config_are_those_of_its_model(family, models):
    model = models(family, "base")
    sizes = dimensions_of(model.config.to_dict())
    weight = model.get_input_embeddings().weight
    assert (sizes.vocabulary, sizes.embedding) == tuple(weight.shape)
    ids = torch.full((1, 2), 7)
    assert model(input_ids=ids).last_hidden_state.shape[-1] == sizes.width == WIDTH
    assert len(layers_of(model)) == (1 if family.shares_layers else sizes.layers)
    assert (sizes.layers, sizes.distinct) == (LAYERS, len(layers_of(model)))
    assert sizes.head * sizes.heads == sizes.width
    inner = max(linear.out_features for linear in layers_of(model).modules() if isinstance(linear, nn.Linear))
    assert inner in (sizes.feed_forward, 2 * sizes.feed_forward, 3 * sizes.width)  # gates double it


@supported
def test_the_longest_sequence_can_be_read_and_one_token_more_cannot_where_positions_are_learned(family, models):
    model = models(family, "base")
    longest = dimensions_of(model.config.to_dict()).positions
    assert (
        longest
        == POSITIONS - (1 + (model.config.pad_token_id if family.padding_id is None else family.padding_id)) * family.shifted_positions
    )
    model(input_ids=torch.full((1, longest), 7))
    if family.learned_positions:
        with pytest.raises((IndexError, RuntimeError)):
            model(input_ids=torch.full((1, longest + 1), 7))


@pytest.mark.parametrize("family", [each for each in FAMILIES if each.padding_id is not None], ids=lambda family: family.model_type)
def test_a_padding_id_that_is_built_in_counts_whatever_the_config_says(family, tiny):
    model = tiny(family.model_type, "base", pad_token_id=family.padding_id + 2)
    longest = dimensions_of(model.config.to_dict()).positions
    model(input_ids=torch.full((1, longest), 7))
    with pytest.raises((IndexError, RuntimeError)):
        model(input_ids=torch.full((1, longest + 1), 7))


@supported
def test_modules_are_where_the_table_says(family, models):
    base, classifier, tagger = (models(family, kind) for kind in ("base", "classifier", "tagger"))
    found = dict(base.named_children())
    assert family.below[0] in found
    assert all((name in found) for name in family.above)
    assert ("pooler" in found) == bool(family.pooler)
    around = {family.layers.partition(".")[0], *family.below, *family.above}
    # Nothing of the body is forgotten, but what has no weights of its own.
    assert {name for name, module in found.items() if any(True for _ in module.parameters())} <= around
    layer = layers_of(base)[0]
    assert all(hasattr(layer, name) for name in family.asked_of_layers)
    if family.last_attention:
        assert isinstance(layer.get_submodule(family.last_attention), nn.Module)
    assert (family.stack == "") == isinstance(found.get(family.layers), nn.ModuleList)
    last = classifier.get_submodule(family.last_linear)
    assert isinstance(last, nn.Linear)
    assert last.out_features == LABELS
    assert (family.last_linear + ".").startswith(family.classifier + ".")
    assert tagger.get_submodule(family.tagger_linear).out_features == LABELS
    assert (family.tagger_linear + ".").startswith(family.classifier + ".")
    assert [kind_of(models(family, kind)) for kind in ("mlm", "classifier", "tagger")] == ["mlm", "classifier", "tagger"]
    assert family_of(classifier.config) is family


@supported
def test_heads_have_the_names_by_which_they_are_known(family, models):
    names = {kind: set(models(family, kind).state_dict()) for kind in ("base", "mlm", "classifier", "tagger")}
    architecture = Architecture(models(family, "mlm").config)
    assert any(name.startswith(family.mlm_head) for name in names["mlm"])
    assert not any(name.startswith(family.mlm_head) for name in names["classifier"] | names["tagger"] | names["base"])
    for kind in ("classifier", "tagger"):
        assert any(name.startswith(f"{family.classifier}.") for name in architecture.head_names(kind))
    assert not any(name.startswith(f"{family.classifier}.") for name in architecture.mlm_names)
    assert architecture.pooler_names == {architecture.prefix + name for name in names["base"] if name.startswith("pooler.")}


@supported
def test_the_first_layer_differs_where_the_table_says(family, models):
    if family.shares_layers:
        return
    first, second, third = (set(layer.state_dict()) for layer in layers_of(models(family, "base")))
    assert (first != second) == family.first_layer_differs
    assert second == third


@supported
def test_groups_go_from_head_to_embeddings_and_the_head_alone_can_be_trained(family, models):
    for kind in ("mlm", "classifier", "tagger"):
        model = models(family, kind)
        groups = layer_groups(model)
        assert sorted(id(p) for group in groups for p in group) == sorted(id(p) for p in model.parameters())
        assert len(groups) == 2 + len(layers_of(model.base_model))
        assert id(model.get_input_embeddings().weight) in {id(parameter) for parameter in groups[-1]}
    model = copy.deepcopy(models(family, "classifier"))
    freeze(model, "head")
    trained = {key for key, parameter in model.named_parameters() if parameter.requires_grad}
    prefix = f"{model.base_model_prefix}."
    inside = {key.removeprefix(prefix).split(".")[0] for key in trained if key.startswith(prefix)}
    assert inside <= set(family.above)
    assert {key for key, _ in model.named_parameters() if not key.startswith(prefix)} <= trained
    if family.shares_layers:
        with pytest.raises(SettingsError, match="share their weights"):
            freeze(model, 1)


@pytest.mark.parametrize("kind", ["mlm", "classifier", "tagger"])
@supported
def test_logits_and_every_gradient_equal_those_of_the_padded_model(family, kind, models, flat):
    model = copy.deepcopy(models(family, kind))
    packed = Packed(model)
    assert packed.execution == ("bucketed" if family.unpacked else "packed")
    assert packed.reason.startswith(f"{family.model_type}: {family.unpacked}, so" if family.unpacked else "")
    assert bool(packed.reason) == bool(family.unpacked)
    assert_equal_to_padded(model, flat(LENGTHS, kind != "classifier"), kind)


@pytest.mark.parametrize("switch", ["packed", "sparse_head", "sparse_last_layer"])
@supported
def test_a_tagger_is_the_padded_one_with_any_shortcut_off(family, switch, models, flat):
    assert_equal_to_padded(copy.deepcopy(models(family, "tagger")), flat(LENGTHS, True), "tagger", FastPaths(**{switch: False}))


@supported
def test_activations_are_computed_again_with_the_same_gradients_or_it_is_refused(family, models, flat):
    model = copy.deepcopy(models(family, "mlm"))
    assert model.supports_gradient_checkpointing == family.checkpointing
    if not family.checkpointing:
        with pytest.raises(SettingsError, match=f"gradient_checkpointing: {family.model_type}"):
            checkpoint_activations(model)
        return
    checkpoint_activations(model)
    model.train()
    runs = []
    next(layers_of(model.base_model)[0].children()).register_forward_pre_hook(lambda *_: runs.append("layer"))
    assert_equal_to_padded(model, flat(LENGTHS, True), "mlm")
    # The padded copy and the packed model, each with every layer once forward and once more in the backward pass; buckets are more.
    assert len(runs) == 4 if not family.unpacked else len(runs) > 4


@pytest.mark.parametrize("kind", ["classifier", "tagger"])
@pytest.mark.parametrize("train", ["head", 1, 2])
@supported
def test_a_divided_model_gives_the_logits_and_gradients_of_the_whole_one(family, train, kind, models, flat):
    model = copy.deepcopy(models(family, kind))
    freeze(model, "head" if family.shares_layers else train)
    plain, parts = Packed(copy.deepcopy(model)), divided(Packed(model))
    assert (parts is not None) == family.divisible
    if parts is None:
        return
    batch = flat(LENGTHS, kind == "tagger")
    labels = torch.from_numpy(batch.targets[TARGETS[kind]])
    expected = cross_entropy(plain(to_tensors(batch, "cpu")), labels, reduction="sum")
    expected.backward()
    rows = parts.hidden(to_tensors(batch, "cpu")).numpy()
    assert len(rows) == (len(LENGTHS) if train == "head" and kind == "classifier" else sum(LENGTHS))
    given = type(batch)(batch.input_ids, batch.position_ids, batch.offsets, batch.token_type_ids, batch.targets, rows)
    gradients = dict(plain.model.named_parameters())
    trained = [id(parameter) for parameter in model.parameters() if parameter.requires_grad]
    assert [id(parameter) for parameter in parts.parameters() if parameter.requires_grad] == trained
    scale = max(float(parameter.grad.abs().max()) for parameter in gradients.values() if parameter.grad is not None)
    for each in (batch, given):  # computed by the frozen layers, and kept from them
        model.zero_grad()
        found = cross_entropy(parts(to_tensors(each, "cpu")), labels, reduction="sum")
        found.backward()
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
        for key, parameter in model.named_parameters():
            wanted = gradients[key].grad
            assert (parameter.grad is None) == (wanted is None), key
            if wanted is not None:
                assert (parameter.grad - wanted).abs().max() <= 1e-5 * max(float(wanted.abs().max()), 0.1 * scale), key


@supported
def test_a_cut_model_computes_what_its_kept_layers_compute(family, models, base, tmp_path):
    parent = import_base(base(models(family, "mlm")), tmp_path / "imported")
    cut = cut_layers(parent, (0, 2), tmp_path / "cut")
    loaded, info = AutoModelForMaskedLM.from_pretrained(cut.path, output_loading_info=True, attn_implementation="eager")
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    assert dimensions_of(cut.config).layers == loaded.config.num_hidden_layers == 2
    whole = AutoModelForMaskedLM.from_pretrained(parent.path, attn_implementation="eager").eval()
    if not family.shares_layers:
        body = whole.base_model
        kept = layers_of(body)
        body.set_submodule(family.layers, nn.ModuleList([kept[0], kept[2]]))
    whole.config.num_hidden_layers = 2  # where layers are shared, the one runs less often
    for name in family.per_layer:
        setattr(whole.config, name, [getattr(whole.config, name)[number] for number in (0, 2)])
    ids = torch.arange(5, 25)[None]
    with torch.no_grad():
        torch.testing.assert_close(loaded.eval()(ids).logits, whole(ids).logits, rtol=0, atol=0)


def test_a_type_that_nothing_is_known_of_gets_every_doubt():
    unknown = family_of({"model_type": "gpt-17"})
    assert unknown == family_of(type("Config", (), {"model_type": "gpt-17"})())
    assert (unknown.model_type, unknown.supported, unknown.divisible, unknown.head_by_position) == ("gpt-17", False, False, False)
    assert "not verified" in unknown.unpacked
    assert dimensions_of({"model_type": "gpt-17", "n_positions": 77}).positions == 77
    assert not family_of({"model_type": ["bert"]}).supported
    assert not family_of({}).supported


# Where a word of the table has another meaning, or stands for good.
ELSEWHERE = {
    ("cli/live.py", "dim"): "a style of the terminal",
    ("report/words/watched.py", "dim"): "a style of the terminal",
    ("cli/models.py", "bert"): "words of help",
    ("cli/models.py", "roberta"): "words of help",
    ("cli/models.py", "gpt2"): "an option's value",
    ("modeling/folder.py", "pooler"): "a part that a model's folder can carry, whatever an architecture calls it",
    **{
        ("modeling/shape.py", word): "the config.json of the two architectures that are made here from sizes"
        for word in (
            "bert", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "max_position_embeddings",
            "attention_probs_dropout_prob", "gpt2", "n_embd", "n_layer", "n_head", "n_inner", "n_positions", "attn_pdrop",
        )
    },
    **{
        ("modeling/sentence_modules.py", word): "in names of files that sentence-transformers writes"
        for word in ("albert", "bert", "camembert", "distilbert", "roberta", "xlm-roberta")
    },
}  # fmt: skip


@pytest.mark.measured(0)
def test_nothing_but_the_table_knows_an_architecture_by_name():
    words = {name for name in LARGEST if name != "vocab_size"}  # which all call so
    for family in FAMILIES:
        words |= {family.model_type, *family.renamed.values(), *family.per_layer, *family.above, *family.asked_of_layers, *family.below[1:]}
        words |= {family.attention_dropout, family.pooling, family.layers.rpartition(".")[2], family.last_linear.rpartition(".")[2]}
    words -= {"", "layer", "layers", "classifier", "score", "norm", "h"}
    ours = {name for name in vars(FAMILIES[0]) if name in words}  # family.pooler is the table's answer
    source = Path(acclimate.__file__).parent
    found = {}
    for file in sorted(source.rglob("*.py")):
        name = file.relative_to(source).as_posix()
        if name != "modeling/families.py":
            found |= {(name, word): line for word, line in words_in(file) if word in words and not (word in ours and line < 0)}
    assert {place: abs(line) for place, line in found.items() if place not in ELSEWHERE} == {}
    assert set(ELSEWHERE) <= set(found)


def words_in(file):
    """The words of a file's strings with their lines, and its attributes with minus theirs; docstrings and comments are prose."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield node.attr, -node.lineno
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            for word in re.split(r"[^\w-]+", node.value.lower()):
                yield word, node.lineno
