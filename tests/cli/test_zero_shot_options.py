"""`predict --zero-shot` and `evaluate --zero-shot`: labels as one writes them, answers as the pipeline's, errors in options."""

import json

import numpy as np
import pytest
from tests.stages.test_zero_shot import by_transformers, nli_model

from acclimate.cli.zero_shot_options import labels_in
from acclimate.errors import SettingsError

TEXTS = ["w10 w11 w12", "w20 w3", "w4 w30 w31"]


@pytest.fixture
def here(tmp_path):
    """A folder with a model of inference in `nli/` and labelled texts."""
    nli_model(tmp_path / "nli")
    rows = [{"text": text, "label": label} for text, label in zip(TEXTS, ("w1", "w2, w3", "w1"), strict=True)]
    (tmp_path / "new.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


@pytest.mark.parametrize(
    ("written", "labels"),
    [("Healthcare, Sports", ("Healthcare", "Sports")), ('a,"b, c" , d', ("a", "b, c", "d")), ("one label", ("one label",))],
)
def test_labels_stand_between_commas_and_in_quotes_where_they_hold_one(written, labels):
    assert labels_in(written) == labels


@pytest.mark.parametrize("written", ["", "a,,b", "a, ", 'a, "b', 'a "b"'])
def test_what_is_no_list_of_labels_is_refused(written):
    with pytest.raises(SettingsError, match="--zero-shot: "):
        labels_in(written)


def test_answers_are_those_of_the_pipeline_in_the_form_of_any_other(here, acclimate):
    ran = acclimate("predict", "nli", "new.jsonl", "--zero-shot", 'w1, "w2, w3"', "--template", "w7 {}", folder=here)
    answers = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [answer["index"] for answer in answers] == [0, 1, 2]
    found = [list(answer["probabilities"].values()) for answer in answers]
    np.testing.assert_allclose(found, by_transformers(here / "nli", TEXTS, ("w1", "w2, w3"), "w7 {}"), atol=1e-5)
    assert [answer["label"] for answer in answers] == [("w1", "w2, w3")[number] for number in np.argmax(found, axis=1)]


def test_several_labels_or_none_are_given_where_that_is_asked(here, acclimate):
    ran = acclimate("predict", "nli", "new.jsonl", "--zero-shot", "w1, w9", "--multi-label", folder=here)
    answers = [json.loads(line) for line in ran.stdout.splitlines()]
    for answer in answers:
        assert answer["labels"] == [label for label, probability in answer["probabilities"].items() if probability > 0.5]


def test_a_file_with_labels_is_judged(here, acclimate):
    ran = acclimate("evaluate", "nli", "new.jsonl", "--zero-shot", 'w1, "w2, w3"', folder=here)
    assert ran.returncode == 0
    assert "macro_f1" in ran.stdout
    ran = acclimate("evaluate", "nli", "new.jsonl", "--zero-shot", "w1, w5", folder=here)
    assert ran.returncode == 2
    assert "label 'w2, w3' is not among the model's {'w1', 'w5'}" in ran.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--template", "{}"), "--template is said of labels that a model is asked for: say them with --zero-shot"),
        (("--multi-label",), "--multi-label is said of labels"),
        (("--zero-shot", "a, a"), "labels: 'a' stands there twice"),
        (("--zero-shot", "a, b", "--template", "about"), "template: 'about' has no place; it needs one {}"),
        (("--zero-shot", "a, b", "--entailment", "yes"), "no label 'yes'; its labels are contradiction, neutral, entailment"),
    ],
)
def test_what_cannot_be_asked_is_said_in_options(words, said, here, acclimate):
    ran = acclimate("predict", "nli", "new.jsonl", *words, folder=here)
    assert ran.returncode == 2
    assert said in ran.stderr.replace("\n", " ")


def test_a_model_whose_labels_tell_nothing_is_asked_by_the_option_that_names_one(here, acclimate):
    nli_model(here / "numbered", names=("LABEL_0", "LABEL_1", "LABEL_2"))
    ran = acclimate("predict", "numbered", "new.jsonl", "--zero-shot", "a, b", folder=here)
    assert ran.returncode == 2
    assert "its labels are LABEL_0, LABEL_1, LABEL_2; name it with --entailment" in ran.stderr.replace("\n", " ")
    assert acclimate("predict", "numbered", "new.jsonl", "--zero-shot", "a, b", "--entailment", "LABEL_2", folder=here).returncode == 0
