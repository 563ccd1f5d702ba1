"""What an exported model answers is what the model itself answers: with heads, windows, thresholds, words and vectors of any sort."""

import io
import json
import shutil
import subprocess
import sys
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import pytest
from tests.export.conftest import BESIDE, TEXTS, say_in_config

from acclimate.data.corpus import CorpusSettings
from acclimate.data.found_words import words_in
from acclimate.evaluation.apply import predict_file
from acclimate.evaluation.encoder import load_encoder
from acclimate.evaluation.predictor import load_predictor
from acclimate.evaluation.trained_folder import model_config
from acclimate.export import onnx_model
from acclimate.export.export_model import FLOAT32, INT8
from acclimate.export.onnx_model import FACTS, HEAD, OnnxModel
from acclimate.modeling.vector_heads import Cosine, Logistic, Nearest

OTHERS = TEXTS[1:] + TEXTS[:1]


def with_facts(exported: Path, place: Path, arrays=None, **facts) -> Path:
    shutil.copytree(exported, place)
    said = json.loads((exported / FACTS).read_text()) | facts
    (place / FACTS).write_text(json.dumps(said))
    if arrays is not None:
        np.savez(place / HEAD, **arrays)
    return place


def told_by_predict(model: Path, rows: list[dict], place: Path) -> list[dict]:
    (place / "asked.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    stream = io.BytesIO()
    predict_file(model, CorpusSettings(path=str(place / "asked.jsonl")), None, stream, lambda line: None)
    answers = [json.loads(line) for line in stream.getvalue().splitlines()]
    return [{name: value for name, value in answer.items() if name != "index"} for answer in answers]


def close(one, other) -> bool:
    """Equal, but for the last digits of numbers."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(close(one[name], other[name]) for name in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(close, one, other))
    return one == pytest.approx(other, abs=3e-6) if isinstance(one, float) else one == other


def test_long_texts_are_read_in_windows_and_answers_are_those_of_predict(exported, tmp_path):
    model, out = exported("classify")
    run, texts = OnnxModel(out), [text for text in TEXTS if text]
    np.testing.assert_allclose(run.probabilities(TEXTS), load_predictor(model).probabilities(TEXTS), atol=1e-5)
    assert close(run.answers(texts), told_by_predict(model, [{"text": text} for text in texts], tmp_path))
    assert run.probabilities([]).shape == (0, 3)


def test_int8_is_near_and_smaller(exported):
    _, out = exported("classify")
    exact, small = OnnxModel(out).probabilities(TEXTS), OnnxModel(out, int8=True).probabilities(TEXTS)
    assert 0 < np.abs(exact - small).max() < 0.1
    kept = json.loads((out / FACTS).read_text())["compared"]
    assert kept["onnx"]["largest_difference"] <= kept["tolerance"] < kept["int8"]["largest_difference"]


@pytest.mark.parametrize(("pool", "link"), [("max", "softmax"), ("max", "sigmoid"), (None, "none")])
def test_pools_and_what_numbers_mean(exported, tmp_path, pool, link):
    model, out = exported("classify")
    problem = {"softmax": "single_label_classification", "sigmoid": "multi_label_classification", "none": "regression"}[link]
    shutil.copytree(model, tmp_path / "model")
    config = json.loads((model / "config.json").read_text())
    config |= {"problem_type": problem, "acclimate_pool": pool, "acclimate_thresholds": None}
    (tmp_path / "model" / "config.json").write_text(json.dumps(config))
    run = OnnxModel(with_facts(out, tmp_path / "out", pool=pool, link=link, thresholds=None))
    np.testing.assert_allclose(run.probabilities(TEXTS), load_predictor(tmp_path / "model").probabilities(TEXTS), rtol=1e-4, atol=1e-5)
    texts = [text for text in TEXTS if text]
    assert close(run.answers(texts), told_by_predict(tmp_path / "model", [{"text": text} for text in texts], tmp_path))


def test_pairs_are_cut_and_have_segments_as_in_the_model(exported):
    model, out = exported("pair")
    run = OnnxModel(out)
    assert run.facts["inputs"] == ["input_ids", "attention_mask", "token_type_ids"]
    np.testing.assert_allclose(run.probabilities(TEXTS, OTHERS), load_predictor(model).probabilities(TEXTS, OTHERS), atol=1e-5)
    with pytest.raises(ValueError, match="this model answers pairs"):
        run.answers(TEXTS)
    with pytest.raises(ValueError, match="a pair has two texts, and these are 6 and 5"):
        run.answers(TEXTS, TEXTS[1:])


@pytest.mark.parametrize("kind", ["tag", "tag, decoder"])
def test_words_of_whole_texts_get_the_tags_that_predict_gives(exported, tmp_path, kind):
    model, out = exported(kind)
    run, texts = OnnxModel(out), [text for text in TEXTS if text]
    np.testing.assert_allclose(run.probabilities(TEXTS), load_predictor(model).probabilities(TEXTS), atol=1e-5)
    assert close(run.answers(texts), told_by_predict(model, [{"text": text} for text in texts], tmp_path))
    sentences = [text.split() for text in texts]
    assert close(run.answers(sentences), told_by_predict(model, [{"tokens": words} for words in sentences], tmp_path))


def test_label_words_are_asked_for_where_the_template_has_its_mask(exported, tmp_path):
    model, out = exported("pair, words")
    assert OnnxModel(out).facts["inputs"] == ["input_ids", "attention_mask", "asked_tokens"]
    np.testing.assert_allclose(OnnxModel(out).probabilities(TEXTS, OTHERS), load_predictor(model).probabilities(TEXTS, OTHERS), atol=1e-5)
    # The same graph asked of single texts, the mask behind them: the words of the labels decide what it gives, and the runner where.
    shutil.copytree(model, tmp_path / "model")
    said = model_config(model)["acclimate_template"]
    before, (text, *_) = said["tokens"][: 1 + said["mask"]], [part for part in said["tokens"] if not isinstance(part, int)]
    single = {"template": "{text} w30 {mask}", "tokens": [*before, 3], "mask": said["mask"]}
    assert text in before
    say_in_config(tmp_path / "model", acclimate_template=said | single, acclimate_kind=None)
    run = OnnxModel(with_facts(out, tmp_path / "out", template=single["tokens"], texts=1))
    np.testing.assert_allclose(run.probabilities(TEXTS), load_predictor(tmp_path / "model").probabilities(TEXTS), atol=1e-5)


def test_the_last_token_of_a_decoder_answers_also_where_it_is_the_one_that_pads(exported, tmp_path):
    model, out = exported("classify, decoder")
    run, texts = OnnxModel(out), [text for text in TEXTS if text]
    assert run.facts["pad_id"] == run.sequences(["w4 w2"])[0][0][-1]
    texts.append("w4 w2")
    np.testing.assert_allclose(run.probabilities(texts), load_predictor(model).probabilities(texts), atol=1e-5)
    assert close(run.answers(texts), told_by_predict(model, [{"text": text} for text in texts], tmp_path))
    with pytest.raises(ValueError, match=r"1 of 6 texts have no token \(the first is number 3\)"):
        run.answers(TEXTS)


def test_weights_that_a_graph_cannot_hold_stand_in_one_file_beside_it(exported, tmp_path):
    _, out = exported(BESIDE)
    assert (
        set(json.loads((out / FACTS).read_text())["weights"])
        == {path.name for path in out.glob("*.data")}
        == {f"{FLOAT32}.data", f"{INT8}.data"}
    )
    texts = [text for text in TEXTS if text]
    assert 0 < np.abs(OnnxModel(out).probabilities(texts) - OnnxModel(out, int8=True).probabilities(texts)).max() < 0.1
    shutil.copytree(out, tmp_path / "out")
    weights = tmp_path / "out" / f"{FLOAT32}.data"
    weights.write_bytes(weights.read_bytes()[:-4])
    with pytest.raises(ValueError, match=r"model\.onnx\.data: has .* bytes of .*; copy the folder again"):
        OnnxModel(tmp_path / "out")
    weights.unlink()
    weights.symlink_to(out / f"{FLOAT32}.data")
    with pytest.raises(ValueError, match="is not a file of this folder"):
        OnnxModel(tmp_path / "out")
    assert OnnxModel(tmp_path / "out", int8=True).labels == ("a", "b", "c")


def test_the_words_of_a_text_are_found_alike():
    for text in ("It's 5%", "", "  a_b\n", "नमस्ते दुनिया", "naïve cafe\u0301 😀"):
        assert onnx_model.words_in(text) == words_in(text)


def test_vectors_are_pooled_projected_and_prompted(exported):
    model, out = exported("vectors")
    run, own = OnnxModel(out), load_encoder(model)
    np.testing.assert_allclose(run.encode(TEXTS), own.encode(TEXTS), atol=1e-5)
    np.testing.assert_allclose(run.encode(TEXTS, side="query"), own.encode(TEXTS, side="query"), atol=1e-5)
    assert run.encode([]).shape == (0, 8)
    with pytest.raises(ValueError, match="this model gives vectors, and no labels"):
        run.answers(TEXTS)
    for asked in (run.encode, run.answers):
        with pytest.raises(ValueError, match="a list of texts is wanted"):
            asked("one text")


def asked_by_lines(monkeypatch, capsysbinary, *words, lines=b""):
    """What the program wrote for these lines, and how it ended."""
    monkeypatch.setattr(sys, "argv", ["onnx_model.py", *map(str, words)])
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines), "ascii"))  # as on a machine that knows no UTF-8
    try:
        onnx_model.main()
    except SystemExit as ended:
        return [], str(ended)
    return [json.loads(line) for line in capsysbinary.readouterr().out.splitlines()], ""


def test_lines_are_utf8_on_every_machine_and_a_bad_one_is_told_by_its_number(exported, tmp_path, monkeypatch, capsysbinary):
    ask = partial(asked_by_lines, monkeypatch, capsysbinary)
    _, pairs = exported("pair")
    found, _ = ask(pairs, lines=b"w1 w2\tw3\r\nw4\t\nw5\tw6\tw7")
    assert close(found, OnnxModel(pairs).answers(["w1 w2", "w4", "w5"], ["w3", "", "w6\tw7"]))
    _, words = exported("tag")
    text = "w1 naïve 😀 w2"
    assert close(ask(words, lines=f"w3\n{text}\n".encode())[0], OnnxModel(words).answers(["w3", text]))
    assert ask(words) == ([], "")
    for folder, lines, said in (
        (pairs, b"w1\tw2\nw3\n", "error: line 2: this model answers pairs, and there is no tab"),
        (words, b"w1\nw2 \xff\n", "error: line 2: is not UTF-8, at byte 4"),
        (tmp_path, b"", f"error: {tmp_path}: holds no model that acclimate exported"),
    ):
        assert ask(folder, lines=lines)[1].startswith(said)


RNG = np.random.default_rng(0)
HEADS = {
    "logistic": Logistic(("a", "b"), RNG.normal(size=(2, 32)), RNG.normal(size=2)),
    "knn": Nearest(("a", "b"), RNG.normal(size=(20, 32)).astype(np.float32), RNG.random((20, 2)) < 0.5, 3),
    "cosine": Cosine(("score",)),
}


@pytest.mark.parametrize("word", HEADS)
def test_heads_on_vectors_answer_pairs_as_they_do_here(exported, tmp_path, word):
    _, out = exported("vectors")
    head = HEADS[word]
    facts = {"head": word, "labels": list(head.labels), "texts": 2, "link": head.link, **head.told}
    run = OnnxModel(with_facts(out, tmp_path / "out", arrays=head.tensors, **facts))
    wanted = head.outputs(run.encode(TEXTS), run.encode(OTHERS))
    np.testing.assert_allclose(run.probabilities(TEXTS, OTHERS), wanted, atol=1e-6)


def test_it_runs_where_nothing_of_torch_or_acclimate_can_be_imported(exported, tmp_path):
    model, out = exported("classify")
    site = tmp_path / "site"
    site.mkdir()
    for name in ("numpy", "onnxruntime", "tokenizers"):
        package = Path(find_spec(name).origin).parent
        (site / name).symlink_to(package)
        if (libraries := package.with_name(f"{name}.libs")).is_dir():
            (site / libraries.name).symlink_to(libraries)
    # -I and -S: nothing of this environment is on the path but what is put there.
    program = f"""
import sys
from importlib.util import find_spec
sys.path[:0] = [{str(out)!r}, {str(site)!r}]
there = [name for name in ("torch", "transformers", "acclimate", "safetensors", "onnx") if find_spec(name)]
assert not there, there
import onnx_model
sys.argv = ["onnx_model.py", {str(out)!r}]
onnx_model.main()
"""
    texts = [text for text in TEXTS if text]
    ended = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], input="\n".join(texts), capture_output=True, text=True, cwd=tmp_path
    )
    assert ended.returncode == 0, ended.stderr
    found = [json.loads(line) for line in ended.stdout.splitlines()]
    assert close(found, told_by_predict(model, [{"text": text} for text in texts], tmp_path))


def graph_with_weights_at(place: str) -> onnx.ModelProto:
    weights = onnx.TensorProto(name="w", data_type=onnx.TensorProto.FLOAT, dims=[4], data_location=onnx.TensorProto.EXTERNAL)
    weights.external_data.add(key="location", value=place)
    node = onnx.helper.make_node("Identity", ["w"], ["outputs"])
    output = onnx.helper.make_tensor_value_info("outputs", onnx.TensorProto.FLOAT, [4])
    graph = onnx.helper.make_graph([node], "g", [], [output], initializer=[weights])
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10)


@pytest.mark.parametrize("place", ["../secret.bin", "{absolute}", "link.bin"])
def test_weights_outside_of_the_folder_are_refused(exported, tmp_path, place):
    _, out = exported("classify")
    shutil.copytree(out, tmp_path / "out")
    (tmp_path / "secret.bin").write_bytes(np.ones(4, dtype=np.float32).tobytes())
    (tmp_path / "out" / "link.bin").symlink_to(tmp_path / "secret.bin")
    graph = graph_with_weights_at(place.format(absolute=tmp_path / "secret.bin"))
    (tmp_path / "out" / "model.onnx").write_bytes(graph.SerializeToString())
    with pytest.raises(ValueError, match=r"model\.onnx: onnxruntime refuses it"):
        OnnxModel(tmp_path / "out")
    # The same graph with weights beside it is read: what is refused is the place.
    shutil.copy(tmp_path / "secret.bin", tmp_path / "out" / "inside.bin")
    (tmp_path / "out" / "model.onnx").write_bytes(graph_with_weights_at("inside.bin").SerializeToString())
    OnnxModel(tmp_path / "out")


def test_files_that_lead_out_of_the_folder_are_refused(exported, tmp_path):
    _, out = exported("classify")
    shutil.copytree(out, tmp_path / "out")
    for name in ("model.onnx", "tokenizer.json"):
        (tmp_path / "out" / name).rename(tmp_path / name)
        (tmp_path / "out" / name).symlink_to(tmp_path / name)
        with pytest.raises(ValueError, match="is not a file of this folder"):
            OnnxModel(tmp_path / "out")
        (tmp_path / "out" / name).unlink()
        (tmp_path / name).rename(tmp_path / "out" / name)
    facts = json.loads((out / FACTS).read_text())
    (tmp_path / "out" / FACTS).write_text(json.dumps(facts | {"files": {"float32": "../model.onnx"}}))
    with pytest.raises(ValueError, match="is not a file of this folder"):
        OnnxModel(tmp_path / "out")


def test_folders_that_are_none_and_old_runtimes_are_named(exported, tmp_path, monkeypatch):
    _, out = exported("pair")
    with pytest.raises(ValueError, match="holds no model that acclimate exported"):
        OnnxModel(tmp_path)
    with pytest.raises(ValueError, match="holds no model in int8"):
        OnnxModel(out, int8=True)
    with pytest.raises(ValueError, match="written by another version"):
        OnnxModel(with_facts(out, tmp_path / "other", format=99))
    monkeypatch.setattr(onnx_model.onnxruntime, "__version__", "1.23.1")
    with pytest.raises(RuntimeError, match=r"onnxruntime 1\.23\.1: 1\.25 or newer"):
        OnnxModel(out)
