"""A server answers as the commands do: what `predict` writes for a row, and the vectors that `encode` writes."""

import io
import json

import numpy as np
import pytest
from safetensors.torch import load_file, save_file
from tests.evaluation.test_cloze_predictor import OTHERS, handed_over
from tests.modeling.conftest import build_tiny, make_base
from tests.stages.test_zero_shot import LABELS, TEMPLATE, TEXTS, nli_model

from acclimate.data.readers.every_text import AskedFiles
from acclimate.errors import ModelError
from acclimate.evaluation.apply import predict_file
from acclimate.evaluation.encoder import load_encoder
from acclimate.evaluation.zero_shot_predictor import AskedModel
from acclimate.files import write_json
from acclimate.modeling.base_files import CONFIG, KIND
from acclimate.modeling.baselines.majority_model import MajorityModel
from acclimate.modeling.baselines.static_model import StaticVectors, write_static
from acclimate.modeling.embedding_form import EMBEDDING
from acclimate.modeling.vector_heads import Cosine, Logistic, write_head
from acclimate.serving.service import answers_itself, encoding, predicting


def classifier(folder):
    return make_base(folder, build_tiny("bert", "classifier", id2label={0: "a", 1: "b", 2: "c"})).folder


def several(folder):
    classifier(folder)
    config = json.loads((folder / CONFIG).read_text())
    write_json(folder / CONFIG, config | {"problem_type": "multi_label_classification", "acclimate_thresholds": [0.2, 0.6, 0.5]})
    return folder


def tagger(folder):
    return make_base(folder, build_tiny("bert", "tagger", id2label={0: "B-x", 1: "O", 2: "I-x"})).folder


def scores(folder):
    nli_model(folder)
    config = json.loads((folder / CONFIG).read_text())
    changed = {KIND: "similarity", "problem_type": "regression", "id2label": {"0": "score"}, "label2id": {"score": 0}}
    config = config | changed
    tensors = load_file(folder / "model.safetensors")
    save_file(
        {name: value[:1] if name.startswith("classifier") else value for name, value in tensors.items()},
        folder / "model.safetensors",
        {"format": "pt"},
    )
    write_json(folder / CONFIG, config)
    return folder


def majority(folder):
    MajorityModel(("neg", "pos"), (0.25, 0.75)).save(folder)
    return folder


def by_vectors(folder, columns):
    """An encoder of 9 tokens of a text, and a head on its vectors that was fitted on nothing."""
    make_base(folder, build_tiny("bert", "mlm"))
    write_json(
        folder / CONFIG,
        json.loads((folder / CONFIG).read_text()) | {EMBEDDING: {"max_length": 9}, KIND: ("classify", "similarity")[columns - 1]},
    )
    write_head(folder, Cosine(("score",)) if columns == 2 else Logistic(("a", "b"), np.eye(2, 16), np.zeros(2)), columns)
    return folder


MODELS = {
    "vectors": (lambda folder: by_vectors(folder, 1), ("text",)),
    "vectors of pairs": (lambda folder: by_vectors(folder, 2), ("text", "text_b")),
    "classify": (classifier, ("text",)),
    "multilabel": (several, ("text",)),
    "tag": (tagger, ("text",)),
    "words": (tagger, ("tokens",)),
    "inference": (nli_model, ("text", "text_b")),
    "similarity": (scores, ("text", "text_b")),
    "asked words": (lambda folder: handed_over(folder, "{text} w5 {mask} w6", 1), ("text",)),
    "asked words of pairs": (lambda folder: handed_over(folder, "{text} w5 {mask} , {text_b}", 2), ("text", "text_b")),
    "majority": (majority, ("text",)),
    "zero-shot": (lambda folder: AskedModel.of(nli_model(folder), LABELS, TEMPLATE), ("text",)),
}
COLUMNS = {"text": TEXTS, "text_b": [*OTHERS, "w7", "w8 w9"], "tokens": [text.split() for text in TEXTS]}
FIELDS = {"text": "texts", "text_b": "texts_b", "tokens": "tokens"}


@pytest.mark.parametrize("kind", list(MODELS))
def test_an_answer_is_that_of_predict(kind, tmp_path, served):
    make, columns = MODELS[kind]
    model = make(tmp_path / "model")
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*(COLUMNS[name] for name in columns), strict=True)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    stream, said = io.BytesIO(), []
    named = {"text_b": "text_b"} if "text_b" in columns else {}
    predict_file(model, AskedFiles(path=str(tmp_path / "rows.jsonl"), **named), None, stream, said.append)
    written = [json.loads(line) for line in stream.getvalue().decode().splitlines()]
    response = served(predicting(model)).post("/predict", json={FIELDS[name]: COLUMNS[name] for name in columns})
    assert response.status_code == 200, response.text
    assert [{"index": number, **answer} for number, answer in enumerate(response.json()["answers"])] == written
    cut = [line for line in said if "cut" in line]
    told = 2 if kind == "vectors of pairs" else int(cut[0].split()[0]) if cut else 0  # there, texts are counted and not pairs
    assert response.json()["cut_texts"] == told
    assert kind == "majority" or len({json.dumps(answer) for answer in response.json()["answers"]}) > 1


def test_vectors_are_those_of_encode_to_the_last_bit(tmp_path, served):
    folder = make_base(tmp_path / "model", build_tiny("bert", "mlm")).folder
    config = json.loads((folder / CONFIG).read_text())
    write_json(folder / CONFIG, config | {EMBEDDING: {"pooling": "max", "prompts": {"query": "w30 "}, "max_length": 9}})
    assert not answers_itself(str(folder))
    service, notes = encoding(str(folder))
    assert notes == []
    client, encoder = served(service), load_encoder(folder)
    for side in (None, "query", "document"):
        response = client.post("/encode", json={"texts": TEXTS} | ({"side": side} if side else {}))
        np.testing.assert_array_equal(np.array(response.json()["vectors"], dtype=np.float32), encoder.encode(TEXTS, side))
        assert response.json()["cut_texts"] == 1
    shorter = served(encoding(str(folder), dimensions=4)[0]).post("/encode", json={"texts": TEXTS}).json()["vectors"]
    np.testing.assert_array_equal(np.array(shorter, dtype=np.float32), load_encoder(folder, dimensions=4).encode(TEXTS))


def test_static_vectors_are_served_and_a_ranking_by_words_is_refused(tmp_path, served):
    from tests.modeling.conftest import make_tokenizer

    rows = np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32)
    write_static(tmp_path / "static", StaticVectors(make_tokenizer(), rows))
    assert not answers_itself(str(tmp_path / "static"))
    response = served(encoding(str(tmp_path / "static"))[0]).post("/encode", json={"texts": TEXTS})
    np.testing.assert_array_equal(np.array(response.json()["vectors"], np.float32), load_encoder(tmp_path / "static").encode(TEXTS))
    (tmp_path / "bm25").mkdir()
    write_json(tmp_path / "bm25" / CONFIG, {"model_type": "acclimate-bm25"})
    with pytest.raises(ModelError, match="acclimate search"):
        answers_itself(str(tmp_path / "bm25"))


@pytest.mark.parametrize("kind", ["classify", "tag", "inference", "majority", "vectors"])
def test_a_folder_tells_that_it_answers(kind, tmp_path, served):
    folder = MODELS[kind][0](tmp_path / "model")
    assert answers_itself(str(folder))
    told = served(predicting(folder)).get("/model").json()
    assert told["model"] == "model"
    assert told["labels"]
    if kind == "vectors":  # that are searched
        write_head(folder, None, 1)
        assert not answers_itself(str(folder))
    assert ("texts_b" in told["asked"]["fields"]) == (kind in ("classify", "inference"))  # transformers does not say how many
    assert ("tokens" in told["asked"]["fields"]) == (kind == "tag")
