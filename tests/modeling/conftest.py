"""Tiny random models of every supported architecture, and folders that look like downloaded bases."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    PreTrainedModel,
)

from acclimate.data.batches import Batch
from acclimate.modeling.source import Source, resolve_base

VOCABULARY = 60
AUTO = {
    "base": AutoModel,
    "mlm": AutoModelForMaskedLM,
    "classifier": AutoModelForSequenceClassification,
    "tagger": AutoModelForTokenClassification,
}
COMMON = {
    "vocab_size": VOCABULARY, "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 24,
    "max_position_embeddings": 48, "num_labels": 3,
}  # fmt: skip
# A larger spread than usual, so that every path matters to the output and a wrong one shows.
WIDE = {"initializer_range": 0.3}
KINDS: dict[str, dict[str, Any]] = {  # encoders; decoders are below
    "albert": {**COMMON, **WIDE, "embedding_size": 12},
    "bert": {**COMMON, **WIDE},
    "camembert": {**COMMON, **WIDE, "pad_token_id": 1, "type_vocab_size": 2},
    "deberta": {**COMMON, **WIDE, "relative_attention": True, "pos_att_type": ["p2c", "c2p"], "pooler_hidden_size": 16},
    "deberta-v2": {**COMMON, **WIDE, "relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_buckets": 8,
                   "norm_rel_ebd": "layer_norm", "pooler_hidden_size": 16, "legacy": True},
    "distilbert": {**WIDE, "vocab_size": VOCABULARY, "dim": 16, "n_layers": 3, "n_heads": 2, "hidden_dim": 24,
                   "max_position_embeddings": 48, "num_labels": 3},
    "electra": {**COMMON, **WIDE, "embedding_size": 12},
    "modernbert": {**COMMON, **WIDE, "local_attention": 6, "global_attn_every_n_layers": 2, "pad_token_id": 0, "cls_token_id": 2,
                   "sep_token_id": 3, "bos_token_id": 2, "eos_token_id": 3, "classifier_pooling": "cls"},
    "mpnet": {**COMMON, **WIDE, "pad_token_id": 1},
    "roberta": {**COMMON, **WIDE, "pad_token_id": 1, "type_vocab_size": 2},
    "xlm-roberta": {**COMMON, **WIDE, "pad_token_id": 1, "type_vocab_size": 2},
}  # fmt: skip
# Queries share keys and values, heads are not as wide as usual, and layers take turns with and without a window: where a family can.
# Norms before attention let it saturate where weights are as wide as above.
_DECODER = {**COMMON, "initializer_range": 0.2, "pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3}
_GROUPED = {**_DECODER, "num_attention_heads": 4, "num_key_value_heads": 2}
_TURNS = {"sliding_window": 6, "layer_types": ["full_attention", "sliding_attention", "full_attention"]}
DECODERS: dict[str, dict[str, Any]] = {
    "gemma": {**_GROUPED, "num_key_value_heads": 1, "head_dim": 8},
    "gemma3_text": {**_GROUPED, **_TURNS, "head_dim": 8, "query_pre_attn_scalar": 8, "rope_theta": 10_000.0},
    "gpt2": {"initializer_range": 0.2, "vocab_size": VOCABULARY, "n_embd": 16, "n_layer": 3, "n_head": 2, "n_positions": 48,
             "num_labels": 3, "bos_token_id": 3, "eos_token_id": 3, "pad_token_id": 0},
    "gpt_neox": _DECODER,
    "llama": {**_GROUPED, "rms_norm_eps": 1e-6},
    "qwen2": {**_GROUPED, **_TURNS, "use_sliding_window": True},
    "qwen3": {**_GROUPED, **_TURNS, "use_sliding_window": True, "head_dim": 8, "tie_word_embeddings": True},
}  # fmt: skip
NO_DROPOUT = (
    "hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout_prob", "dropout", "attention_dropout", "seq_classif_dropout",
    "mlp_dropout", "embedding_dropout", "classifier_dropout", "pooler_dropout", "hidden_dropout", "resid_pdrop", "embd_pdrop", "attn_pdrop",
)  # fmt: skip


def build_tiny(name: str, kind: str, seed: int = 0, dropout: float = 0.0, **changes: Any) -> PreTrainedModel:
    config = AutoConfig.for_model(name, **(DECODERS if name in DECODERS else KINDS)[name] | changes)
    for field in NO_DROPOUT:
        if hasattr(config, field):
            setattr(config, field, dropout)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        auto = AutoModelForCausalLM if kind == "mlm" and name in DECODERS else AUTO[kind]
        model = auto.from_config(config)
        # Biases and norms start as zeros and ones, which would hide a mistake with them.
        for parameter in {id(p): p for p in model.parameters() if p.ndim == 1}.values():
            parameter.data += 0.1 * torch.randn_like(parameter)
    return model


def make_batch(lengths: tuple[int, ...], targets: bool, types: bool = False, seed: int = 0) -> Batch:
    rng = np.random.default_rng(seed)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    total = int(offsets[-1])
    # The first ids are special tokens, padding among them.
    ids = rng.integers(5, VOCABULARY, total)
    positions = np.concatenate([np.arange(length) for length in lengths])
    masked = np.sort(rng.choice(total, size=max(1, total // 5), replace=False)).astype(np.int64)
    named: dict[str, Any] = {"labels": rng.integers(0, 3, len(lengths))}
    if targets:
        named = {"target_index": masked, "target_ids": rng.integers(5, VOCABULARY, len(masked))}
        named["target_labels"] = rng.integers(0, 3, len(masked))
    return Batch(ids, positions, offsets, rng.integers(0, 2, total) if types else None, named)


def make_tokenizer(vocabulary: int = VOCABULARY) -> Tokenizer:
    words = {
        word: number
        for number, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"w{n}" for n in range(vocabulary - 5))])
    }
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    tokenizer.enable_padding()
    tokenizer.enable_truncation(7)
    return tokenizer


def make_base(folder: Path, model: PreTrainedModel, vocabulary: int = VOCABULARY) -> Source:
    model.save_pretrained(folder)
    make_tokenizer(vocabulary).save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"}))
    return resolve_base(str(folder), folder)


@pytest.fixture
def tiny() -> Callable[..., PreTrainedModel]:
    return build_tiny


@pytest.fixture
def flat() -> Callable[..., Batch]:
    return make_batch


@pytest.fixture
def base(tmp_path: Path) -> Callable[..., Source]:
    """Save a model as if it had been downloaded: `base(model)`."""

    def saved(model: PreTrainedModel, name: str = "base", **settings: Any) -> Source:
        return make_base(tmp_path / name, model, **settings)

    return saved
