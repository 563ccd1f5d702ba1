"""A model that cuts texts says how many it cut, and how much of them it did not read."""

import io
import json

import pytest
from tests.evaluation.test_cloze_predictor import OTHERS, TEXTS, handed_over
from tests.modeling.test_bilstm import TEXTS as PLAIN
from tests.modeling.test_bilstm import model_of
from tests.stages.test_zero_shot import LABELS, TEMPLATE, nli_model

from acclimate import load_predictor
from acclimate.data.readers.every_text import AskedFiles
from acclimate.evaluation import asked_rows
from acclimate.evaluation.apply import evaluate_file, predict_file
from acclimate.evaluation.unread import Unread
from acclimate.evaluation.zero_shot_predictor import load_zero_shot


def test_predict_and_evaluate_tell_once_however_many_parts_a_file_is_answered_in(tmp_path, monkeypatch):
    folder, said = handed_over(tmp_path, "{text} w5 {mask} w6", 1), []
    (tmp_path / "long.jsonl").write_text("".join(json.dumps({"text": text, "label": "x"}) + "\n" for text in TEXTS))
    monkeypatch.setattr(asked_rows, "CHUNK_TEXTS", 1)
    predict_file(folder, AskedFiles(path=str(tmp_path / "long.jsonl")), None, io.BytesIO(), said.append)
    evaluate_file(folder, str(tmp_path / "long.jsonl"), {}, said.append)
    # Of 16 tokens the template takes 5.
    told = "1 of 3 rows is longer than the 16 tokens that this model reads, and was cut: 79 of 94 tokens were not read (84.0 %)"
    assert [line for line in said if "cut" in line] == [told] * 2


def test_of_a_pair_either_text_may_be_cut(tmp_path):
    model = load_predictor(handed_over(tmp_path, "{text} w5 {mask} , {text_b}", 2))
    model.probabilities(TEXTS, OTHERS)
    kept = 2 * (16 - 5)  # of two pairs, each with one long text
    assert model.unread == Unread(16, texts=3, cut_texts=2, units=94 + 56, cut_units=94 + 56 - 4 - kept)


def test_beside_the_longest_hypothesis_a_text_is_cut_and_counted_once(tmp_path):
    model = load_zero_shot(nli_model(tmp_path / "nli"), LABELS, TEMPLATE)
    model.probabilities(TEXTS)
    assert (model.unread.texts, model.unread.cut_texts, model.unread.units) == (3, 1, 94)
    assert model.unread.cut_units == 90 - (model.unread.length - 3 - 5)  # three marks, and four words around two


def test_a_plain_network_counts_words(tmp_path):
    model_of().save(tmp_path / "plain")
    model = load_predictor(tmp_path / "plain")
    for text in PLAIN:
        model.probabilities([text])
    assert (
        model.unread.told()
        == "1 of 6 rows is longer than the 12 words that this model reads, and was cut: 18 of 42 words were not read (42.9 %)"
    )


@pytest.mark.parametrize(("cut", "said"), [(0, ""), (2, "2 of 5 rows are longer than the 8 tokens that this model reads, and were cut: ")])
def test_what_was_read_whole_is_not_told(cut, said):
    found = Unread(8)
    found.count(5, cut, 50, 6 * cut)
    assert found.told().startswith(said)
    assert bool(found.told()) == bool(cut)
