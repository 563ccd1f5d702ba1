"""A config.json or tokenizer.json from anywhere: what cannot be is refused before memory or time is spent, and never with a traceback."""

import json
from contextlib import suppress

import pytest
from pydantic import ValidationError

from acclimate.errors import ModelError
from acclimate.modeling import source as source_module
from acclimate.modeling.architecture import Architecture
from acclimate.modeling.imported_base import import_base
from acclimate.modeling.shape import Shape
from acclimate.modeling.source import new_source, resolve_base


@pytest.fixture
def bert(tiny, base):
    return base(tiny("bert", "mlm"))


def edited(folder, **changes):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))
    return resolve_base(folder.name, folder.parent)


@pytest.mark.parametrize("value", ["768", 768.0, True, [768], {"a": 1}, -1, 10**6 * 10**6, 10**30, "nan"])
@pytest.mark.parametrize("name", ["hidden_size", "num_hidden_layers", "vocab_size", "max_position_embeddings", "num_attention_heads"])
def test_a_size_that_is_no_size_is_named(name, value, bert):
    with pytest.raises(ModelError, match=rf"config\.json: {name} is .*(whole number is wanted|it can be)"):
        edited(bert.folder, **{name: value})


def test_what_an_architecture_is_made_of_is_found_out_once_for_all_folders_of_one_configuration(bert, monkeypatch):
    edited(bert.folder, hidden_dropout_prob=0.123)
    first = Architecture.of(bert.folder)
    seen = {kind: (first.class_name(kind), first.head_names(kind)) for kind in ("mlm", "classifier", "tagger")}
    built, build = [], Architecture.build
    monkeypatch.setattr(Architecture, "build", lambda *asked: built.append(asked) or build(*asked))
    again = Architecture.of(bert.folder)
    assert seen == {kind: (again.class_name(kind), again.head_names(kind)) for kind in seen}
    assert not built
    edited(bert.folder, hidden_dropout_prob=0.124)
    Architecture.of(bert.folder)
    assert len(built) == 1


def test_a_model_smaller_than_its_weights_is_not_cut_without_a_word(bert, tmp_path):
    with pytest.raises(ModelError, match=r"more layers than the 2 of its config\.json .*layers_of"):
        import_base(edited(bert.folder, num_hidden_layers=2), tmp_path / "out")


@pytest.mark.parametrize(
    "labels", [{"num_labels": 10**9}, {"id2label": {"a": "b"}}, {"id2label": 3}, {"problem_type": "none"}, {"label2id": []}]
)
def test_the_labels_of_a_base_are_never_looked_at(labels, bert, tmp_path):
    assert import_base(edited(bert.folder, **labels), tmp_path / "out").labels == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"model_type": "bert", "x": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested too deeply"),
        ('{"model_type": "bert", "x": ' + "[" * 80 + "]" * 80 + "}", "nested too deeply"),
        ('{"model_type": "bert", "layer_norm_eps": NaN}', "NaN is no JSON"),
        ('{"model_type": "bert", "layer_norm_eps": -Infinity}', "Infinity is no JSON"),
        ('["model_type"]', "not a JSON object"),
        ("", "cannot be read as JSON"),
        ('{"model_type": "bert", "hidden_size": ' + "9" * 10_000 + "}", "cannot be read as JSON"),
        ('{"model_type": ["bert"]}', r"model type \['bert'\] is not supported"),
        ('{"model_type": {"bert": 1}}', "is not supported"),
    ],
)
def test_an_odd_config_is_an_error_of_ours(text, message, bert):
    (bert.folder / "config.json").write_text(text)
    with pytest.raises(ModelError, match=message):
        resolve_base(bert.folder.name, bert.folder.parent)


@pytest.mark.parametrize(
    "changes",
    [
        {"transformers_weights": "other.safetensors"},
        {"quantization_config": {"quant_method": "gptq"}},
        {"attn_implementation": "somebody/kernel"},
        {"_attn_implementation": "somebody/kernel"},
    ],
)
def test_what_would_load_something_else_is_refused(changes, bert):
    with pytest.raises(ModelError, match=rf"{next(iter(changes))}"):
        edited(bert.folder, **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"hidden_act": "no such function"},
        {"hidden_act": 3},
        {"layer_norm_eps": "small"},
        {"hidden_dropout_prob": 5},
        {"hidden_dropout_prob": "none"},
        {"pad_token_id": 10_000},
        {"initializer_range": [1]},
        {"chunk_size_feed_forward": "x"},
        {"is_decoder": "perhaps"},
        {"architectures": 3},
        {"dtype": "no such type"},
        {"torch_dtype": 7},
        {"tie_word_embeddings": "no"},
        {"problem_type": 1, "return_dict": 3},
    ],
)
def test_a_setting_that_the_library_trips_over_is_an_error_of_ours(changes, bert, tmp_path):
    source = edited(bert.folder, **changes)
    with suppress(ModelError):  # some of them it does not mind
        import_base(source, tmp_path / "out")


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"model": ' * 50_000, "{}", "", "null", '{"version": "1.0", "model": {"type": "X"}}', "\x00" * 1000]
)
def test_an_odd_tokenizer_is_an_error_of_ours(text, bert, tmp_path):
    (bert.folder / "tokenizer.json").write_text(text)
    with pytest.raises(ModelError, match="not a fast tokenizer"):
        import_base(resolve_base(bert.folder.name, bert.folder.parent), tmp_path / "out")
    with pytest.raises(ModelError, match="not a fast tokenizer"):
        new_source(Shape(layers=1, hidden=8, heads=2), str(bert.folder), tmp_path)


@pytest.mark.parametrize("sizes", [{"layers": 10**6}, {"hidden": 10**9, "heads": 1}, {"positions": 10**9}, {"feed_forward": 10**9}])
def test_sizes_of_a_new_model_are_bounded(sizes):
    with pytest.raises(ValidationError, match="less than or equal to"):
        Shape.model_validate({"layers": 1, "hidden": 8, "heads": 2} | sizes)


def test_a_new_model_larger_than_any_machine_is_refused(bert, monkeypatch):
    monkeypatch.setattr(source_module, "MOST_PARAMETERS", 1000)
    with pytest.raises(ModelError, match=r"random: 1 layer of 64 with a vocabulary of 60 are [\d,]+ parameters, more than the 1,000"):
        new_source(Shape(layers=1, hidden=64, heads=2), str(bert.folder), bert.folder.parent)
