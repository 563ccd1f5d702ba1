"""Attributions add up to what the text changes of the logit, in every family that counts positions or embeds in its own way."""

import pytest
import torch
from tests.modeling.conftest import build_tiny, make_base

from acclimate.errors import ModelError, SettingsError
from acclimate.evaluation.attributions import LEAST, TOLERANCE, attributions
from acclimate.modeling.folder import ModelFolder
from acclimate.modeling.heads import load_trained_classifier

TEXT = "w1 w2 w3 w4"


def classifier(folder, name):
    model = build_tiny(name, "classifier", initializer_range=0.2)
    model.config.id2label = dict(enumerate(("bad", "good", "dull")))
    make_base(folder, model)
    return folder


@pytest.mark.measured(1)
@pytest.mark.parametrize("name", ["bert", "roberta", "distilbert", "modernbert", "mpnet", "deberta-v2"])
def test_attributions_add_up_to_the_difference_of_logits(tmp_path, name):
    found = attributions(classifier(tmp_path / "model", name), TEXT, "good")
    model = load_trained_classifier(ModelFolder(tmp_path / "model"))
    tokenizer = ModelFolder(tmp_path / "model").tokenizer()
    ids = torch.tensor([tokenizer.encode(TEXT).ids])
    masked = ids.clone()
    masked[0, 1:-1] = tokenizer.token_to_id("[MASK]")
    with torch.no_grad():
        logits = [float(model(input_ids=each, attention_mask=torch.ones_like(each)).logits[0, 1]) for each in (ids, masked)]
    assert [found.logit, found.masked] == pytest.approx(logits, abs=1e-5)
    difference = logits[0] - logits[1]
    assert abs(difference) > 10 * LEAST  # there is something to add up to
    assert abs(sum(found.values) - difference) <= max(LEAST, TOLERANCE * abs(difference))
    assert found.complete
    assert found.tokens == ("[CLS]", "w1", "w2", "w3", "w4", "[SEP]")
    assert max(map(abs, found.values[1:-1])) > 0
    assert found.values[0] == found.values[-1] == 0  # special tokens are the same with every word masked


def test_without_a_label_it_is_the_likeliest(tmp_path):
    folder = classifier(tmp_path / "model", "bert")
    with torch.no_grad():
        ids = torch.tensor([ModelFolder(folder).tokenizer().encode(TEXT).ids])
        likeliest = int(load_trained_classifier(ModelFolder(folder))(input_ids=ids).logits.argmax())
    assert attributions(folder, TEXT).label == ("bad", "good", "dull")[likeliest]


def test_what_has_no_logit_of_a_text_is_refused(tmp_path):
    with pytest.raises(SettingsError, match=r"--for god: the labels of .* are bad, good, dull; did you mean 'good'\?"):
        attributions(classifier(tmp_path / "model", "bert"), TEXT, "god")
    with pytest.raises(SettingsError, match="the sentence has 72 tokens"):
        attributions(tmp_path / "model", "w1 " * 70)
    make_base(tmp_path / "base", build_tiny("bert", "mlm"))
    with pytest.raises(ModelError, match="fine-tune it first"):
        attributions(tmp_path / "base", TEXT)
