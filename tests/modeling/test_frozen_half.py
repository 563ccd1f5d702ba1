"""Frozen weights stay as precise as their base has them, on disk and in memory; what is computed beside them is what float32 gives."""

import json
import os
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file
from tests.modeling.conftest import DECODERS
from tests.modeling.padded import LENGTHS
from transformers import AutoConfig, AutoModelForCausalLM

from acclimate.errors import ModelError
from acclimate.modeling.adapter_settings import FOLDER, Lora
from acclimate.modeling.adapters import WEIGHTS as ADAPTER
from acclimate.modeling.adapters import add_adapters, merge_adapter, save_adapter
from acclimate.modeling.base_files import WEIGHTS, dtypes_in
from acclimate.modeling.execution import Packed
from acclimate.modeling.folder import save_model
from acclimate.modeling.frozen_half import HALVES, fill_frozen
from acclimate.modeling.head_settings import HeadSettings
from acclimate.modeling.heads import load_classifier, load_mlm, load_trained_classifier
from acclimate.modeling.imported_base import import_base
from acclimate.modeling.tensors import to_tensors
from acclimate.objectives.clm import NextTokens

LABELS = ("a", "b", "c")


def trained(model, run, steps=3):
    """The losses of some steps, and what was learned."""
    add_adapters(model, Lora(rank=4), 1, head=hasattr(model, "score"))
    packed = run(Packed(model).train())
    learned = [each for each in model.parameters() if each.requires_grad]
    assert all(each.dtype == torch.float32 for each in learned)
    optimizer, losses = torch.optim.AdamW(learned, lr=1e-2), []
    for _ in range(steps):
        optimizer.zero_grad()
        losses.append(packed())
        losses[-1].backward()
        optimizer.step()
    return torch.stack(losses).detach(), {name: each.detach() for name, each in model.named_parameters() if each.requires_grad}


@pytest.mark.measured(2)
@pytest.mark.parametrize(("name", "dtype"), [(name, HALVES[place % 2]) for place, name in enumerate(DECODERS)])
def test_adapters_learn_beside_half_precision_what_they_learn_beside_float32(name, dtype, tiny, flat, base, tmp_path):
    parent = import_base(base(tiny(name, "mlm").to(dtype)), tmp_path / "parent")
    assert dtypes_in(parent.path / WEIGHTS) <= {"BF16", "F16"}
    words, labels = (to_tensors(flat(LENGTHS, targets), "cpu") for targets in (True, False))

    def of_words(packed):
        module = NextTokens(packed)
        return lambda: module(words)

    def of_labels(packed):
        return lambda: torch.nn.functional.cross_entropy(packed(labels), labels.targets["labels"])

    def classifier(frozen):
        return load_classifier(parent, LABELS, HeadSettings(), 0, 0.0, frozen=frozen)

    for load, run in ((lambda frozen: load_mlm(parent, 0, 0.0, frozen)[0], of_words), (classifier, of_labels)):
        half, whole = load(True), load(False)
        kept = {key for key, each in half.named_parameters() if each.dtype == dtype}
        assert sum(each.numel() for key, each in half.named_parameters() if key in kept) > 0.5 * sum(e.numel() for e in half.parameters())
        assert all(each.dtype == torch.float32 for each in whole.parameters())
        (losses, learned), (expected, wanted) = trained(half, run), trained(whole, run)
        torch.testing.assert_close(losses, expected, rtol=1e-6, atol=1e-6)
        for key, each in wanted.items():
            torch.testing.assert_close(learned[key], each, rtol=1e-5, atol=1e-6)
    output = tmp_path / "left"
    output.mkdir()
    save_adapter(output, parent, half, "a test")
    assert {each.dtype for each in load_file(output / FOLDER / ADAPTER).values()} == {torch.float32}
    merged = merge_adapter(output, parent, tmp_path / "merged")
    with torch.no_grad():
        again = Packed(load_trained_classifier(merged)).eval()(labels)
        torch.testing.assert_close(again, Packed(half).eval()(labels), rtol=1e-5, atol=1e-5)
    before, after = load_file(parent.path / WEIGHTS), load_file(merged.path / WEIGHTS)
    untouched = {key for key in before if torch.equal(before[key].float(), after[key].float())}
    assert any("embed" in key or "wte" in key for key in untouched)
    assert all(after[key].dtype == (dtype if key in untouched else torch.float32) for key in before)


def test_what_was_trained_is_float32_on_disk_and_what_was_not_stays_as_it_was(tiny, base, tmp_path):
    parent = import_base(base(tiny("llama", "mlm").to(torch.bfloat16)), tmp_path / "parent")
    model = load_classifier(parent, LABELS, HeadSettings(), 0, 0.0)
    with torch.no_grad():
        model.model.layers[2].mlp.up_proj.weight += 1e-3
    kept = save_model(tmp_path / "kept", parent, model)
    tensors = load_file(kept.path / WEIGHTS)
    assert {key for key, each in tensors.items() if each.dtype == torch.float32} == {"model.layers.2.mlp.up_proj.weight", "score.weight"}
    assert all(torch.equal(each, model.state_dict()[key]) for key, each in kept.tensors().items() if key != "lm_head.weight")
    assert all(each.dtype == torch.float32 for each in load_trained_classifier(kept).parameters())


def test_a_weight_of_another_shape_is_refused(tiny):
    with pytest.raises(ModelError, match=r"lm_head.weight is \[3, 16\], and not \[60, 16\]"):
        fill_frozen(tiny("llama", "mlm"), [("lm_head.weight", torch.zeros(3, 16))])


MEASURED = """
import json, sys
from pathlib import Path
import torch
from acclimate.modeling.adapters import Lora, add_adapters, save_adapter
from acclimate.modeling.execution import Packed
from acclimate.modeling.folder import ModelFolder
from acclimate.modeling.heads import HeadSettings, load_classifier
from acclimate.modeling.tensors import TensorBatch, to_tensors
from tests.modeling.conftest import make_batch

def peak():
    return next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))

torch.set_num_threads(1)
parent, output = ModelFolder(Path(sys.argv[1])), Path(sys.argv[2])
parent.architecture.class_name("classifier")  # libraries are loaded for it
import peft
before, found = peak(), {}
model = load_classifier(parent, ("a", "b", "c"), HeadSettings(), 0, 0.0, frozen=True)
found["loaded"] = peak() - before
add_adapters(model, Lora(), 0, head=True)
packed = Packed(model).train()
optimizer = torch.optim.AdamW([each for each in model.parameters() if each.requires_grad])
packed(to_tensors(make_batch((8, 8), False), "cpu")).sum().backward()
optimizer.step()
found["trained"] = peak() - before
output.mkdir()
save_adapter(output, parent, model, "a test")
found["saved"] = peak() - before
print(json.dumps(found))
"""


@pytest.mark.measured(0)
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the highest memory use of a process is told by Linux")
def test_a_model_is_loaded_trained_and_saved_in_the_memory_of_its_half_precision(base, tmp_path):
    size = {"vocab_size": 60, "hidden_size": 1024, "intermediate_size": 3072, "num_hidden_layers": 8, "num_attention_heads": 8}
    config = AutoConfig.for_model("llama", **size, max_position_embeddings=48, pad_token_id=0, bos_token_id=2, eos_token_id=3)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    parent = import_base(base(model), tmp_path / "parent")
    weights = (parent.path / WEIGHTS).stat().st_size
    assert weights > 200e6
    environment = {**os.environ, "MALLOC_ARENA_MAX": "1"}
    command = [sys.executable, "-c", MEASURED, str(parent.path), str(tmp_path / "left")]
    ran = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    found = json.loads(ran.stdout.splitlines()[-1])
    print(weights, found)
    assert found["loaded"] < 1.2 * weights  # one tensor is there twice
    assert found["saved"] < 1.6 * weights
