import json
import subprocess
import sys
from types import SimpleNamespace

import pytest

from acclimate.errors import ModelError
from acclimate.modeling import source as source_module
from acclimate.modeling.source import resolve_base


@pytest.fixture
def bert(tiny, base):
    return base(tiny("bert", "mlm"))


def edit_json(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_folder_is_found_relative_to_the_study(bert):
    found = resolve_base("base", bert.folder.parent)
    assert found.folder == bert.folder
    assert found.digest == bert.digest
    assert found.config["model_type"] == "bert"


def test_parameters_and_bytes_come_from_the_file(tiny, bert):
    assert bert.parameters == sum(parameter.numel() for parameter in tiny("bert", "mlm").parameters())
    assert bert.bytes == (bert.folder / "model.safetensors").stat().st_size


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_the_digest_changes_with_every_file_that_matters(name, bert, tiny):
    if name == "model.safetensors":
        tiny("bert", "mlm", seed=5).save_pretrained(bert.folder)
    else:
        (bert.folder / name).write_text((bert.folder / name).read_text() + " ")
    assert resolve_base("base", bert.folder.parent).digest != bert.digest


def test_the_digest_does_not_depend_on_the_place(bert, tmp_path):
    (tmp_path / "moved").mkdir()
    moved = bert.folder.rename(tmp_path / "moved" / "elsewhere")
    assert resolve_base("elsewhere", moved.parent).digest == bert.digest


def test_an_unsupported_architecture_is_refused_with_those_that_are_supported(bert):
    edit_json(bert.folder / "config.json", model_type="t5")
    with pytest.raises(ModelError, match=r"'t5' is not supported.*bert.*roberta"):
        resolve_base("base", bert.folder.parent)


@pytest.mark.parametrize(
    ("name", "message"),
    [("config.json", "no config.json"), ("tokenizer.json", "fast tokenizer"), ("model.safetensors", "no model.safetensors")],
)
def test_a_missing_file_is_named(name, message, bert):
    (bert.folder / name).unlink()
    with pytest.raises(ModelError, match=message):
        resolve_base("base", bert.folder.parent)


def test_broken_json_is_an_error_of_ours(bert):
    (bert.folder / "config.json").write_text('{"model_type": ')
    with pytest.raises(ModelError, match=r"config\.json cannot be read as JSON"):
        resolve_base("base", bert.folder.parent)


@pytest.mark.parametrize("base", ["./nowhere", "/no/where/at/all", "a/b/c"])
def test_a_path_that_is_not_there_is_not_looked_for_on_the_hub(base, tmp_path, monkeypatch):
    monkeypatch.setattr(source_module, "_download", lambda _: pytest.fail("the hub was asked"))
    with pytest.raises(ModelError, match="there is no folder"):
        resolve_base(base, tmp_path)


@pytest.fixture
def hub(bert, monkeypatch):
    """A hub that holds the folder `bert`; `hub.asked` lists what was downloaded."""
    import huggingface_hub

    hub = SimpleNamespace(asked=[], folder=bert.folder)

    def one(_repo, name):
        hub.asked.append(name)
        return str(hub.folder / name)

    def many(_repo, allow_patterns, **_):
        hub.asked.append(tuple(allow_patterns))
        return str(hub.folder)

    class Api:
        def list_repo_files(self, _repo):
            return [path.name for path in hub.folder.iterdir()]

    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", one)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", many)
    return hub


def test_a_hub_id_downloads_safe_formats_only(hub, bert, tmp_path):
    assert resolve_base("some/model", tmp_path / "study").digest == bert.digest
    patterns = hub.asked[-1]
    assert not any(pattern.endswith((".bin", ".pt", ".py", "*", ".ckpt")) for pattern in patterns)


def test_without_a_network_a_mistyped_short_name_is_answered_with_the_right_one(monkeypatch, tmp_path):
    import huggingface_hub
    from huggingface_hub.errors import LocalEntryNotFoundError

    class Unreachable(Exception):  # what a network library raises is none of Python's own
        pass

    class Api:
        def list_repo_files(self, _repo):
            raise Unreachable("no route")

    def nothing(*_, **__):
        raise LocalEntryNotFoundError("not there")

    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", nothing)
    with pytest.raises(ModelError, match=r"the hub is out of reach \(no route\); did you mean 'acclimate-mini'\?"):
        resolve_base("Acclimate_mini", tmp_path)


def test_a_pickle_only_hub_model_is_refused_without_downloading_anything(hub, tmp_path):
    (hub.folder / "model.safetensors").rename(hub.folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"pytorch_model\.bin"):
        resolve_base("some/model", tmp_path / "study")
    assert hub.asked == []


def test_a_hub_model_with_its_own_code_is_refused_before_its_weights_are_downloaded(hub, tmp_path):
    edit_json(hub.folder / "config.json", auto_map={"AutoModel": "x.Y"})
    with pytest.raises(ModelError, match="auto_map"):
        resolve_base("some/model", tmp_path / "study")
    assert set(hub.asked) <= {"config.json", "tokenizer_config.json"}


def test_looking_at_a_base_does_not_load_torch(bert):
    code = (
        "import sys; from pathlib import Path; from acclimate.modeling.source import resolve_base; resolve_base('base', Path(sys.argv[1]))"
    )
    code += "; assert not {'torch', 'transformers'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code, str(bert.folder.parent)], check=True)
