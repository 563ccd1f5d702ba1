"""Zero-shot answers are those of transformers' pipeline on the same model, and what cannot be asked is refused in words."""

import inspect
import json

import numpy as np
import pytest
from tests.modeling.conftest import VOCABULARY, build_tiny
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from acclimate import load_predictor
from acclimate.errors import ModelError, SettingsError
from acclimate.evaluation.zero_shot_predictor import load_zero_shot
from acclimate.modeling.base_files import CONFIG
from acclimate.modeling.baselines.majority_model import MajorityModel
from acclimate.modeling.folder import ModelFolder
from acclimate.modeling.hypotheses import Hypotheses, check_template, entailment_column, with_hypotheses
from acclimate.modeling.source import classifier_names, resolve_base
from acclimate.modeling.trained_base import import_trained

FAMILIES = ("albert", "bert", "deberta-v2", "distilbert", "electra", "modernbert", "roberta", "xlm-roberta")
NAMES = ("contradiction", "neutral", "entailment")
LABELS = ("w1", "w2 w3", "w9")
TEMPLATE = "w7 w8 {} w5"
# Of all lengths, one of them far too long: 40 tokens are all that these models read.
TEXTS = ["w10 w11 w12", "w20", " ".join(f"w{20 + number % 30}" for number in range(90)), "w4 w30 w31 w5 w44", "w1 w2 w3"]


def pair_tokenizer(doubled=False):
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"w{n}" for n in range(VOCABULARY - 5))]
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens(words[:5])
    pair = "[CLS] $A [SEP] [SEP] $B [SEP]" if doubled else "[CLS] $A [SEP] $B:1 [SEP]:1"
    tokenizer.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", pair, special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return tokenizer


def nli_model(folder, family="bert", names=NAMES, limit=40):
    """A model of inference as plain transformers saves one."""
    model = build_tiny(family, "classifier", num_labels=len(names))
    if names:
        model.config.id2label = dict(enumerate(names))
        model.config.label2id = {name: number for number, name in enumerate(names)}
    model.save_pretrained(folder)
    pair_tokenizer("roberta" in family).save(str(folder / "tokenizer.json"))
    takes = inspect.signature(model.forward).parameters
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": limit, "pad_token": "[PAD]", "cls_token": "[CLS]",
        "sep_token": "[SEP]", "mask_token": "[MASK]", "unk_token": "[UNK]",
        "model_input_names": [name for name in ("input_ids", "token_type_ids", "attention_mask") if name in takes],
    }  # fmt: skip
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder


def by_transformers(folder, texts, labels, template, several=False):
    """[N, L] as the pipeline says."""
    from transformers import pipeline

    ask = pipeline("zero-shot-classification", model=str(folder), device="cpu")
    found = []
    for text in texts:
        said = ask(text, candidate_labels=list(labels), hypothesis_template=template, multi_label=several)
        found.append([dict(zip(said["labels"], said["scores"], strict=True))[label] for label in labels])
    return np.array(found)


@pytest.mark.measured(1)
@pytest.mark.parametrize("family", FAMILIES)
def test_probabilities_equal_those_of_the_pipeline(family, tmp_path):
    folder = nli_model(tmp_path / "nli", family)
    config = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps(config | {"acclimate_max_length": 40}))
    for several in (False, True):
        ours = load_zero_shot(folder, LABELS, TEMPLATE, several=several, max_tokens=100).probabilities(TEXTS)
        np.testing.assert_allclose(ours, by_transformers(folder, TEXTS, LABELS, TEMPLATE, several), atol=1e-5)
        assert np.ptp(ours) > 1e-3, "an answer that never changes would equal anything"


def test_a_single_label_is_judged_by_itself_as_the_pipeline_does(tmp_path):
    folder = nli_model(tmp_path / "nli")
    model = load_zero_shot(folder, ["w1"], TEMPLATE)
    assert model.link == "sigmoid"
    np.testing.assert_allclose(model.probabilities(TEXTS[:2]), by_transformers(folder, TEXTS[:2], ["w1"], TEMPLATE), atol=1e-5)


@pytest.mark.parametrize("names", [("entailment", "not_entailment"), ("Entails", "Neutral", "Contradicts")])
def test_what_says_that_a_hypothesis_follows_is_found_by_its_name(names, tmp_path):
    folder = nli_model(tmp_path / "nli", names=names)
    for several in (False, True):
        ours = load_zero_shot(folder, LABELS, several=several).probabilities(TEXTS[:2])
        theirs = by_transformers(folder, TEXTS[:2], LABELS, "This text is about {}.", several)
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize("names", [("neutral", "entailment", "contradiction"), ("entailment", "Contradicts", "neutral")])
def test_what_speaks_against_a_hypothesis_is_its_contradiction_where_one_is_named(names, tmp_path):
    # transformers' pipeline takes the first label, or the last, which here is the neutral one.
    folder = nli_model(tmp_path / "nli", names=names)
    for several, same in ((False, True), (True, False)):
        ours = load_zero_shot(folder, LABELS, TEMPLATE, several=several).probabilities(TEXTS[:2])
        theirs = by_transformers(folder, TEXTS[:2], LABELS, TEMPLATE, several)
        assert np.allclose(ours, theirs, atol=1e-5) == same
    assert Hypotheses(LABELS).columns(names) == ((2, 1) if names[0] == "neutral" else (1, 0))


@pytest.mark.parametrize("names", [NAMES, NAMES[::-1], ("contradiction", "entailment", "neutral"), ("not_entailment", "entailment")])
def test_in_the_usual_orders_that_is_what_the_pipeline_takes(names):
    against, follows = Hypotheses(LABELS).columns(names)
    assert against == (len(names) - 1 if follows == 0 else 0), "as ZeroShotClassificationPipeline.postprocess"


def test_labels_without_a_meaning_are_listed_with_the_setting_that_names_one():
    with pytest.raises(SettingsError, match=r"its labels are LABEL_0, LABEL_1, LABEL_2; name it with `entailment:`"):
        entailment_column(("LABEL_0", "LABEL_1", "LABEL_2"))
    assert entailment_column(("LABEL_0", "LABEL_1", "LABEL_2"), "LABEL_2") == 2
    assert entailment_column(("a", "b"), "B") == 1
    with pytest.raises(SettingsError, match=r"entailment: the model has no label 'LABEL_5'; its labels are LABEL_0, LABEL_1"):
        entailment_column(("LABEL_0", "LABEL_1"), "LABEL_5")
    with pytest.raises(SettingsError, match=r"more than one label begins with 'entail'.*its labels are entailment, entails, other"):
        entailment_column(("entailment", "entails", "other"))
    with pytest.raises(SettingsError, match="its labels are entailment"):
        entailment_column(("entailment",))


@pytest.mark.parametrize(
    ("template", "said"),
    [("about", "no place"), ("{} or {}", "2 places"), ("about {label}", "the place {label}"), ("{", "cannot be read"), ("{:>9}", "place")],
)
def test_a_template_has_one_place_for_a_label(template, said):
    with pytest.raises(SettingsError, match=f"template: .*{said}"):
        check_template(template)


def test_a_template_may_hold_braces_of_its_own_and_anything_else():
    for template in ("{}", "{0} it is", "{{x}} {}", "Ein Text über „{}“."):
        check_template(template)


def test_words_for_labels_that_there_are_not_and_two_labels_of_the_same_words_are_refused(tmp_path):
    folder = nli_model(tmp_path / "nli")
    with pytest.raises(SettingsError, match=r"names: 'w3' is no label of the task; the labels are a1, b2"):
        load_zero_shot(folder, ["a1", "b2"], names={"w3": "x"})
    with pytest.raises(SettingsError, match="names: 'a1' and 'b2' are both 'b2'"):
        load_zero_shot(folder, ["a1", "b2"], names={"a1": "b2"})
    with pytest.raises(SettingsError, match="labels: 'a' stands there twice"):
        load_zero_shot(folder, ["a", "b", "a"])
    for none in ([], [" "]):
        with pytest.raises(SettingsError, match="labels: there is none, or one is empty"):
            load_zero_shot(folder, none)
    with pytest.raises(SettingsError, match="names: there are no words for 'a1'"):
        load_zero_shot(folder, ["a1", "b2"], names={"a1": " "})
    with pytest.raises(TypeError, match="one text stands where several are wanted"):
        load_zero_shot(str(folder), ["a1", "b2"]).probabilities("w1 w2")
    with pytest.raises(SettingsError, match="a list of texts is wanted"):
        load_zero_shot(folder, "a, b")


def test_the_words_stand_in_the_template_and_the_labels_in_the_answer(tmp_path):
    folder = nli_model(tmp_path / "nli")
    model = load_zero_shot(folder, ["x", "y"], TEMPLATE, names={"x": "w1", "y": "w9 w2"})
    assert model.labels == ("x", "y")
    np.testing.assert_allclose(model.probabilities(TEXTS), load_zero_shot(folder, ["w1", "w9 w2"], TEMPLATE).probabilities(TEXTS))


def test_a_hypothesis_is_never_cut(tmp_path):
    folder = nli_model(tmp_path / "nli")
    with pytest.raises(SettingsError, match="max_length: of 48 tokens the longest hypothesis takes 53 with its special ones"):
        load_zero_shot(folder, ["w1", " ".join(["w2"] * 49)], "{}!").probabilities(TEXTS)


def test_a_model_without_a_classifier_or_one_that_judges_nothing_is_refused(tmp_path):
    build_tiny("bert", "base").save_pretrained(tmp_path / "base")
    pair_tokenizer().save(str(tmp_path / "base" / "tokenizer.json"))
    with pytest.raises(ModelError, match="has no trained classifier, and zero-shot asks one of natural language inference"):
        load_zero_shot(tmp_path / "base", LABELS)
    with pytest.raises(SettingsError, match=r"nli: no label of the model begins with 'entail'.*its labels are sport, trade"):
        load_zero_shot(nli_model(tmp_path / "nli", names=("sport", "trade")), LABELS)
    MajorityModel(("a", "b"), (0.5, 0.5)).save(tmp_path / "plain")
    with pytest.raises(ModelError, match="plain: this is a plain baseline, and zero-shot asks a transformer"):
        load_zero_shot(tmp_path / "plain", LABELS)
    assert classifier_names(resolve_base(str(tmp_path / "base"), tmp_path)) == ()
    assert classifier_names(resolve_base(str(tmp_path / "nli"), tmp_path)) == ("sport", "trade")


@pytest.mark.measured(1)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_base_that_keeps_its_classifier_gives_the_same_answers_and_its_other_parts(family, tmp_path):
    folder = nli_model(tmp_path / "nli", family)
    kept = import_trained(resolve_base(str(folder), tmp_path), tmp_path / "kept")
    assert kept.labels == NAMES
    assert "classifier" in kept.parts
    for several in (False, True):
        asked = {"template": TEMPLATE, "several": several}
        np.testing.assert_array_equal(
            load_zero_shot(kept.path, LABELS, **asked).probabilities(TEXTS), load_zero_shot(folder, LABELS, **asked).probabilities(TEXTS)
        )


def test_what_is_handed_over_answers_by_itself_and_in_the_plain_pipeline_whatever_its_labels_were_called(tmp_path):
    folder = nli_model(tmp_path / "nli", names=("LABEL_0", "LABEL_1", "LABEL_2"))
    hypotheses = Hypotheses(LABELS, TEMPLATE, {"w9": "w8 w9"}, "LABEL_1")
    with_hypotheses(folder, tmp_path / "best", hypotheses, ModelFolder(folder).labels, 40)
    model = load_predictor(tmp_path / "best")
    assert model.labels == LABELS
    expected = load_zero_shot(folder, LABELS, TEMPLATE, {"w9": "w8 w9"}, "LABEL_1", max_tokens=50).probabilities(TEXTS[:2])
    np.testing.assert_allclose(model.probabilities(TEXTS[:2]), expected, atol=1e-6)
    said = json.loads((tmp_path / "best" / CONFIG).read_text())["acclimate_zero_shot"]
    assert said == {
        "template": TEMPLATE, "labels": list(LABELS), "names": {"w9": "w8 w9"}, "entailment": "entailment", "several": False,
    }  # fmt: skip
    words = [said["names"].get(label, label) for label in said["labels"]]
    np.testing.assert_allclose(model.probabilities(TEXTS), by_transformers(tmp_path / "best", TEXTS, words, TEMPLATE), atol=1e-5)


@pytest.mark.parametrize("broken", [{}, {"labels": ["a"], "template": "no place"}, "text", {"labels": [1]}])
def test_damaged_hypotheses_are_said_to_be_so(broken, tmp_path):
    folder = nli_model(tmp_path / "nli")
    config = json.loads((folder / CONFIG).read_text())
    whole = {"template": TEMPLATE, "labels": ["a"], "names": {}, "entailment": None, "several": False}
    damaged = {**whole, **broken} if isinstance(broken, dict) and broken else broken
    (folder / CONFIG).write_text(json.dumps(config | {"acclimate_zero_shot": damaged}))
    with pytest.raises(ModelError, match=r"config\.json: acclimate_zero_shot is damaged"):
        load_predictor(folder)
