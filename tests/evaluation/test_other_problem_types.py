"""Models trained elsewhere answer as plain transformers does: labels each by itself, numbers, labels that nobody named."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import AutoModelForSequenceClassification, BertConfig, BertForSequenceClassification

from acclimate.data.corpus import CorpusSettings
from acclimate.errors import DataError, ModelError
from acclimate.evaluation.apply import evaluate_file, predict_file
from acclimate.evaluation.predictor import load_predictor, problem_of

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *["the", "lovely", "cake", "was", "bright", "awful", "queue", "broken"]]
TEXTS = ["the lovely cake was bright", "the awful queue", "broken", "the the the cake"]


def save(folder: Path, **config: object) -> Path:
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32, "max_position_embeddings": 32}
    model = BertForSequenceClassification(BertConfig(vocab_size=len(WORDS), **sizes, **config))
    with torch.no_grad():
        model.classifier.weight.mul_(60)
        model.classifier.bias.normal_()
    model.save_pretrained(folder)
    tokenizer = Tokenizer(models.WordPiece({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens(WORDS[:5])
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def plain_logits(folder: Path) -> torch.Tensor:
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    with torch.no_grad():
        return torch.cat([model(input_ids=torch.tensor([tokenizer.encode(text).ids])).logits for text in TEXTS])


def predict(folder: Path, tmp_path: Path) -> list[dict]:
    (tmp_path / "new.txt").write_text("\n".join(TEXTS) + "\n")
    stream = io.BytesIO()
    predict_file(folder, CorpusSettings(path=str(tmp_path / "new.txt")), None, stream, lambda line: None)
    return [json.loads(line) for line in stream.getvalue().decode().splitlines()]


def change(folder: Path, **values: object) -> None:
    config = json.loads((folder / "config.json").read_text()) | values
    (folder / "config.json").write_text(json.dumps({name: value for name, value in config.items() if value is not None}))


def test_several_labels_are_sigmoids_and_those_above_a_half(tmp_path):
    names = {0: "rude", 1: "loud", 2: "late"}
    folder = save(tmp_path / "m", num_labels=3, problem_type="multi_label_classification", id2label=names)
    wanted = plain_logits(folder).sigmoid().numpy()
    found = predict(folder, tmp_path)
    assert {len(answer["labels"]) for answer in found} != {1}
    for answer, row in zip(found, wanted, strict=True):
        assert list(answer["probabilities"]) == list(names.values())
        np.testing.assert_allclose(list(answer["probabilities"].values()), row, atol=1e-6)
        assert answer["labels"] == [names[number] for number in range(3) if row[number] > 0.5]


@pytest.mark.parametrize("stated", ["regression", None])
def test_a_regression_gives_its_number(tmp_path, stated):
    folder = save(tmp_path / "m", num_labels=1, problem_type=stated)
    found = predict(folder, tmp_path)
    assert [set(answer) for answer in found] == [{"index", "value"}] * len(TEXTS)
    np.testing.assert_allclose([answer["value"] for answer in found], plain_logits(folder)[:, 0].numpy(), rtol=1e-5, atol=1e-6)


def test_a_regression_of_several_numbers_names_them(tmp_path):
    folder = save(tmp_path / "m", num_labels=2, problem_type="regression", id2label={0: "joy", 1: "fear"})
    found = predict(folder, tmp_path)
    np.testing.assert_allclose([list(answer["values"].values()) for answer in found], plain_logits(folder).numpy(), rtol=1e-5, atol=1e-6)
    assert list(found[0]["values"]) == ["joy", "fear"]


@pytest.mark.parametrize("config", [{"num_labels": 2}, {"num_labels": 2, "problem_type": "single_label_classification"}])
def test_two_labels_that_nobody_named_are_served(tmp_path, config):
    folder = save(tmp_path / "m", **config)
    assert "id2label" not in json.loads((folder / "config.json").read_text())  # transformers takes them for granted
    found = predict(folder, tmp_path)
    np.testing.assert_allclose(
        [list(answer["probabilities"].values()) for answer in found], plain_logits(folder).softmax(-1).numpy(), atol=1e-6
    )
    assert {answer["label"] for answer in found} <= {"LABEL_0", "LABEL_1"}


def test_a_model_that_gives_each_label_by_itself_is_judged_by_lists_of_labels(tmp_path):
    from sklearn.metrics import f1_score

    folder = save(tmp_path / "m", num_labels=3, problem_type="multi_label_classification")
    gold = [["LABEL_0"], ["LABEL_1", "LABEL_2"], []]
    rows = [{"text": text, "labels": labels} for text, labels in zip(TEXTS, gold, strict=False)]
    (tmp_path / "gold.jsonl").write_text("\n".join(map(json.dumps, rows)))
    scores = evaluate_file(folder, str(tmp_path / "gold.jsonl"), {}, lambda line: None)
    wanted = np.array([[f"LABEL_{number}" in labels for number in range(3)] for labels in gold])
    predicted = plain_logits(folder).sigmoid().numpy()[:3] > 0.5
    assert scores["texts"] == 3
    assert scores["micro_f1"] == pytest.approx(f1_score(wanted, predicted, average="micro"))
    assert scores["exact_match"] == pytest.approx((wanted == predicted).all(axis=1).mean())
    (tmp_path / "gold.csv").write_text("text,labels\nthe cake,LABEL_0|LABEL_9\n")
    with pytest.raises(DataError, match=r"gold\.csv:2: label 'LABEL_9' is not among the model's"):
        evaluate_file(folder, str(tmp_path / "gold.csv"), {}, lambda line: None)


@pytest.mark.parametrize(("labels", "stated"), [(1, None), (1, "regression"), (3, "regression")])
def test_evaluate_refuses_models_that_give_no_labels(tmp_path, labels, stated):
    folder = save(tmp_path / "m", num_labels=labels, problem_type=stated)
    (tmp_path / "gold.csv").write_text("text,label\nthe cake,LABEL_0\nthe queue,LABEL_0\n")
    with pytest.raises(ModelError, match="only models that give a text labels"):
        evaluate_file(folder, str(tmp_path / "gold.csv"), {}, lambda line: None)


def test_an_unknown_problem_type_is_refused(tmp_path):
    folder = save(tmp_path / "m", num_labels=2)
    change(folder, problem_type="ranking")
    with pytest.raises(ModelError, match="ranking"):
        load_predictor(folder)


def test_names_that_do_not_fit_the_weights_are_refused_and_gaps_are_not(tmp_path):
    folder = save(tmp_path / "m", num_labels=2)
    change(folder, id2label={"1": "neg", "2": "pos"})
    assert (load_predictor(folder).labels, problem_of(load_predictor(folder))) == (("neg", "pos"), "single_label_classification")
    change(folder, id2label={"0": "a", "1": "b", "2": "c"})
    with pytest.raises(ModelError, match=r"do not fit config\.json, which names 3 labels"):
        load_predictor(folder)
    change(folder, id2label={"0": "a", "1": "a"})
    with pytest.raises(ModelError, match="two outputs the name 'a'"):
        load_predictor(folder)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["bert.encoder.layer.0.output.dense.weight", "classifier.bias"])
def test_weights_that_are_no_numbers_are_found_before_anything_is_read_out_of_them(tmp_path, name, value):
    from safetensors.torch import load_file, save_file

    folder = save(tmp_path / "m", num_labels=2)
    tensors = load_file(folder / "model.safetensors")
    tensors[name].view(-1)[0] = value
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=f"the model is broken, not the data: its weights '{name}'"):
        load_predictor(folder)
