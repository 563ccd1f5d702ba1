"""An exported folder in the place of its model's, for `predict`, `evaluate` and `speed`: the same answers, scores and counts."""

import json
import shutil

import pytest
from tests.export.conftest import BESIDE, TEXTS
from tests.export.test_onnx_model import OTHERS, close, told_by_predict

from acclimate.errors import DataError, ModelError
from acclimate.evaluation import answer_speed
from acclimate.evaluation.encoder import encoding_of
from acclimate.evaluation.predictor import load_predictor
from acclimate.export.onnx_model import FACTS, FORMAT
from acclimate.export.served import Served
from acclimate.modeling.base_files import EXPORTED

WORDS = [text for text in TEXTS if text]


@pytest.mark.parametrize("kind", ["classify", "tag", "pair", "pair, words", BESIDE])
def test_answers_and_what_is_not_read_are_those_of_the_model(exported, tmp_path, kind):
    model, out = exported(kind)
    columns = (WORDS, [other or "w3" for other in OTHERS[: len(WORDS)]])[: 2 if "pair" in kind else 1]
    rows = [dict(zip(("text", "text_b"), texts, strict=False)) for texts in zip(*columns, strict=True)]
    answering = Served.forms(out)[0].answering(texts=1)
    assert close(told_by_predict(answering, rows, tmp_path), told_by_predict(model, rows, tmp_path))
    if kind != "tag":
        own, served = load_predictor(model), answering.predictor()
        for each in (own, served):
            each.probabilities(*columns)
        assert served.unread == own.unread
        assert (own.unread.cut_texts > 0) == (kind != "classify")  # which reads windows


def test_a_table_of_speed_has_the_model_and_both_forms_of_its_export(exported, tmp_path, acclimate, monkeypatch):
    monkeypatch.setattr(answer_speed, "LIMIT_SECONDS", 0.0)
    (model, out), (_, pairs) = exported(BESIDE), exported("pair")
    (tmp_path / "texts.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in WORDS))
    words = ("speed", model, out, "--data", tmp_path / "texts.jsonl")
    found = json.loads(acclimate(*words, "--json").stdout)
    assert list(found) == [str(model), str(out), f"{out}, int8"]
    assert [told["by"] for told in found.values()] == ["transformers", "onnxruntime", "onnxruntime"]
    assert len({told["parameters"] for told in found.values()}) == len({told["threads"] for told in found.values()}) == 1
    exact, small = (sum(path.stat().st_size for path in out.glob(f"{name}.onnx*")) for name in ("model", "model_int8"))
    assert found[str(out)]["disk_bytes"] - found[f"{out}, int8"]["disk_bytes"] == exact - small
    assert acclimate(*words).stdout.count("onnxruntime") == 2
    ended = acclimate("speed", pairs, "--data", tmp_path / "texts.jsonl")
    assert (ended.returncode, "which columns are the two texts?" in ended.stderr) == (2, True), ended.stderr


def test_threads_are_those_that_were_asked_for_and_vectors_are_timed(exported):
    _, out = exported("vectors")
    (form,) = Served.forms(out)
    speed = answer_speed.speed_of(lambda: form.way(1), answer_speed.Items((tuple(WORDS),)))
    assert (speed.threads, speed.device, speed.texts) == (1, "cpu", len(WORDS))
    assert form.load(1)._session.get_session_options().intra_op_num_threads == 1
    with pytest.raises(ModelError, match="gives vectors, and no labels"):
        form.answering(texts=1)


def test_scores_are_those_of_the_model(exported, tmp_path, acclimate):
    model, out = exported("classify")
    (tmp_path / "dev.jsonl").write_text("".join(json.dumps({"text": t, "label": "abc"[n % 3]}) + "\n" for n, t in enumerate(WORDS)))
    own, served = (acclimate("evaluate", folder, tmp_path / "dev.jsonl") for folder in (model, out))
    assert served.returncode == 0, served.stderr
    assert "macro_f1" in served.stdout
    assert served.stdout == own.stdout


def test_of_a_model_of_other_makers_the_data_say_how_many_texts_an_item_has(exported):
    _, out = exported("classify")
    form = Served.forms(out)[0]
    other = Served(out, {**form.facts, "texts": None})
    assert other.kind is None
    assert [other.answering(texts=count).kind.model_fields["kind"].default for count in (1, 2)] == ["classify", "pair"]


def test_damaged_folders_are_refused_and_others_verbs_say_what_to_name(exported, tmp_path):
    _, out = exported(BESIDE)
    assert EXPORTED == FACTS
    for damage, why in (("tokenizer.json", "not a file of this folder"), (f"{FACTS}", "Expecting value"), ("model.onnx", "refuses it")):
        place = tmp_path / damage
        shutil.copytree(out, place)
        (place / damage).unlink() if damage == "tokenizer.json" else (place / damage).write_text("?")
        with pytest.raises(ModelError, match=why):
            Served.forms(place)[0].load()
    (place / FACTS).write_text(json.dumps({"format": FORMAT}))
    with pytest.raises(ModelError, match=r"acclimate_onnx\.json says nothing of kind"):
        Served.forms(place)
    with pytest.raises(DataError, match="no token"):
        Served.forms(out)[0].answering(texts=1).predictor().probabilities([""])
    for ask in (load_predictor, encoding_of):
        with pytest.raises(ModelError, match=r"is an exported model, .* name the folder that it was made of"):
            ask(out)
