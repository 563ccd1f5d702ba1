"""`encode`: the vectors of all rows, in order; stopped or killed anywhere, the same bytes in the end."""

import json
import os
import signal
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest
from tests.modeling.conftest import build_tiny, make_base

from acclimate import load_encoder
from acclimate.data.corpus import CorpusSettings
from acclimate.errors import DataError, Interrupted, ModelError, SettingsError, StoreError
from acclimate.evaluation.encode_file import encode_file
from acclimate.evaluation.encoder import Encoder, Encoding, encoding_of
from acclimate.evaluation.plain_encoder import PlainEncoder
from acclimate.evaluation.search import search
from acclimate.evaluation.vector_file import VectorFile
from acclimate.files import locked, write_json
from acclimate.modeling.baselines.doc2vec_model import write_doc2vec
from acclimate.modeling.baselines.paragraph_vectors import Network, ParagraphVectors
from acclimate.modeling.baselines.static_model import from_file, write_static
from acclimate.modeling.embedding_form import EMBEDDING
from acclimate.training.progress import Silent

TEXTS = [f"w{number % 50} w{number % 7}" + f" w{number % 11}" * (number % 13) for number in range(1, 24)]


class Said(Silent):
    def __init__(self, at_step=lambda done: None):
        self.lines, self.steps, self._at_step = [], [], at_step

    def say(self, message):
        self.lines.append(message)

    def step(self, done, tokens_per_second, loss):
        self.steps.append(done)
        self._at_step(done)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """`models/plain`, which says nothing of its vectors, and `models/form`, which does."""
    place = tmp_path_factory.mktemp("models")
    for name in ("plain", "form"):
        make_base(place / name, build_tiny("bert", "mlm"))
    config = json.loads((place / "form" / "config.json").read_text())
    form = {"pooling": "max", "dimensions": [4, 8], "prompts": {"query": "w30 ", "document": "w31 w32 "}, "max_length": 9}
    write_json(place / "form" / "config.json", config | {EMBEDDING: form})
    return place


@pytest.fixture
def here(models, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("plain", "form"):
        (tmp_path / name).symlink_to(models / name)
    (tmp_path / "texts.txt").write_text("".join(f"{text}\n" for text in TEXTS))
    return tmp_path


def encode(
    out, file="texts.txt", model="form", pooling=None, dimensions=None, said=None, side=None, split=None, strict=False, batch=5, **reading
):
    said = said or Said()
    encoding = Encoding.of(model, pooling, dimensions)
    encode_file(encoding, CorpusSettings(path=str(file), **reading), Path(out), said, side, split, strict, batch)
    return said


@pytest.fixture
def counted(monkeypatch):
    """`counted.texts`: how many texts went through the model in each call; `counted.last`: the call in which somebody kills it."""
    counted = SimpleNamespace(texts=[], last=None)
    real = Encoder.encode

    def encode(self, texts, side=None, told=None):
        if len(counted.texts) == counted.last:
            raise KeyboardInterrupt
        counted.texts.append(len(texts))
        return real(self, texts, side, told)

    monkeypatch.setattr(Encoder, "encode", encode)
    return counted


def test_every_row_has_its_vector_in_order(here):
    encode("vectors.npy")
    encode("vectors.parquet")
    found, table = np.load("vectors.npy"), pq.read_table("vectors.parquet")
    np.testing.assert_allclose(found, load_encoder("form").encode(TEXTS), atol=1e-5)
    assert found.dtype == np.float32
    assert table.column_names == ["index", "vector", "problem"]
    assert table["index"].to_pylist() == list(range(len(TEXTS)))
    assert np.array_equal(np.array(table["vector"].to_pylist(), dtype=np.float32), found)
    assert sorted(path.name for path in here.iterdir()) == ["form", "plain", "texts.txt", "vectors.npy", "vectors.parquet"]


@pytest.mark.measured(0)
@pytest.mark.parametrize("saved", ["at the end", "long before"])
@pytest.mark.parametrize("ending", ["npy", "parquet"])
def test_a_killed_run_goes_on_and_gives_the_same_bytes(here, counted, monkeypatch, ending, saved):
    encode(f"whole.{ending}")
    calls = list(counted.texts)
    counted.texts.clear()
    counted.last = 3
    with monkeypatch.context() as killed:
        if saved == "long before":  # the process was gone before it could keep its state
            killed.setattr(VectorFile, "save", lambda self: None)
        with pytest.raises(KeyboardInterrupt):
            encode(f"vectors.{ending}")
    assert not (here / f"vectors.{ending}").exists()
    counted.last = None
    said = encode(f"vectors.{ending}")
    assert counted.texts == calls[:3] + (calls if saved == "long before" else calls[3:])
    assert (here / f"vectors.{ending}").read_bytes() == (here / f"whole.{ending}").read_bytes()
    assert any("longer than the 9 tokens that this model reads" in line for line in said.lines)


def test_the_counts_of_a_run_that_went_on_are_those_of_one_run(here, counted):
    whole = encode("whole.npy").lines[:-1]
    counted.texts.clear()
    counted.last = 2
    with pytest.raises(KeyboardInterrupt):
        encode("vectors.npy")
    counted.last = None
    assert encode("vectors.npy").lines[:-1] == whole


def test_ctrl_c_keeps_what_is_done_and_says_so(here, counted):
    said = Said(at_step=lambda done: os.kill(os.getpid(), signal.SIGINT) if done == 10 else None)
    with pytest.raises(Interrupted, match="stopped after 10 rows; their vectors are kept: the same command goes on"):
        encode("vectors.npy", said=said)
    counted.texts.clear()
    encode("vectors.npy")
    assert sum(counted.texts) == len(TEXTS) - 10


@pytest.mark.measured(0)
@pytest.mark.parametrize("change", ["texts", "side", "model", "dimensions", "batch"])
def test_what_was_begun_otherwise_is_not_gone_on_with(here, counted, change):
    counted.last = 2
    with pytest.raises(KeyboardInterrupt):
        encode("vectors.npy")
    counted.texts.clear()
    counted.last = None
    if change == "texts":
        (here / "texts.txt").write_text("".join(f"{text}\n" for text in reversed(TEXTS)))
    changed = {"texts": {}, "side": {"side": "query"}, "model": {"model": "plain"}, "dimensions": {"dimensions": 8}, "batch": {"batch": 4}}
    encode("vectors.npy", **changed[change])
    assert sum(counted.texts) == len(TEXTS)


def test_two_processes_do_not_write_one_file(here):
    with locked(here / ".vectors.npy.part" / "lock"), pytest.raises(StoreError, match="another acclimate process is using this"):
        encode("vectors.npy")


def test_rows_without_text_keep_their_place(here):
    (here / "rows.jsonl").write_text('{"text": "w1"}\n{"text": ""}\n{broken\n{"text": "w2 w3"}\n')
    said = encode("rows.npy", "rows.jsonl")
    encode("rows.parquet", "rows.jsonl", batch=2)
    found, table = np.load("rows.npy"), pq.read_table("rows.parquet")
    assert np.isnan(found).all(axis=1).tolist() == [False, True, True, False]
    assert [vector is None for vector in table["vector"].to_pylist()] == [False, True, True, False]
    assert "rows.jsonl:2: 'text' is empty" in table["problem"][1].as_py()
    assert any("2 of 4 rows have no text that could be read (empty text 1, bad JSON 1), marked with NaN" in line for line in said.lines)
    assert len(np.load("rows.npy")) == 4
    encode("kept.parquet", "rows.jsonl", skip_bad=True)
    assert pq.read_table("kept.parquet")["index"].to_pylist() == [0, 3]
    with pytest.raises(DataError, match="'text' is empty"):
        encode("strict.npy", "rows.jsonl", strict=True)


def test_rows_of_several_files_say_where_they_stand(here):
    (here / "texts").mkdir()
    for name in ("a.txt", "b.txt"):
        (here / "texts" / name).write_text("w1\nw2 w3\n")
    encode("vectors.parquet", "texts")
    table = pq.read_table("vectors.parquet")
    assert [path.rpartition("/")[2] for path in table["file"].to_pylist()] == ["a.txt", "a.txt", "b.txt", "b.txt"]
    assert table["line"].to_pylist() == [1, 2, 1, 2]


def test_unknown_words_and_cut_tokens_are_counted(here):
    (here / "odd.txt").write_text("w1 nothing known\n" + "w2 " * 20 + "\n")
    lines = "\n".join(encode("odd.npy", "odd.txt").lines)
    assert "1 of 2 rows is longer than the 9 tokens that this model reads, and was cut: 13 of 23 tokens were not read" in lines
    assert "2 of 23 tokens are unknown to this vocabulary (8.7 %)" in lines


def test_sides_dimensions_and_pooling(here):
    whole = load_encoder("form")
    query = whole.encode(TEXTS[:2], side="query")
    np.testing.assert_allclose(query, whole.encode([f"w30 {text}" for text in TEXTS[:2]]), atol=1e-6)
    cut = load_encoder("form", dimensions=4).encode(TEXTS[:2])
    assert cut.shape == (2, 4)
    np.testing.assert_allclose(
        cut, whole.encode(TEXTS[:2])[:, :4] / np.linalg.norm(whole.encode(TEXTS[:2])[:, :4], axis=1, keepdims=True), atol=1e-6
    )
    assert not np.allclose(load_encoder("plain", pooling="cls").encode(["w1 w2"]), load_encoder("plain").encode(["w1 w2"]))
    assert any(
        "says nothing of how vectors are made, so they are the mean of the states" in line for line in encode("p.npy", model="plain").lines
    )
    assert any("trained to be cut at 4, 8 dimensions, not at 5" in line for line in encode("five.npy", dimensions=5).lines)


REFUSED = {
    "ending": ({"out": "vectors.txt"}, SettingsError, r"vectors are written as \.npy or \.parquet"),
    "itself": ({"out": "form/vectors.npy"}, SettingsError, "stands in the model's own folder"),
    "dimensions": ({"dimensions": 17}, SettingsError, "the vectors of form have 16, and 1 to 16 of them can be taken"),
    "pooling": ({"pooling": "mean"}, SettingsError, "form says itself how its vectors are made, max"),
    "model": ({"model": "./nothing"}, ModelError, "there is no folder"),
    "no text": ({"file": "blank.txt"}, DataError, "there is no text to encode"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_done_is_said_before_a_text_is_encoded(here, counted, name):
    (here / "blank.txt").write_text("\n\n")
    settings, error, message = REFUSED[name]
    with pytest.raises(error, match=message):
        encode(**{"out": "vectors.npy"} | settings)
    assert counted.texts == []


def test_one_text_is_not_taken_for_several(here):
    with pytest.raises(TypeError, match=r"\[text\]"):
        load_encoder("plain").encode("w1 w2")


def test_the_nearest_documents_are_found_in_one_pass(here, monkeypatch):
    from acclimate.evaluation import asked_rows

    monkeypatch.setattr(asked_rows, "CHUNK_TEXTS", 4)
    (here / "docs.txt").write_text("".join(f"{text}\n" for text in [*TEXTS, "", TEXTS[0]]))
    said = Said()
    hits = search(Encoding.of("form", None, None), CorpusSettings(path="docs.txt"), "w5 w6", 3, said)
    model = load_encoder("form")
    scores = model.encode(TEXTS, "document") @ model.encode(["w5 w6"], "query")[0]
    order = np.argsort(-np.append(scores, scores[0]), kind="stable")[:3]
    assert [TEXTS.index(hit.text) for hit in hits] == [int(at) % len(TEXTS) for at in order]
    assert [hit.rank for hit in hits] == [1, 2, 3]
    assert hits[0].score == pytest.approx(float(scores.max()), abs=1e-5)
    assert any("1 of 25 rows has no text that could be read (empty text 1), left out" in line for line in said.lines)
    with pytest.raises(SettingsError, match="the query is not valid text"):
        search(Encoding.of("form", None, None), CorpusSettings(path="docs.txt"), "w1 \udcff", 3, said)
    with pytest.raises(SettingsError, match="the query is empty"):
        search(Encoding.of("form", None, None), CorpusSettings(path="docs.txt"), " ", 3, said)


@pytest.fixture(params=["static", "doc2vec"])
def plain(request, here):
    """The folder of a plain baseline that knows w0 to w49, and the vectors that it gives to texts."""
    words = tuple(f"w{number}" for number in range(50))
    values = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32)
    if request.param == "static":
        (here / "words.txt").write_text("".join(f"{word} {' '.join(map(str, row))}\n" for word, row in zip(words, values, strict=True)))
        made, _ = from_file(here / "words.txt", None, zipf=False)
        write_static(here / "model", made)
    else:
        made = ParagraphVectors(Network(vector_size=6, inference_epochs=2), words, np.arange(50, 0, -1), np.zeros_like(values), values)
        write_doc2vec(here / "model", made)
    return SimpleNamespace(kind=request.param, vectors=made.vectors)


def test_plain_baselines_that_give_vectors_are_encoded_with_searched_with_and_gone_on_with(plain, here, monkeypatch, acclimate):
    (here / "odd.txt").write_text("".join(f"{text}\n" for text in [*TEXTS, "no word known", "w1 unknown"]))
    whole = [*TEXTS, "no word known", "w1 unknown"]
    expected = plain.vectors(whole)
    ran = acclimate("encode", "model", "odd.txt", "--out", "vectors.npy")
    assert ran.returncode == 0, ran.stderr
    np.testing.assert_array_equal(np.load("vectors.npy"), expected)
    unit = "tokens" if plain.kind == "static" else "words"
    assert f" {unit} are unknown to this vocabulary" in ran.stderr
    assert "1 of 25 texts have no word that the model knows: their vectors are nothing but zeros" in ran.stderr
    np.testing.assert_array_equal(load_encoder("model").encode(whole, side="query"), expected)
    cut = load_encoder("model", dimensions=3).encode(TEXTS)
    np.testing.assert_allclose(
        np.linalg.norm(cut, axis=1), 1 if plain.kind == "static" else np.linalg.norm(expected[:-2, :3], axis=1), 1e-6
    )
    hits = search(encoding_of("model"), CorpusSettings(path="odd.txt"), TEXTS[7], 2, Said())
    assert (hits[0].index, hits[0].score) == (7, pytest.approx(1, abs=1e-5))
    real, calls = PlainEncoder.encode, []

    def killed(self, texts, side=None, told=None):
        calls.append(len(texts))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(self, texts, side, told)

    monkeypatch.setattr(PlainEncoder, "encode", killed)
    said = [Said(), Said()]
    with pytest.raises(KeyboardInterrupt):
        encode_file(encoding_of("model"), CorpusSettings(path="odd.txt"), Path("again.npy"), said[0], batch=5)
    encode_file(encoding_of("model"), CorpusSettings(path="odd.txt"), Path("again.npy"), said[1], batch=5)
    assert calls == [5] * 6  # two, the one that was killed, and what was left
    assert (here / "again.npy").read_bytes() == (here / "vectors.npy").read_bytes()
    assert "1 of 25 texts have no word that the model knows" in "\n".join(said[1].lines)
    with pytest.raises(SettingsError, match="holds vectors of words, and no states of an encoder"):
        encoding_of("model", pooling="cls")
    with pytest.raises(SettingsError, match="have 6, and 1 to 6 of them can be taken"):
        encoding_of("model", dimensions=7)
    (here / "model" / "model.safetensors").write_bytes(b"torn")
    with pytest.raises(ModelError, match="the model cannot be read"):
        load_encoder("model")


def test_the_verbs(here, acclimate):
    ran = acclimate("encode", "form", "texts.txt", "--out", "vectors.npy", "--side", "document", "--batch", "7")
    assert ran.returncode == 0, ran.stderr
    assert "vectors.npy: 23 vectors of 16 dimensions" in ran.stderr
    ran = acclimate("search", "form", "texts.txt", TEXTS[4], "-k", "2", "--json")
    assert ran.returncode == 0, ran.stderr
    first, second = json.loads(ran.stdout)
    assert first.keys() == {"rank", "score", "index", "file", "line", "text"}
    assert first["score"] >= second["score"]
    shown = acclimate("search", "form", "texts.txt", TEXTS[4], "-k", "2").stdout.splitlines()
    assert len(shown) == 2
    assert f"{first['score']:.4f}" in shown[0]
    assert first["text"] in shown[0]
    ran = acclimate("encode", "form", "texts.txt", "--out", "vectors.npy", "--dimensions", "99")
    assert ran.returncode == 2
    assert "--dimensions 99: the vectors of form have 16" in ran.stderr
