"""A model of somebody's runs no code, reads no file outside of its folder, and asks for no memory that it has no weights for."""

import json
import shutil

import pytest
from safetensors.numpy import save_file
from tests.modeling.test_base_config import edited
from tests.modeling.test_base_files import looked_at
from tests.modeling.test_source import edit_json

from acclimate.errors import ModelError
from acclimate.modeling import base_config
from acclimate.modeling.source import resolve_base


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.ckpt"])
def test_a_pickle_only_folder_is_refused_before_anything_in_it_is_read(name, tmp_path, monkeypatch):
    folder = tmp_path / "old"
    folder.mkdir()
    # Nothing of these could be read without an error of another kind.
    for file in ("config.json", name):
        (folder / file).write_bytes(b"\xff not readable")
    monkeypatch.setattr(base_config, "read_object", lambda *_: pytest.fail("a file was read"))
    with pytest.raises(ModelError, match=rf"{name}.*run code.*safe_serialization"):
        resolve_base("old", tmp_path)


def test_pickles_beside_safetensors_do_no_harm(bert):
    (bert.folder / "pytorch_model.bin").write_bytes(b"never read")
    assert resolve_base("base", bert.folder.parent).digest == bert.digest


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
def test_remote_code_is_refused_before_weights_and_tokenizer_are_read(name, bert, monkeypatch):
    edit_json(bert.folder / name, auto_map={"AutoModel": "modeling_own.OwnModel"})
    (bert.folder / "modeling_own.py").write_text("raise SystemExit('code of the model was run')")
    (bert.folder / "model.safetensors").write_bytes(b"broken")
    (bert.folder / "tokenizer.json").unlink()
    with pytest.raises(ModelError, match=rf"{name} asks for code.*auto_map"):
        resolve_base("base", bert.folder.parent)


@pytest.mark.parametrize("shard", ["../base/secret.safetensors", "missing.safetensors"])
def test_an_index_cannot_point_outside_or_at_nothing(shard, bert, tmp_path):
    save_file({}, bert.folder / "secret.safetensors")
    (bert.folder / "model.safetensors").unlink()
    (bert.folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"x": shard}}))
    with pytest.raises(ModelError, match="names"):
        resolve_base("base", tmp_path)


def test_a_torn_weights_file_is_an_error_of_ours(bert):
    weights = bert.folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ModelError, match=r"model\.safetensors: not a safetensors file.*incomplete"):
        resolve_base("base", bert.folder.parent)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt", "model.safetensors"])
def test_a_link_that_leaves_the_folder_brings_nothing_into_the_store(name, bert, tmp_path):
    secret = tmp_path / "secret"
    if (bert.folder / name).exists():
        shutil.move(bert.folder / name, secret)
    else:
        secret.write_text("root:x:0:0\n")
    (bert.folder / name).symlink_to(secret)
    with pytest.raises(ModelError, match=rf"{name} is a link to .*secret, outside"):
        looked_at(bert.folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"num_hidden_layers": 900},
        {"vocab_size": 10_000_000},
        {"intermediate_size": 1_000_000},
        {"max_position_embeddings": 1_000_000},
        {"hidden_size": 4096},
    ],
)
def test_a_model_larger_than_its_weights_is_refused_before_it_is_built(changes, bert, monkeypatch):
    monkeypatch.setattr("acclimate.modeling.architecture.Architecture.build", lambda *_: pytest.fail("a model was built"))
    with pytest.raises(ModelError, match=r"describes a model of at least [\d,]+ parameters, and its weights hold [\d,]+"):
        edited(bert.folder, **changes)


def test_an_enormous_tokenizer_is_refused_unread(bert, monkeypatch):
    monkeypatch.setattr("acclimate.modeling.base_files.MOST_TOKENIZER_BYTES", 1000)
    with pytest.raises(ModelError, match=r"tokenizer\.json has [\d,]+ bytes; no tokenizer is larger than 1,000"):
        resolve_base(bert.folder.name, bert.folder.parent)


def header(told, length=None):
    """A safetensors file that begins with this header and says that it is so long."""
    text = json.dumps(told).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + bytes(64)


ENORMOUS = {"dtype": "F32", "shape": [10**9, 10**9], "data_offsets": [0, 4 * 10**18]}
HEADERS = {
    "a header of 2^63 bytes": header({}, 2**63),
    "a header of a gigabyte": header({}, 2**30),
    "a tensor larger than the file": header({"x": ENORMOUS}),
    "sizes whose product overflows": header({"x": ENORMOUS | {"shape": [2**32, 2**32], "data_offsets": [0, 64]}}),
    "offsets that run backwards": header({"x": {"dtype": "F32", "shape": [4], "data_offsets": [64, 48]}}),
    "tensors on top of each other": header({name: {"dtype": "F32", "shape": [16], "data_offsets": [0, 64]} for name in "xy"}),
    "a negative size": header({"x": {"dtype": "F32", "shape": [-16], "data_offsets": [0, 64]}}),
    "a thousand lists in each other": (2000).to_bytes(8, "little") + b"[" * 2000,
}


@pytest.mark.parametrize("what", HEADERS)
def test_a_header_that_asks_for_what_the_file_does_not_hold_is_refused(what, bert):
    (bert.folder / "model.safetensors").write_bytes(HEADERS[what])
    with pytest.raises(ModelError, match=r"model\.safetensors: not a safetensors file"):
        resolve_base("base", bert.folder.parent)
