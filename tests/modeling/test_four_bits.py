"""Adapters beside weights in four bits (QLoRA): refused kindly where it cannot be, else trained, kept and merged."""

from types import SimpleNamespace

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file
from tests.modeling.conftest import build_tiny, make_base, make_batch
from tests.modeling.padded import LENGTHS

from acclimate.errors import MissingExtraError, SettingsError
from acclimate.modeling import adapter_settings
from acclimate.modeling.adapter_settings import FOLDER, REST, Lora, check_four_bits
from acclimate.modeling.adapters import WEIGHTS, add_adapters, merge_adapter, save_adapter
from acclimate.modeling.execution import Packed
from acclimate.modeling.families import family_of
from acclimate.modeling.four_bits import four_bit_names, in_four_bits, numbers_in
from acclimate.modeling.head_settings import HeadSettings
from acclimate.modeling.heads import load_classifier, load_trained_classifier
from acclimate.modeling.imported_base import import_base
from acclimate.modeling.tensors import to_tensors
from acclimate.stages.finetune import Finetune
from acclimate.stages.planned import Sizes
from acclimate.stages.pretrain import Pretrain

FOUR = {"lora": {"bits": 4}}


def test_where_no_gpu_is_or_no_library_it_is_refused_before_any_work(tmp_path, monkeypatch):
    given = Sizes.of(make_base(tmp_path / "llama", build_tiny("llama", "mlm")))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for stage in (Finetune(train=FOUR), Pretrain(train=FOUR, objective="clm")):
        with pytest.raises(SettingsError, match=r"lora: bits: 4: no CUDA GPU is seen here.*leave `bits` out"):
            stage.check(given, None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(adapter_settings, "find_spec", lambda name: None if name == "bitsandbytes" else SimpleNamespace())
    with pytest.raises(MissingExtraError, match=r'bitsandbytes: pip install "acclimate\[lora,qlora\]"'):
        Finetune(train=FOUR).check(given, None)
    with pytest.raises(SettingsError, match="layers of gpt2 are of a kind of their own"):
        check_four_bits(True, family_of({"model_type": "gpt2"}))
    for wrong, why in (({"bits": 8}, "Input should be 4"), ({"bits": 4, "dora": True}, "`bits: 4` does not go with `dora`")):
        with pytest.raises(ValidationError, match=why):
            Finetune(train={"lora": wrong})


def test_it_is_said_in_title_and_key_and_moves_no_other_key():
    assert Finetune(train=FOUR).title() == "finetune (LoRA rank 8, 4 bits)"
    assert Lora(bits=4).keyed().items() >= {("bits", 4)}
    assert "bits" not in Lora().keyed()


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_adapters_learn_beside_four_bits_and_are_merged_into_the_weights_themselves(tmp_path, device):
    # Plans ask for a GPU; the library has the same kernels for CPUs, by which all but speed is seen everywhere.
    wide = {"hidden_size": 64, "intermediate_size": 128}
    parent = import_base(make_base(tmp_path / "base", build_tiny("llama", "mlm", **wide).to(torch.bfloat16)), tmp_path / "parent")
    model = load_classifier(parent, ("a", "b", "c"), HeadSettings(), 0, 0.0, frozen=True)
    whole = sum(each.numel() for each in model.parameters())
    add_adapters(model, Lora(bits=4), 1, head=True)
    adapters = {key: each for key, each in model.named_parameters() if ".lora_" in key}
    assert all(each.dtype == torch.float32 and each.requires_grad for each in adapters.values())
    packed = Packed(model).to(device).train()
    assert in_four_bits(model)
    assert len(four_bit_names(model)) == 3 * 7
    assert all(each.dtype == torch.uint8 for key, each in model.named_parameters() if "base_layer.weight" in key)
    assert sum(map(numbers_in, model.parameters())) == whole + sum(each.numel() for each in adapters.values())
    batch = to_tensors(make_batch(LENGTHS, False), device)
    optimizer, losses = torch.optim.AdamW([each for each in model.parameters() if each.requires_grad], lr=5e-3), []
    for _ in range(20):
        optimizer.zero_grad()
        losses.append(torch.nn.functional.cross_entropy(packed(batch), batch.targets["labels"]))
        losses[-1].backward()
        optimizer.step()
    assert losses[-1] < 0.5 * losses[0]
    output = tmp_path / "left"
    output.mkdir()
    save_adapter(output, parent, model, "a test")
    assert set(load_file(output / REST)) >= {"score.weight"}
    assert not any("layers" in key for key in load_file(output / REST))
    assert {each.dtype for each in load_file(output / FOLDER / WEIGHTS).values()} == {torch.float32}
    merged = load_trained_classifier(merge_adapter(output, parent, tmp_path / "merged")).to(device)
    with torch.no_grad():
        rounded, own = packed.eval()(batch).softmax(-1), Packed(merged).eval()(batch).softmax(-1)
    assert (rounded - own).abs().max() < 0.3  # other weights, by as much as four bits round
