"""A base in a GGUF file: unpacked once into a folder, with the numbers that the file stands for, and checked by its header before that."""

import gguf
import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from acclimate.errors import MissingExtraError, ModelError
from acclimate.modeling import gguf_base
from acclimate.modeling.base_files import WEIGHTS
from acclimate.modeling.gguf_base import cache_folder, unpacked
from acclimate.modeling.imported_base import import_base
from acclimate.modeling.named import NAMED, Packaged
from acclimate.modeling.source import resolve_base

WIDTH, WIDER, LAYERS, HEADS, GROUPS = 64, 96, 2, 4, 2
PIECES = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *"abcdefghijklmnopqrstuvwxyzĠ", "th", "the", "Ġthe"]
QUANTISED = gguf.GGMLQuantizationType.Q8_0


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def write(path, layers=LAYERS, width=WIDTH, kind=QUANTISED):
    """A Llama of `LAYERS` layers that says that it has `layers` of `width`; its numbers by name."""
    writer, rng = gguf.GGUFWriter(path, "llama"), np.random.default_rng(0)
    writer.add_block_count(layers)
    writer.add_context_length(128)
    writer.add_embedding_length(width)
    writer.add_feed_forward_length(WIDER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(GROUPS)
    writer.add_rope_freq_base(10_000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(PIECES))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(PIECES)
    writer.add_token_types([3, 3, 3, *[1] * (len(PIECES) - 3)])
    writer.add_token_merges(["t h", "th e", "Ġ the"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    narrow = WIDTH * GROUPS // HEADS
    shapes = {"token_embd": (len(PIECES), WIDTH), "output_norm": (WIDTH,)}
    for layer in range(LAYERS):
        shapes |= {f"blk.{layer}.{name}": (WIDTH,) for name in ("attn_norm", "ffn_norm")}
        shapes |= {f"blk.{layer}.{name}": (WIDTH, WIDTH) for name in ("attn_q", "attn_output")}
        shapes |= {f"blk.{layer}.{name}": (narrow, WIDTH) for name in ("attn_k", "attn_v")}
        shapes |= {f"blk.{layer}.{name}": (WIDER, WIDTH) for name in ("ffn_gate", "ffn_up")} | {f"blk.{layer}.ffn_down": (WIDTH, WIDER)}
    for name, shape in shapes.items():
        values = rng.normal(0, 0.3, shape).astype(np.float32)
        if len(shape) == 1:
            writer.add_tensor(f"{name}.weight", values)
        else:
            writer.add_tensor(f"{name}.weight", gguf.quantize(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_a_file_is_a_base_whose_logits_are_those_of_transformers(tmp_path):
    file = write(tmp_path / "small.gguf")
    source = resolve_base("small.gguf", tmp_path)
    assert source.folder.parent == cache_folder()
    assert source.config["model_type"] == "llama"
    assert "quantization_config" not in source.config
    plain = AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file=file.name, dtype=torch.float32)
    ours = AutoModelForCausalLM.from_pretrained(import_base(source, tmp_path / "base").path)
    ids = torch.tensor([[1, 5, 9, 30, 31, 2]])
    with torch.no_grad():
        torch.testing.assert_close(ours(ids).logits, plain(ids).logits)
    tokenizer = AutoTokenizer.from_pretrained(source.folder)
    assert tokenizer.convert_ids_to_tokens(tokenizer("a the")["input_ids"]) == ["a", "Ġthe"]


def test_it_is_unpacked_once_and_again_when_it_was_damaged(tmp_path, monkeypatch):
    file = write(tmp_path / "small.gguf")
    folder = unpacked("small", file)
    weights = (folder / WEIGHTS).read_bytes()
    monkeypatch.setattr(gguf_base, "_convert", lambda *_: pytest.fail("unpacked a second time"))
    assert unpacked("small", file) == folder
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (folder / WEIGHTS).write_bytes(weights[:-4])
    assert (unpacked("small", file) / WEIGHTS).read_bytes() == weights


@pytest.mark.parametrize(
    ("changes", "why"),
    [({"layers": 5_000}, "says that it has 5000 layers, and holds 2"), ({"width": 1 << 16}, "config.json describes a model of at least")],
)
def test_sizes_that_its_tensors_do_not_have_are_refused_before_room_is_taken(changes, why, tmp_path, monkeypatch):
    write(tmp_path / "large.gguf", **changes)
    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", lambda *_, **__: pytest.fail("room for the weights was taken"))
    with pytest.raises(ModelError, match=why):
        resolve_base("large.gguf", tmp_path)
    assert not [path for path in cache_folder().iterdir() if path.is_dir()]


def test_what_is_none_or_cut_off_is_refused(tmp_path, monkeypatch):
    whole = write(tmp_path / "whole.gguf").read_bytes()
    for name, content in (("cut", whole[:-200]), ("header", whole[:40]), ("text", b"GGML is older"), ("empty", b"")):
        (tmp_path / f"{name}.gguf").write_bytes(content)
        with pytest.raises(ModelError, match=f"base {name}.gguf: .* is no GGUF file, or is cut off"):
            resolve_base(f"{name}.gguf", tmp_path)
    monkeypatch.setattr(gguf_base, "MOST_PARAMETERS", 1000)
    with pytest.raises(ModelError, match="more than the 1,000 that are read here"):
        resolve_base("whole.gguf", tmp_path)


def test_a_package_may_bring_one(tmp_path, monkeypatch):
    package = tmp_path / "with_a_model"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit('never imported')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(NAMED, "smollm2", Packaged("with_a_model", ".", "pip install it", "some/where", "small.gguf"))
    with pytest.raises(MissingExtraError, match="is not whole"):
        resolve_base("smollm2", tmp_path)
    write(package / "small.gguf")
    source = resolve_base("smollm2", tmp_path)
    assert (source.name, source.hub, source.config["num_hidden_layers"]) == ("smollm2", "some/where", LAYERS)
