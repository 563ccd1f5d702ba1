"""`acclimate export`: what it writes, what it measures, and what it refuses before anything is written."""

import json
import shutil
from operator import attrgetter

import numpy as np
import pytest
import torch
from tests.export.conftest import MADE, TEXTS, base_of, pair_classifier, say_in_config
from tests.modeling.conftest import build_tiny

from acclimate.errors import DataError, MissingExtraError, ModelError, SettingsError
from acclimate.evaluation import answer_speed
from acclimate.evaluation.text_vectors import read_texts, sequence_vectors
from acclimate.export import export_model as exporting
from acclimate.export.export_model import FLOAT32, INT8, export_model
from acclimate.export.graph import PLAIN, Exportable, LastToken, Logits, Vectors
from acclimate.export.installed import check_installed
from acclimate.export.onnx_model import FACTS
from acclimate.export.subject import Subject
from acclimate.export.to_onnx import OPSET, write_onnx
from acclimate.modeling.baselines.majority_model import MajorityModel
from acclimate.modeling.embedder import load_embedder
from acclimate.modeling.embedding_form import EmbeddingForm
from acclimate.modeling.families import FAMILIES
from acclimate.modeling.folder import ModelFolder
from acclimate.training.devices import Devices

WHOLE = {family for family, _ in MADE.values()}  # whose exports the other tests compare with the models
LAYERS = {
    "distilbert": {"n_layers": 1},
    "gemma3_text": {"num_hidden_layers": 1, "layer_types": ["sliding_attention"]},
    "qwen2": {"num_hidden_layers": 1, "layer_types": ["sliding_attention"]},
    "qwen3": {"num_hidden_layers": 1, "layer_types": ["full_attention"]},
}


@pytest.mark.measured(0)
@pytest.mark.parametrize(
    "family", [each for each in FAMILIES if each.supported and each.model_type not in WHOLE], ids=attrgetter("model_type")
)
def test_every_family_gives_the_same_of_any_batch_and_length(family, tmp_path):
    import onnxruntime

    model = build_tiny(family.model_type, "classifier", **LAYERS.get(family.model_type, {"num_hidden_layers": 1})).eval()
    module = (LastToken if family.decoder else Logits)(model)
    exportable = Exportable(module, ("input_ids", "attention_mask"), 40, ModelFolder(tmp_path), {})
    write_onnx(exportable, tmp_path / FLOAT32)
    session = onnxruntime.InferenceSession(str(tmp_path / FLOAT32), providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    for batch, length in ((1, 1), (3, 7), (5, 40)):
        ids, real = rng.integers(5, 60, (batch, length)), np.ones((batch, length), dtype=np.int64)
        real[batch // 2, 1 + length // 2 :] = 0
        with torch.no_grad():
            wanted = exportable.module(torch.tensor(ids), torch.tensor(real)).numpy()
        (found,) = session.run(None, {"input_ids": ids, "attention_mask": real})
        np.testing.assert_allclose(found, wanted, atol=2e-5)


@pytest.mark.parametrize(
    ("family", "pooling"), [*(("bert", each) for each in ("mean", "cls", "max", "last")), ("gpt2", "last"), ("qwen3", "mean")]
)
def test_padded_vectors_are_those_of_packed_texts(family, pooling, tmp_path):
    base = base_of(tmp_path, family)
    form = EmbeddingForm(pooling=pooling, max_length=12)
    read = read_texts(base.tokenizer(), TEXTS, 12)
    packed = sequence_vectors(load_embedder(base, form), read, 1000, Devices())
    module = Vectors(load_embedder(base, form, fast=PLAIN), None).eval()
    ids, real = torch.zeros((len(TEXTS), 12), dtype=torch.int64), torch.zeros((len(TEXTS), 12), dtype=torch.int64)
    for row in range(len(TEXTS)):
        own = torch.from_numpy(read.batch(np.array([row])).input_ids.astype(np.int64))
        ids[row, : len(own)], real[row, : len(own)] = own, 1
    with torch.no_grad():
        np.testing.assert_allclose(module(ids, real).numpy(), packed, atol=1e-5)


class Odd(torch.nn.Module):
    def forward(self, input_ids, attention_mask):
        return torch.special.airy_ai(input_ids.float() * attention_mask)


def test_an_operator_that_the_exporter_lacks_is_named(tmp_path):
    folder = base_of(tmp_path)
    with pytest.raises(ModelError, match=r"torch\.onnx cannot export this bert model: .*airy_ai"):
        write_onnx(Exportable(Odd(), ("input_ids", "attention_mask"), 40, folder, {}), tmp_path / FLOAT32)


@pytest.fixture
def reused(exported, monkeypatch):
    """Exports take the graph of a model that was exported before."""
    _, out = exported("classify")
    monkeypatch.setattr(exporting, "write_onnx", lambda exportable, file: shutil.copyfile(out / FLOAT32, file))
    monkeypatch.setattr(exporting, "write_int8", lambda model, file: shutil.copyfile(out / INT8, file))


@pytest.mark.measured(0)
def test_the_verb_tells_size_speed_difference_and_score(exported, reused, tmp_path, acclimate, monkeypatch):
    monkeypatch.setattr(answer_speed, "busy_now", lambda: 0.9)
    model, _ = exported("classify")
    data = tmp_path / "dev.jsonl"
    data.write_text("".join(json.dumps({"text": f"w{n} w{n + 1}", "label": "abc"[n % 3]}) + "\n" for n in range(30)))
    ended = acclimate("export", model, "--onnx", "--int8", "--out", tmp_path / "out", "--data", data)
    assert ended.returncode == 0, ended.stderr
    assert "Compared on 30 texts of" in ended.stdout
    lines = {line.split("│")[1].strip(): line for line in ended.stdout.splitlines() if line.startswith("│")}
    assert list(lines) == ["torch", "onnx", "int8"]
    assert "(+0.0000)" in lines["onnx"]
    assert "note: the machine was busy with other work (90 % of its processors)" in ended.stdout
    facts = json.loads((tmp_path / "out" / FACTS).read_text())
    assert facts["kind"] == "classify"
    assert facts["opset"] == OPSET
    assert facts["labels"] == ["a", "b", "c"]
    assert facts["thresholds"] == [0.2, 0.5, 0.9]
    assert facts["compared"]["texts"] == 30
    assert facts["compared"]["metric"] == "macro_f1"
    names = {FACTS, FLOAT32, INT8, "onnx_model.py", "tokenizer.json", ".acclimate.json"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == names
    assert {path.name for path in tmp_path.iterdir()} - {".out.lock"} == {"dev.jsonl", "out"}


def test_a_model_of_a_study_is_compared_on_the_dev_of_the_study(exported, reused, tmp_path, acclimate):
    model, _ = exported("classify")
    shutil.copytree(model, tmp_path / "study" / "best")
    rows = [{"text": f"w{n} w{n % 7} w{n % 5}", "label": "abc"[n % 3]} for n in range(50)]
    (tmp_path / "all.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "study" / "study.json").write_text("{}")
    (tmp_path / "study" / "study.yaml").write_text("data: {task: {path: ../all.jsonl, dev_share: 0.3}}\nrecipes: {tfidf: {base: tfidf}}\n")
    ended = acclimate("export", tmp_path / "study" / "best", "--onnx", "--int8", "--out", tmp_path / "out")
    assert ended.returncode == 0, ended.stderr
    assert "Compared on 15 texts of the study's dev" in ended.stdout
    facts = json.loads((tmp_path / "out" / FACTS).read_text())["compared"]
    assert facts["metric"] == "macro_f1"
    assert 0 <= facts["int8"]["score"] <= 1
    (tmp_path / "all.jsonl").unlink()
    ended = acclimate("export", tmp_path / "study" / "best", "--onnx", "--int8", "--out", tmp_path / "out")
    assert ended.returncode == 0, ended.stderr
    assert "the study's dev cannot be read, name labelled texts by --data: " in ended.stderr
    assert "all.jsonl" in ended.stderr
    assert json.loads((tmp_path / "out" / FACTS).read_text())["compared"]["metric"] is None


def test_an_export_that_differs_is_not_kept(exported, reused, tmp_path, monkeypatch):
    model, _ = exported("classify")
    own = Subject.torch_outputs
    monkeypatch.setattr(Subject, "torch_outputs", lambda *asked: own(*asked) + 2e-4)
    with pytest.raises(ModelError, match=r"gives other outputs: they differ by 0\.0002, and 0\.0001"):
        export_model(str(model), tmp_path / "out", False, None, {}, lambda line: None)
    assert not list(tmp_path.glob("**/*.onnx"))


def test_folders_of_others_and_of_the_model_are_left_alone(exported, tmp_path):
    model, out = exported("classify")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    for place, why in ((tmp_path / "mine", "acclimate did not make it"), (model, "is the model"), (model / "onnx", "inside of the model")):
        with pytest.raises(SettingsError, match=why):
            export_model(str(model), place, False, None, {}, lambda line: None)
    with pytest.raises(ModelError, match="is an exported model already"):
        export_model(str(out), tmp_path / "out", False, None, {}, lambda line: None)


def test_what_is_not_exported_says_so(tmp_path):
    MajorityModel(("a", "b"), (0.5, 0.5)).save(tmp_path / "majority")
    asked = {
        "bert": {},
        "inference": {"acclimate_zero_shot": {}},
        "words": {"acclimate_template": {"examples": ""}},
        "writing": {"acclimate_kind": "generate"},
    }
    for name, said in asked.items():
        base = pair_classifier(tmp_path / name)
        say_in_config(base, **said)
    whys = {"majority": "a plain baseline", "inference/model": "sentences about them", "words/model": "by a prompt"}
    for name, why in {**whys, "writing/model": "a decoder that writes"}.items():
        with pytest.raises(ModelError, match=why):
            Subject.of(str(tmp_path / name))
    assert Subject.of(str(tmp_path / "bert" / "model")).kind == "pair"


def test_mistakes_are_told_before_any_work(exported, tmp_path, acclimate, monkeypatch):
    model, _ = exported("classify")
    monkeypatch.setattr(exporting, "write_onnx", lambda *_: pytest.fail("an export was begun"))
    assert "say into what: --onnx" in acclimate("export", model, "--out", tmp_path / "out").stderr
    assert "--text says how the data are read" in acclimate("export", model, "--onnx", "--text", "t", "--out", tmp_path / "out").stderr
    (tmp_path / "dev.jsonl").write_text('{"text": "w1", "label": "zebra"}\n')
    with pytest.raises(DataError, match="zebra"):
        export_model(str(model), tmp_path / "out", False, str(tmp_path / "dev.jsonl"), {}, lambda line: None)
    with pytest.raises(MissingExtraError, match=r'an export to ONNX needs nothing_of_this_name: pip install "acclimate\[onnx\]"'):
        check_installed(packages=("onnx", "nothing_of_this_name"))
    assert not (tmp_path / "out").exists()
