"""What is exported of a model: a module from token ids, padded, to logits or vectors, and what else must be known to ask it.

Padded batches, as transformers runs them: a graph knows no packing. Pooling, a dense layer and the length 1 of vectors are inside.
"""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import PreTrainedModel

from acclimate.data.tokens import special_ids
from acclimate.errors import ModelError
from acclimate.evaluation.stated import problem_type, texts_of, thresholds_of
from acclimate.evaluation.trained_folder import finite_weights
from acclimate.evaluation.transformer_predictor import windows_of
from acclimate.modeling.base_files import CONFIG, MAX_LENGTH
from acclimate.modeling.embedder import Embedder, cut, load_embedder
from acclimate.modeling.embedding_form import EmbeddingForm
from acclimate.modeling.execution import padding_id, takes_types
from acclimate.modeling.families import family_of
from acclimate.modeling.fast_paths import FastPaths
from acclimate.modeling.folder import ModelFolder
from acclimate.modeling.heads import load_asked, load_trained_classifier, load_trained_tagger
from acclimate.modeling.label_words import Cloze
from acclimate.modeling.links import PROBLEMS
from acclimate.modeling.longest import longest, sequence_length
from acclimate.modeling.vector_heads import VectorHead

PLAIN = FastPaths(packed=False, cheap_dropout=False, onednn=False)  # the model as transformers has it
Output = Literal["logits", "tokens", "vectors"]


@dataclass(frozen=True, eq=False)
class Exportable:
    """A model as it is exported."""

    module: nn.Module
    """Called with `inputs`, int64 [B, T] each."""
    inputs: tuple[str, ...]
    positions: int
    """Tokens of the longest sequence that it takes."""
    folder: ModelFolder
    facts: Mapping[str, Any]
    """What the exported folder says of it besides its files, as JSON."""
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    """Numbers of a head on the vectors, which is no part of the graph."""


class Padded(nn.Module):
    """A model of transformers on padded batches: positions are counted from the left, whatever ids stand there."""

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.model = model
        family = family_of(model.config)
        self._shift = padding_id(model) + 1 if family.shifted_positions else 0
        # Keys and values are for tokens that never come.
        self._always: dict[str, Any] = {"use_cache": False} if family.decoder else {}
        self._places = "position_ids" in inspect.signature(model.forward).parameters

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None) -> Any:
        """Whatever the model gives."""
        more = self._always | ({} if token_type_ids is None else {"token_type_ids": token_type_ids})
        if self._places:
            more["position_ids"] = torch.arange(input_ids.shape[1], device=input_ids.device)[None] + self._shift
        return self.model(input_ids=input_ids, attention_mask=attention_mask, **more)


class Logits(Padded):
    """Logits [B, L] of a classifier, [B, T, L] of a tagger."""

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None) -> Tensor:
        """As it is called."""
        logits: Tensor = super().forward(input_ids, attention_mask, token_type_ids).logits
        return logits


class LastToken(Padded):
    """Logits [B, L] of a decoder's classifier, whose own class finds the last token of a text by its id, and not by the mask."""

    def __init__(self, model: PreTrainedModel) -> None:
        base = model.base_model
        assert isinstance(base, PreTrainedModel)
        super().__init__(base)
        self.head = model.get_submodule(family_of(model.config).last_linear)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None) -> Tensor:
        """As it is called."""
        states_BTD: Tensor = super().forward(input_ids, attention_mask, token_type_ids).last_hidden_state
        logits_BL: Tensor = self.head(last(states_BTD, attention_mask))
        return logits_BL


class AtMask(nn.Module):
    """Logits [B, L] of labels by their words, of a masked language model that `load_asked` gives."""

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.padded = Padded(model)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, asked_tokens: Tensor) -> Tensor:
        """With 1 in `asked_tokens` [B, T] at the mask of each row, and else 0."""
        logits_BTL: Tensor = self.padded(input_ids, attention_mask).logits
        return (logits_BTL * asked_tokens[:, :, None].to(logits_BTL.dtype)).sum(1)


class Vectors(Padded):
    """Vectors [B, E] of texts."""

    def __init__(self, embedder: Embedder, dimensions: int | None) -> None:
        super().__init__(embedder.encoder.model)
        self.embedder = embedder
        self._dimensions = dimensions

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None) -> Tensor:
        """As it is called."""
        states_BTD: Tensor = super().forward(input_ids, attention_mask, token_type_ids).last_hidden_state
        real_BT1, pooling = attention_mask[:, :, None].to(states_BTD.dtype), self.embedder.form.pooling
        if pooling == "cls":
            pooled_BD = states_BTD[:, 0]
        elif pooling == "last":
            pooled_BD = last(states_BTD, attention_mask)
        elif pooling == "max":
            pooled_BD = torch.where(real_BT1 > 0, states_BTD, torch.finfo(states_BTD.dtype).min).amax(1)
        else:
            pooled_BD = (states_BTD * real_BT1).sum(1) / real_BT1.sum(1)
        vectors_BE = self.embedder.through(pooled_BD)
        return vectors_BE if self._dimensions is None else cut(vectors_BE, self._dimensions, self.embedder.form.normalize)


def last(states_BTD: Tensor, attention_mask: Tensor) -> Tensor:
    """[B, D] of the last token of each text; rows are filled behind it."""
    last_B11 = (attention_mask.sum(1) - 1)[:, None, None]
    return states_BTD.gather(1, last_B11.expand(-1, 1, states_BTD.shape[2]))[:, 0]


def labelling(folder: ModelFolder) -> Exportable:
    """A classifier, a regression or a tagger, whatever its head.

    Raises:
        ModelError: its files are damaged.
    """
    tokens = folder.learnt == "tagger"
    model = (load_trained_tagger if tokens else load_trained_classifier)(folder)
    finite_weights(folder.path, model)
    config = folder.architecture.config
    problem = "single_label_classification" if tokens else problem_type(config.problem_type, config.num_labels or 2, folder.path)
    length, texts = sequence_length(folder.config.get(MAX_LENGTH), folder), texts_of(folder.config)
    stride, pool = windows_of(folder.config, length, folder.path / CONFIG)
    thresholds = thresholds_of(folder.path, folder.labels)
    segments = texts != 1 and not tokens and takes_types(model)
    facts = {
        "output": "tokens" if tokens else "logits",
        "link": next(link for link, name in PROBLEMS.items() if name == problem),
        "labels": list(folder.labels),
        "thresholds": None if thresholds is None else thresholds.tolist(),
        "texts": 1 if tokens else texts,
        "max_length": length,
        "stride": stride,
        "pool": pool,
        "head": None,
        "last_piece": tokens and folder.by_last_piece,
    }
    module = LastToken(model) if folder.family.decoder and not tokens else Logits(model)
    return _exportable(module, "token_type_ids" if segments else None, folder, padding_id(model), facts)


def asking(folder: ModelFolder, cloze: Cloze) -> Exportable:
    """A masked language model that gives labels by their words at the mask of a template.

    Raises:
        ModelError: its files are damaged.
    """
    tokens = cloze.tokens(folder.tokenizer())
    model = load_asked(folder, tokens.words, None)
    finite_weights(folder.path, model)
    thresholds = thresholds_of(folder.path, cloze.labels)
    facts = {
        "output": "logits",
        "link": "softmax",
        "labels": list(cloze.labels),
        "thresholds": None if thresholds is None else thresholds.tolist(),
        "texts": cloze.texts,
        "max_length": sequence_length(folder.config.get(MAX_LENGTH), folder),
        "pool": None,
        "head": None,
        "template": [part if isinstance(part, int) else part._asdict() for part in tokens.pattern.parts],
        "mask": tokens.pattern.mask,
    }
    return _exportable(AtMask(model), "asked_tokens", folder, padding_id(model), facts)


def vectors(
    folder: ModelFolder, form: EmbeddingForm | None, dimensions: int | None, head: VectorHead | None = None,
    told: Mapping[str, Any] | None = None,
) -> Exportable:  # fmt: skip
    """A sentence encoder, whose vectors are cut to their first `dimensions`; with a `head` on them and what is `told` of it (`read_head`).

    Raises:
        ModelError: its files are damaged.
    """
    embedder = load_embedder(folder, form, fast=PLAIN)
    finite_weights(folder.path, embedder)
    if dimensions == embedder.width:
        dimensions = None
    thresholds = None if head is None else thresholds_of(folder.path, head.labels)
    facts = {
        "output": "vectors",
        "link": "none" if head is None else head.link,
        "labels": [] if head is None else list(head.labels),
        "thresholds": None if thresholds is None else thresholds.tolist(),
        "texts": 1 if told is None else int(told["texts"]),
        "max_length": embedder.length,
        "pool": None,
        "head": None if told is None else told["head"],
        "width": dimensions or embedder.width,
        "prompts": embedder.form.prompts.model_dump(mode="json"),
        **({} if head is None else head.told),
    }
    arrays = {} if head is None else head.tensors
    return _exportable(Vectors(embedder, dimensions), None, folder, padding_id(embedder.encoder.model), facts, arrays)


def _exportable(
    module: nn.Module, third: str | None, folder: ModelFolder, pad: int, facts: dict[str, Any],
    arrays: Mapping[str, NDArray[Any]] | None = None,
) -> Exportable:  # fmt: skip
    prefix, suffix = special_ids(folder.tokenizer())
    inputs = ("input_ids", "attention_mask", *((third,) if third else ()))
    facts |= {"prefix": list(prefix), "suffix": list(suffix), "pad_id": pad, "inputs": list(inputs)}
    positions = longest(folder.config)
    if facts["max_length"] > positions:
        raise ModelError(f"{folder.path}: reads {facts['max_length']} tokens, and has {positions} positions")
    return Exportable(module.eval(), inputs, positions, folder, facts, arrays or {})
