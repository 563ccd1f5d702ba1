"""What is handed over is as precise as its base on disk: rounded once, where that is half of float32, and never where it would break."""

from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification

from acclimate.files import read_json, write_json
from acclimate.modeling.base_dtype import half_of, in_base_dtype
from acclimate.modeling.base_files import BASE_DTYPE, CONFIG, VECTORS, WEIGHTS, dtypes_in
from acclimate.modeling.folder import save_model
from acclimate.modeling.head_settings import HeadSettings
from acclimate.modeling.heads import load_classifier, load_trained_classifier
from acclimate.modeling.imported_base import import_base, random_base
from acclimate.modeling.source import resolve_base
from acclimate.study.outputs import rounding


def learned(source, folder):
    """A classifier that was made of a base."""
    parent = import_base(source, folder / "parent")
    return parent, save_model(folder / "learned", parent, load_classifier(parent, ("a", "b"), HeadSettings(), 0, 0.0))


@pytest.mark.parametrize("name", ["llama", "gpt2"])
def test_a_base_of_half_the_size_is_worked_on_in_float32_and_comes_out_as_it_was(name, tiny, base, tmp_path):
    source = base(tiny(name, "mlm").to(torch.bfloat16))
    parent, kept = learned(source, tmp_path)
    assert parent.config[BASE_DTYPE] == kept.config[BASE_DTYPE] == "bfloat16"
    for folder, stored in ((parent, {"BF16"}), (kept, {"BF16", "F32"})):  # what is as the base has it, and a head
        assert dtypes_in(folder.path / WEIGHTS) == stored
        assert folder.config["dtype"] == "float32"
    before = load_file(kept.path / WEIGHTS)
    assert in_base_dtype(kept.path) == "bfloat16"
    assert dtypes_in(kept.path / WEIGHTS) == {"BF16"}
    for key, rounded in load_file(kept.path / WEIGHTS).items():
        assert torch.equal(rounded, before[key].to(torch.bfloat16))
    plain, info = AutoModelForSequenceClassification.from_pretrained(kept.path, output_loading_info=True)
    assert not info["missing_keys"]
    assert plain.dtype == torch.bfloat16
    ours = load_trained_classifier(type(kept)(kept.path))
    assert all(
        torch.equal(own.bfloat16(), each) and own.dtype == torch.float32
        for own, each in zip(ours.parameters(), plain.parameters(), strict=True)
    )
    again = resolve_base(str(kept.path), tmp_path)
    assert import_base(again, tmp_path / "again").config[BASE_DTYPE] == "bfloat16"
    assert BASE_DTYPE not in random_base(again, tmp_path / "random", 0).config


def test_a_base_in_float32_or_of_both_and_an_encoder_change_nothing(tiny, base, tmp_path):
    source = base(tiny("llama", "mlm"))
    _, kept = learned(source, tmp_path)
    assert BASE_DTYPE not in kept.config
    before = {file.name: file.read_bytes() for file in kept.path.iterdir()}
    assert in_base_dtype(kept.path) is None
    assert {file.name: file.read_bytes() for file in kept.path.iterdir()} == before
    tensors = load_file(source.folder / WEIGHTS)
    mixed = {name: tensor if "norm" in name else tensor.half() for name, tensor in tensors.items()}
    save_file(mixed, source.folder / WEIGHTS, {"format": "pt"})
    assert half_of(source.files) is None
    encoder = base(tiny("bert", "mlm").half(), "encoder")
    assert half_of(encoder.files) == "float16"
    assert BASE_DTYPE not in import_base(encoder, tmp_path / "imported").config
    # What a config.json says of an earlier life of the weights does not count.
    write_json(source.folder / CONFIG, read_json(source.folder / CONFIG) | {BASE_DTYPE: "float16"})
    assert BASE_DTYPE not in import_base(resolve_base(str(source.folder), tmp_path), tmp_path / "mixed").config


def test_weights_that_float16_does_not_hold_and_models_of_vectors_stay_as_they_are(tiny, base, tmp_path):
    _, kept = learned(base(tiny("llama", "mlm").half()), tmp_path)
    whole = kept.config
    write_json(kept.path / CONFIG, whole | {VECTORS: {"head": "linear"}})
    assert in_base_dtype(kept.path) is None
    write_json(kept.path / CONFIG, whole)
    tensors = load_file(kept.path / WEIGHTS)
    tensors["score.weight"][0, 0] = 1e5
    save_file(tensors, kept.path / WEIGHTS, {"format": "pt"})
    assert in_base_dtype(kept.path) is None
    assert dtypes_in(kept.path / WEIGHTS) == {"F16", "F32"}  # as it was
    tensors["score.weight"][0, 0] = 1.0
    save_file(tensors, kept.path / WEIGHTS, {"format": "pt"})
    assert in_base_dtype(kept.path) == "float16"


def test_memory_for_both_models_that_is_not_there_costs_no_results(tmp_path, monkeypatch):
    def beyond(*_):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(rounding, "_predicted", beyond)
    split = MagicMock(words=None, __len__=lambda _: 2)
    task = SimpleNamespace(names=("a", "b"), test=split, kind=SimpleNamespace(answered=("sequence",), item="text"))
    assert "answered otherwise" not in rounding.told_of_rounding("best", "bfloat16", task, tmp_path, tmp_path)
