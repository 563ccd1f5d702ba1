import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.modeling.conftest import KINDS
from transformers import AutoModel, AutoModelForMaskedLM, AutoModelForSequenceClassification, AutoModelForTokenClassification, AutoTokenizer

from acclimate.errors import ModelError
from acclimate.modeling.folder import ModelFolder, save_model
from acclimate.modeling.head_settings import HeadSettings
from acclimate.modeling.heads import load_classifier, load_mlm, load_tagger, load_trained_classifier, load_trained_tagger
from acclimate.modeling.imported_base import import_base, random_base
from acclimate.modeling.source import resolve_base

pytestmark = pytest.mark.measured(0)

LABELS = ("no", "yes", "maybe")
LINEAR = HeadSettings()
INPUT = {"input_ids": torch.tensor([[2, 7, 9, 30, 3]])}
WITH_POOLER = ("albert", "bert", "camembert", "mpnet", "roberta", "xlm-roberta")


def disturb(model):
    """As if it had been trained: everything trainable moves."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.05 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1))
    return model


def with_pooler(tiny, name):
    """A masked language model's checkpoint that also has a pooler, as BERT's own on the hub have."""
    model, body = tiny(name, "mlm"), tiny(name, "base", seed=4)
    pooler = {f"{model.base_model_prefix}.{key}": value for key, value in body.state_dict().items() if key.startswith("pooler.")}
    return model, pooler


def import_with_pooler(tiny, base, tmp_path, name):
    model, pooler = with_pooler(tiny, name)
    source = base(model)
    weights = source.folder / "model.safetensors"
    save_file(load_file(weights) | pooler, weights, metadata={"format": "pt"})
    return import_base(resolve_base("base", source.folder.parent), tmp_path / "imported"), model, pooler


def same_model(plain, model):
    """Equal bits in every weight; answers may differ in their last one, as memory is aligned differently."""
    state = plain.state_dict()
    torch.testing.assert_close(answers(plain), answers(model), rtol=1e-5, atol=1e-6)
    return state.keys() == model.state_dict().keys() and all(torch.equal(state[key], value) for key, value in model.state_dict().items())


def answers(model, logits=True):
    model.eval()
    with torch.no_grad():
        return model(**INPUT).logits if logits else model(**INPUT)


@pytest.mark.parametrize("name", KINDS)
def test_a_masked_language_model_is_imported_bit_for_bit(name, tiny, base, tmp_path):
    model = tiny(name, "mlm")
    folder = import_base(base(model), tmp_path / "imported")
    assert {"encoder", "mlm"} <= folder.parts
    assert "classifier" not in folder.parts
    loaded, fresh = load_mlm(folder, seed=0)
    assert not fresh
    assert torch.equal(answers(loaded), answers(model))
    assert same_model(AutoModelForMaskedLM.from_pretrained(folder.path), model)


@pytest.mark.parametrize("name", WITH_POOLER)
def test_a_missing_pooler_is_not_invented(name, tiny, base, tmp_path):
    assert "pooler" not in import_base(base(tiny(name, "mlm")), tmp_path / "imported").parts


@pytest.mark.parametrize("name", KINDS)
def test_a_body_alone_gets_a_fresh_head_tied_to_its_embeddings(name, tiny, base, tmp_path):
    folder = import_base(base(tiny(name, "base")), tmp_path / "imported")
    assert ("pooler" in folder.parts) == (name in WITH_POOLER)
    assert "mlm" not in folder.parts
    model, fresh = load_mlm(folder, seed=0)
    assert fresh
    if name != "deberta-v2":
        assert model.get_output_embeddings().weight is model.get_input_embeddings().weight
    assert torch.equal(model.base_model(**INPUT).last_hidden_state, tiny(name, "base")(**INPUT).last_hidden_state)


@pytest.mark.parametrize("name", WITH_POOLER)
def test_the_pooler_survives_a_masked_language_modelling_stage_bit_for_bit(name, tiny, base, tmp_path):
    folder, _, pooler = import_with_pooler(tiny, base, tmp_path, name)
    assert folder.parts == {"encoder", "pooler", "mlm"}
    model = disturb(load_mlm(folder, seed=0)[0])
    after = save_model(tmp_path / "pretrained", folder, model)
    assert after.parts == {"encoder", "pooler", "mlm"}
    tensors = after.tensors()
    assert pooler
    assert all(torch.equal(tensors[key], value) for key, value in pooler.items())
    assert same_model(AutoModelForMaskedLM.from_pretrained(after.path), model)


@pytest.mark.parametrize("name", KINDS)
def test_the_mlm_head_survives_fine_tuning_bit_for_bit(name, tiny, base, tmp_path):
    folder = import_base(base(tiny(name, "mlm")), tmp_path / "imported")
    names = folder.architecture.mlm_names
    before = {key: folder.tensors_for("mlm")[key] for key in names}
    model = disturb(load_classifier(folder, LABELS, LINEAR, 0, None))
    after = save_model(tmp_path / "tuned", folder, model)
    assert {"encoder", "mlm", "classifier"} <= after.parts
    kept = after.tensors_for("mlm")
    assert before
    assert all(torch.equal(kept[key], before[key]) for key in names)
    again, fresh = load_mlm(after, seed=9)
    assert not fresh
    assert all(torch.equal(again.state_dict()[key], before[key]) for key in names)
    # And the body is the fine-tuned one.
    assert torch.equal(again.base_model(**INPUT).last_hidden_state, model.base_model(**INPUT).last_hidden_state)
    assert same_model(AutoModelForSequenceClassification.from_pretrained(after.path), model)
    assert torch.equal(answers(load_trained_classifier(after)), answers(model))


@pytest.mark.parametrize("name", KINDS)
def test_the_classifier_survives_pretraining_after_it(name, tiny, base, tmp_path):
    folder = import_base(base(tiny(name, "mlm")), tmp_path / "imported")
    tuned = save_model(tmp_path / "tuned", folder, disturb(load_classifier(folder, LABELS, LINEAR, 0, None)))
    classifier = {key: tuned.tensors_for("classifier")[key] for key in tuned.architecture.head_names("classifier")}
    after = save_model(tmp_path / "again", tuned, disturb(load_mlm(tuned, seed=0)[0]))
    assert after.labels == LABELS
    state = load_trained_classifier(after).state_dict()
    assert all(torch.equal(state[key], value) for key, value in classifier.items())
    assert "mlm" in after.parts


def test_bert_loads_as_each_of_its_classes_with_the_parts_it_carries(tiny, base, tmp_path):
    folder, _, pooler = import_with_pooler(tiny, base, tmp_path, "bert")
    mlm = disturb(load_mlm(folder, seed=0)[0])
    pretrained = save_model(tmp_path / "pretrained", folder, mlm)
    classifier = disturb(load_classifier(pretrained, LABELS, LINEAR, 0, None))
    tuned = save_model(tmp_path / "tuned", pretrained, classifier)
    assert tuned.parts == {"encoder", "pooler", "mlm", "classifier"}
    expected = {"AutoModel": set(), "AutoModelForMaskedLM": set(), "AutoModelForSequenceClassification": set()}
    for auto in (AutoModel, AutoModelForMaskedLM, AutoModelForSequenceClassification):
        _, info = auto.from_pretrained(tuned.path, output_loading_info=True)
        assert set(info["missing_keys"]) == expected[auto.__name__]
    whole = AutoModel.from_pretrained(pretrained.path)
    assert type(whole).__name__ == "BertModel"
    assert torch.equal(whole.pooler.dense.weight, pooler["bert.pooler.dense.weight"])
    assert torch.equal(whole.encoder.layer[0].output.dense.weight, mlm.bert.encoder.layer[0].output.dense.weight)
    head = AutoModelForMaskedLM.from_pretrained(tuned.path).cls.state_dict()
    assert all(torch.equal(value, mlm.cls.state_dict()[key]) for key, value in head.items() if "decoder.weight" not in key)
    assert AutoModelForSequenceClassification.from_pretrained(tuned.path).config.id2label == {0: "no", 1: "yes", 2: "maybe"}


def test_a_deeper_head_is_restored_and_replaced_whole(tiny, base, tmp_path):
    folder = import_base(base(tiny("roberta", "mlm")), tmp_path / "imported")
    deep = HeadSettings(layers=3, hidden=11, dropout=0.2)
    model = disturb(load_classifier(folder, LABELS, deep, 0, None))
    tuned = save_model(tmp_path / "tuned", folder, model)
    assert tuned.head == {"layers": 3, "hidden": 11, "dropout": 0.2}
    assert torch.equal(answers(load_trained_classifier(tuned)), answers(model))
    linear = load_classifier(tuned, ("a", "b"), LINEAR, 0, None)
    after = save_model(tmp_path / "linear", tuned, linear)
    assert after.head is None
    assert after.labels == ("a", "b")
    assert not [name for name in after.names if ".0." in name and name.startswith("classifier")]
    assert torch.equal(answers(load_trained_classifier(after)), answers(linear))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_checkpoints_become_float32(dtype, tiny, base, tmp_path):
    model = tiny("bert", "mlm").to(dtype)
    folder = import_base(base(model), tmp_path / "imported")
    assert {tensor.dtype for tensor in folder.tensors().values()} == {torch.float32}
    for loaded in (load_mlm(folder, 0)[0], load_classifier(folder, LABELS, LINEAR, 0, None)):
        assert {parameter.dtype for parameter in loaded.parameters()} == {torch.float32}
    assert torch.equal(folder.tensors()["bert.embeddings.word_embeddings.weight"], model.bert.embeddings.word_embeddings.weight.float())
    assert AutoModel.from_pretrained(folder.path).dtype == torch.float32


def test_the_classifier_of_a_base_is_left_out_and_the_user_told(tiny, base, tmp_path):
    folder = import_base(base(tiny("bert", "classifier")), tmp_path / "imported")
    assert folder.parts == {"encoder", "pooler"}
    assert folder.labels == ()
    assert "id2label" not in folder.config
    assert any("classifier" in note for note in folder.notes)


def test_a_checkpoint_without_some_layer_is_refused(tiny, base, tmp_path):
    source = base(tiny("bert", "mlm"))
    weights = source.folder / "model.safetensors"
    tensors = {name: tensor for name, tensor in load_file(weights).items() if ".layer.1." not in name}
    save_file(tensors, weights, metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"16 tensors.*bert\.encoder\.layer\.1"):
        import_base(resolve_base("base", tmp_path), tmp_path / "imported")


def test_weights_that_do_not_fit_the_config_are_refused(tiny, base, tmp_path):
    source = base(tiny("bert", "mlm"))
    config = source.folder / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"intermediate_size": 30}))
    with pytest.raises(ModelError, match="do not fit"):
        import_base(resolve_base("base", tmp_path), tmp_path / "imported")


def test_a_tokenizer_with_more_words_than_the_model_has_is_refused(tiny, base, tmp_path):
    source = base(tiny("bert", "mlm"), vocabulary=61)
    with pytest.raises(ModelError, match="largest token id is 60, but the model has 60"):
        import_base(source, tmp_path / "imported")


def test_the_tokenizer_neither_pads_nor_truncates(tiny, base, tmp_path):
    folder = import_base(base(tiny("bert", "mlm")), tmp_path / "imported")
    text = " ".join(f"w{number}" for number in range(20))
    assert len(folder.tokenizer().encode(text).ids) == 22
    stored = json.loads(folder.tokenizer_file.read_text())
    assert stored["padding"] is None
    assert stored["truncation"] is None
    assert len(AutoTokenizer.from_pretrained(folder.path)(text)["input_ids"]) == 22
    assert [len(row.ids) for row in folder.tokenizer().encode_batch(["w1", "w1 w2"])] == [3, 4]


def test_random_keeps_architecture_and_tokenizer_and_nothing_of_the_weights(tiny, base, tmp_path):
    source = base(tiny("bert", "mlm"))
    imported = import_base(source, tmp_path / "imported")
    one, same, other = (random_base(source, tmp_path / f"r{number}", seed) for number, seed in enumerate((1, 1, 2)))
    assert one.parts == {"encoder", "pooler", "mlm"}
    assert one.tokenizer_file.read_bytes() == imported.tokenizer_file.read_bytes()
    first, again, another, pretrained = (folder.tensors() for folder in (one, same, other, imported))
    assert all(torch.equal(first[name], again[name]) for name in first)
    for name in ("bert.encoder.layer.0.output.dense.weight", "bert.embeddings.word_embeddings.weight"):
        assert not torch.equal(first[name], another[name])
        assert not torch.equal(first[name], pretrained[name])


def test_loading_and_importing_leave_the_global_generator_alone(tiny, base, tmp_path):
    source = base(tiny("bert", "base"))
    torch.manual_seed(7)
    before = torch.get_rng_state()
    folder = import_base(source, tmp_path / "imported")
    random_base(source, tmp_path / "random", 0)
    load_mlm(folder, 0)
    load_classifier(folder, LABELS, LINEAR, 0, None)
    assert torch.equal(torch.get_rng_state(), before)


def test_sharded_weights_are_imported(tiny, base, tmp_path):
    model = tiny("bert", "mlm")
    source = base(model)
    (source.folder / "model.safetensors").unlink()
    model.save_pretrained(source.folder, max_shard_size="10KB")
    assert len(list(source.folder.glob("model-*.safetensors"))) > 1
    folder = import_base(resolve_base("base", tmp_path), tmp_path / "imported")
    assert torch.equal(answers(load_mlm(folder, 0)[0]), answers(model))


def test_a_folder_is_the_same_however_often_it_is_written(tiny, base, tmp_path):
    source = base(tiny("modernbert", "mlm"))
    paths = [import_base(source, tmp_path / name).path for name in ("a", "b")]
    for file in sorted(paths[0].iterdir()):
        assert file.read_bytes() == (paths[1] / file.name).read_bytes(), file.name


def test_a_folder_without_classifier_cannot_predict(tiny, base, tmp_path):
    folder = import_base(base(tiny("bert", "mlm")), tmp_path / "imported")
    with pytest.raises(ModelError, match="no classifier"):
        load_trained_classifier(ModelFolder(folder.path))


@pytest.mark.parametrize("name", KINDS)
def test_a_tagger_is_told_from_a_classifier_and_the_head_for_masked_words_survives_it(name, tiny, base, tmp_path):
    folder = import_base(base(tiny(name, "mlm")), tmp_path / "imported")
    names = folder.architecture.mlm_names
    before = {key: folder.tensors_for("mlm")[key] for key in names}
    classified = save_model(tmp_path / "classified", folder, disturb(load_classifier(folder, ("x", "y"), LINEAR, 0, None)))
    model = disturb(load_tagger(classified, LABELS, LINEAR, 0, None))
    tagged = save_model(tmp_path / "tagged", classified, model, max_length=40, stride=7)
    assert (tagged.learnt, tagged.labels) == ("tagger", LABELS)
    assert {"mlm", "tagger"} <= tagged.parts
    assert "classifier" not in tagged.parts
    assert [tagged.config[key] for key in ("acclimate_form", "acclimate_stride", "acclimate_max_length")] == ["tokens", 7, 40]
    assert "problem_type" not in tagged.config
    kept = tagged.tensors_for("mlm")
    assert all(torch.equal(kept[key], before[key]) for key in names)
    assert same_model(AutoModelForTokenClassification.from_pretrained(tagged.path), model)
    assert torch.equal(answers(load_trained_tagger(tagged)), answers(model))
    with pytest.raises(ModelError, match="no classifier"):
        load_trained_classifier(tagged)
    # Pretrained again, it still knows its tags.
    after = save_model(tmp_path / "again", tagged, disturb(load_mlm(tagged, seed=0)[0]))
    assert (after.learnt, after.labels) == ("tagger", LABELS)
    heads = after.architecture.head_names("tagger")
    state = load_trained_tagger(after).state_dict()
    assert all(torch.equal(state[key], model.state_dict()[key]) for key in heads)
    # And a classifier in its place is one again.
    again = save_model(tmp_path / "classifier again", after, disturb(load_classifier(after, LABELS, LINEAR, 0, None)))
    assert again.learnt == "classifier"
    assert not {"acclimate_form", "acclimate_stride"} & again.config.keys()
    assert same_model(AutoModelForSequenceClassification.from_pretrained(again.path), load_trained_classifier(again))
    with pytest.raises(ModelError, match="no tagger"):
        load_trained_tagger(again)


@pytest.mark.parametrize("name", ["roberta", "modernbert"])
def test_a_deeper_head_of_a_tagger_is_kept_and_drawn_from_the_seed_alone(name, tiny, base, tmp_path):
    folder = import_base(base(tiny(name, "mlm")), tmp_path / "imported")
    deep = HeadSettings(layers=2, hidden=7)
    one, two = load_tagger(folder, LABELS, deep, 0, None), load_tagger(folder, LABELS, deep, 0, None)
    assert all(torch.equal(value, two.state_dict()[key]) for key, value in one.state_dict().items())
    tagged = save_model(tmp_path / "tagged", folder, disturb(one))
    assert tagged.head == {"layers": 2, "hidden": 7, "dropout": 0.1}
    assert torch.equal(answers(load_trained_tagger(tagged)), answers(one))


def test_a_tagger_that_transformers_saved_is_one(tiny, base):
    folder = ModelFolder(base(tiny("bert", "tagger")).folder)
    assert (folder.learnt, len(folder.labels)) == ("tagger", 3)
    assert torch.equal(answers(load_trained_tagger(folder)), answers(tiny("bert", "tagger")))
