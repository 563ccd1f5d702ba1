"""A folder that gives labels by their words answers as plain transformers does by the code on its card, and says what it is."""

import contextlib
import inspect
import io
import json

import numpy as np
import pytest
from tests.modeling.conftest import build_tiny
from tests.stages.test_zero_shot import pair_tokenizer

from acclimate import load_predictor
from acclimate.errors import ModelError, SettingsError
from acclimate.evaluation.stated import kind_of_model
from acclimate.modeling.base_files import CONFIG, KIND, TEMPLATE
from acclimate.modeling.folder import ModelFolder, save_model
from acclimate.modeling.head_settings import HeadSettings
from acclimate.modeling.heads import load_asked, load_classifier, load_mlm
from acclimate.modeling.imported_base import import_base
from acclimate.modeling.label_words import Cloze
from acclimate.modeling.source import resolve_base
from acclimate.report.pages import cloze_use
from acclimate.stages.asking import Asked

LABELS = ("x", "y", "z")
NAMES = {"x": ("w1",), "y": ("w2", "w9"), "z": ("w30",)}
LENGTH = 16
TEXTS = ["w10 w11 w12", "w20", " ".join(f"w{20 + number % 30}" for number in range(90))]
OTHERS = [" ".join(f"w{40 - number % 30}" for number in range(50)), "w4 w30 w31", "w1 w2 w3"]


def handed_over(folder, template, texts, family="bert"):
    """A masked language model that was asked for words, as a stage writes it."""
    model = build_tiny(family, "mlm")
    model.save_pretrained(folder / "base")
    pair_tokenizer("roberta" in family).save(str(folder / "base" / "tokenizer.json"))
    inputs = [name for name in ("input_ids", "token_type_ids", "attention_mask") if name in inspect.signature(model.forward).parameters]
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 40, "model_input_names": inputs}
    (folder / "base" / "tokenizer_config.json").write_text(json.dumps(settings))
    base = import_base(resolve_base(str(folder / "base"), folder), folder / "imported")
    asked = Asked.of(Cloze(LABELS, template, NAMES, texts), base)
    saved = save_model(folder / "best", base, load_asked(base, asked.tokens.words, 0.0), LENGTH, asked=asked.written)
    (folder / "best" / CONFIG).write_text(json.dumps(saved.config | {KIND: "pair" if texts == 2 else "classify"}))
    return folder / "best"


def by_the_card(folder, text, other, monkeypatch, use="plain_use"):
    """What the code on the card prints for these texts."""
    config = json.loads((folder / CONFIG).read_text())
    code = cloze_use.told_of(config[TEMPLATE], config["acclimate_max_length"])[use]
    for example, said in (("a text to label", text), ("the first text", text), ("the second text", other)):
        code = code.replace(json.dumps(example), json.dumps(said))
    monkeypatch.chdir(folder)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(code, {})
    return printed.getvalue().strip()


@pytest.mark.measured(1)
@pytest.mark.parametrize(
    ("family", "template", "texts"),
    [
        ("bert", "{text} w5 {mask} w6", 1), ("roberta", "w5 {mask} {text}", 1), ("modernbert", "w7 {text} {mask}", 1),
        ("bert", "{text} w5 {mask} , {text_b}", 2), ("deberta-v2", "{text_b} {mask} w4 {text}", 2),
    ],
)  # fmt: skip
def test_answers_equal_those_of_plain_transformers_by_the_card(family, template, texts, tmp_path, monkeypatch):
    folder = handed_over(tmp_path, template, texts, family)
    model = load_predictor(folder, max_tokens=40)
    found = model.probabilities(TEXTS, OTHERS) if texts == 2 else model.probabilities(TEXTS)
    assert model.labels == LABELS
    np.testing.assert_allclose(found.sum(axis=1), 1)
    for row, (text, other) in enumerate(zip(TEXTS, OTHERS, strict=True)):
        said = eval(by_the_card(folder, text, other, monkeypatch))  # a dictionary
        assert list(said) == list(LABELS)
        np.testing.assert_allclose(found[row], list(said.values()), atol=1e-5)
    assert np.ptp(found, axis=0).max() > 1e-3, "an answer that never changes would equal anything"


def test_the_folder_says_which_kind_of_task_it_answers_and_how_many_texts_it_takes(tmp_path):
    single = handed_over(tmp_path / "a", "{text} {mask}", 1)
    assert kind_of_model(single).model_fields["kind"].default == "classify"
    pair = handed_over(tmp_path / "b", "{text} {mask} {text_b}", 2)
    assert kind_of_model(pair).model_fields["kind"].default == "pair"
    with pytest.raises(SettingsError, match="answers single texts, and was given pairs"):
        load_predictor(single).probabilities(TEXTS, OTHERS)
    with pytest.raises(SettingsError, match="answers pairs, and was given single texts"):
        load_predictor(pair).probabilities(TEXTS)
    with pytest.raises(TypeError, match="one text stands where several are wanted"):
        load_predictor(single).probabilities("w1")


def test_who_learns_something_else_after_it_leaves_no_word_of_the_labels(tmp_path):
    asked = ModelFolder(handed_over(tmp_path, "{text} {mask}", 1))
    pretrained = save_model(tmp_path / "pretrained", asked, load_mlm(asked, 0)[0])
    assert not {TEMPLATE, KIND, "id2label", "acclimate_max_length"} & set(pretrained.config)
    classifier = save_model(tmp_path / "learned", asked, load_classifier(asked, ("a", "b"), HeadSettings(), 0, None), 9)
    assert TEMPLATE not in classifier.config
    assert classifier.learnt == "classifier"
    again = Asked.of(Cloze(LABELS, "{text} {mask}", NAMES), classifier)
    back = save_model(tmp_path / "back", classifier, load_asked(classifier, again.tokens.words, 0.0), 9, asked=again.written)
    assert back.learnt is None
    assert not [name for name in back.names if "classifier" in name], "an earlier classifier goes"
    assert asked.names <= back.names


@pytest.mark.parametrize("broken", [{}, {"template": "no place"}, {"labels": []}, {"mask": 99}, {"words": {}}, "text"])
def test_a_damaged_template_is_said_to_be_so(broken, tmp_path):
    folder = handed_over(tmp_path, "{text} {mask}", 1)
    config = json.loads((folder / CONFIG).read_text())
    config[TEMPLATE] = {**config[TEMPLATE], **broken} if isinstance(broken, dict) and broken else broken
    (folder / CONFIG).write_text(json.dumps(config))
    with pytest.raises(ModelError, match=r"config\.json: acclimate_template is damaged"):
        load_predictor(folder)


def test_a_model_without_its_head_for_masked_words_is_refused(tmp_path):
    build_tiny("bert", "base").save_pretrained(tmp_path / "base")
    pair_tokenizer().save(str(tmp_path / "base" / "tokenizer.json"))
    base = import_base(resolve_base(str(tmp_path / "base"), tmp_path), tmp_path / "imported")
    with pytest.raises(ModelError, match="has no whole head for masked words; pretrain it first"):
        load_asked(base, (((7,),), ((8,),)), None)


def test_tuned_thresholds_answer_by_the_card_as_they_do_here(tmp_path, monkeypatch):
    folder = handed_over(tmp_path, "{text} w5 {mask} w6", 1)
    least = load_predictor(folder).probabilities(TEXTS[:1])[0].argmin()
    thresholds = [1e-4 if number == least else 0.5 for number in range(len(LABELS))]
    (folder / CONFIG).write_text(json.dumps(json.loads((folder / CONFIG).read_text()) | {"acclimate_thresholds": thresholds}))
    model = load_predictor(folder)
    assert (model.probabilities(TEXTS[:1]) / model.thresholds).argmax(axis=1).tolist() == [least]
    assert by_the_card(folder, TEXTS[0], OTHERS[0], monkeypatch, "tuned_plain_use") == LABELS[least]
