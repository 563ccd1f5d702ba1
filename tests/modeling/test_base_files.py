"""What is digested of a base is what is loaded of it: every other file could as well not be there."""

import json
import os
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from acclimate.errors import ModelError
from acclimate.modeling.base_files import TOKENIZER_FILES, read_tokenizer
from acclimate.modeling.folder import ModelFolder
from acclimate.modeling.imported_base import import_base, random_base
from acclimate.modeling.source import resolve_base
from acclimate.study.outputs.origins import license_of

pytestmark = pytest.mark.measured(1)


@pytest.fixture
def bert(tiny, base):
    return base(tiny("bert", "mlm"))


def looked_at(folder):
    return resolve_base(folder.name, folder.parent)


def imported(folder, output):
    """Everything of an imported base: tensors, config, and the bytes of its other files."""
    made = import_base(looked_at(folder), output)
    files = {path.name: path.read_bytes() for path in output.iterdir() if path.suffix != ".safetensors"}
    return made.tensors(), files


def same(one, two):
    return one[1] == two[1] and one[0].keys() == two[0].keys() and all(torch.equal(one[0][name], two[0][name]) for name in one[0])


def test_an_exported_model_is_no_base(tmp_path):
    for name in ("tokenizer.json", "model.onnx", "acclimate_onnx.json"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(ModelError, match=r"is an exported model, .* for this name the folder that it was made of"):
        looked_at(tmp_path)


UNREAD = {
    "generation_config.json": '{"max_length": 7}',
    "chat_template.jinja": "{{ messages }}",
    "preprocessor_config.json": "{}",
    "pytorch_model.bin": "never read",
    "model.bin.index.json": "{}",
    "training_args.bin": "never read",
    "tokenizer.4.0.0.json": "{}",
    "model.fp16.safetensors": "never read",
    "modeling_bert.py": "raise SystemExit",
    "config.4.0.0.json": "{}",
    "params.json": "{}",
    "shard-00000-model-00000-of-00001.safetensors": "what a newer loader would take in the place of the weights",
    "adapter_model.safetensors": "an adapter whose settings are not there",
}


@pytest.mark.parametrize("name", [*TOKENIZER_FILES, *UNREAD])
def test_a_file_beside_the_weights_is_in_the_digest_or_changes_nothing(name, bert, tmp_path):
    before = imported(bert.folder, tmp_path / "before")
    content = UNREAD.get(name) or {"vocab.txt": "[PAD]\n", "merges.txt": "a b\n"}.get(name, "{}")
    (bert.folder / name).write_text(content)
    if looked_at(bert.folder).digest == bert.digest:
        assert same(imported(bert.folder, tmp_path / "after"), before)
    else:
        assert name in TOKENIZER_FILES


@pytest.mark.parametrize("content", [{"added_tokens.json": {"w3": 8}}, {"special_tokens_map.json": {"pad_token": "w3"}}])
def test_what_plain_transformers_reads_of_the_tokenizer_is_in_the_digest(content, bert):
    digests = {bert.digest}
    for name, value in content.items():
        (bert.folder / name).write_text(json.dumps(value))
        digests.add(looked_at(bert.folder).digest)
    assert len(digests) == 1 + len(content)


def test_an_adapter_beside_the_model_is_refused_with_the_mend(bert):
    (bert.folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "base_model_name_or_path": "elsewhere"}))
    with pytest.raises(ModelError, match=r"adapter_config\.json.*beside the model.*merge_and_unload"):
        looked_at(bert.folder)
    (bert.folder / "config.json").unlink()
    with pytest.raises(ModelError, match=r"adapter_config\.json.*no model.*merge_and_unload"):
        looked_at(bert.folder)


def test_of_one_file_and_shards_the_one_is_read_as_transformers_does(bert, tmp_path, tiny):
    before = imported(bert.folder, tmp_path / "before")
    other = {name: tensor + 1 for name, tensor in load_file(bert.folder / "model.safetensors").items()}
    save_file(other, bert.folder / "model-00001-of-00001.safetensors", metadata={"format": "pt"})
    index = {"metadata": {}, "weight_map": dict.fromkeys(other, "model-00001-of-00001.safetensors")}
    (bert.folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert looked_at(bert.folder).digest == bert.digest
    assert same(imported(bert.folder, tmp_path / "both"), before)
    (bert.folder / "model.safetensors").unlink()
    sharded = looked_at(bert.folder)
    assert sharded.digest != bert.digest
    assert not same(imported(bert.folder, tmp_path / "shards"), before)
    (bert.folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=1))
    assert looked_at(bert.folder).digest != sharded.digest


def test_a_card_that_is_a_link_elsewhere_is_not_read(bert, tmp_path):
    (tmp_path / "secret").write_text("---\nlicense: mit\n---\n")
    (bert.folder / "README.md").symlink_to(tmp_path / "secret")
    assert license_of(bert.folder)["license"] is None
    (bert.folder / "README.md").unlink()
    shutil.copyfile(tmp_path / "secret", bert.folder / "README.md")
    assert license_of(bert.folder)["license"] == "mit"


def test_links_within_the_folder_and_those_of_the_hub_s_cache_are_followed(bert, tmp_path):
    cache = tmp_path / "models--some--model"
    snapshot = cache / "snapshots" / "0123"
    (cache / "blobs").mkdir(parents=True)
    snapshot.mkdir(parents=True)
    for number, file in enumerate(sorted(bert.folder.iterdir())):
        shutil.copyfile(file, cache / "blobs" / str(number))
        (snapshot / file.name).symlink_to(f"../../blobs/{number}")
    cached = resolve_base(str(snapshot), tmp_path)
    assert cached.digest == bert.digest
    assert import_base(cached, tmp_path / "out").names
    os.rename(bert.folder / "model.safetensors", bert.folder / "weights")
    (bert.folder / "model.safetensors").symlink_to("weights")
    assert looked_at(bert.folder).digest == bert.digest
    (tmp_path / "link").symlink_to(bert.folder)
    assert resolve_base("link", tmp_path).digest == bert.digest


def test_nothing_is_left_beside_an_imported_base(bert, tmp_path):
    import_base(bert, tmp_path / "store" / "model")
    random_base(bert, tmp_path / "store" / "random", 0)
    assert sorted(path.name for path in (tmp_path / "store").iterdir()) == ["model", "random"]
    assert ModelFolder(tmp_path / "store" / "model").names


def test_a_tokenizer_that_is_none_is_an_error_wherever_it_is_read(tmp_path):
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelError, match=r"tokenizer\.json: not a fast tokenizer"):
        read_tokenizer(tmp_path / "tokenizer.json")
