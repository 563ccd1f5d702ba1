"""The one form that models have between stages: a folder of safetensors, config.json and a tokenizer, with all the parts a model carries.

Parts travel along: a stage saves what it trained over what its parent had, so the pooler survives masked language modelling and the MLM
head survives fine-tuning. Plain transformers classes load the parts they know.
"""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor

from acclimate.errors import ModelError
from acclimate.files import read_json, write_json
from acclimate.modeling.architecture import Architecture, Kind, kind_of, untied
from acclimate.modeling.base_files import (
    BASE_DTYPE,
    CHAT,
    CONFIG,
    DISTILLED,
    FORM,
    HALVES,
    KIND,
    MAX_LENGTH,
    NEW_TOKENS,
    POOL,
    STRIDE,
    TEMPLATE,
    THRESHOLDS,
    TOKENIZER,
    VECTORS,
    WEIGHTS,
    ZERO_SHOT,
    is_tagger,
    read_tokenizer,
    tokenizer_files,
)
from acclimate.modeling.families import Family, family_of
from acclimate.modeling.links import PROBLEM_TYPE, PROBLEMS
from acclimate.modeling.sentence_folder import write_sentence_folder

if TYPE_CHECKING:
    from transformers import PreTrainedModel

HEAD = "acclimate_head"  # in config.json: the settings of a deeper head
CARRIED = "carried."
"""Two heads may share names: of those, what was not trained last is kept as `carried.<kind>.<name>`."""
ANSWERING = (HEAD, KIND, THRESHOLDS, ZERO_SHOT, TEMPLATE, FORM, STRIDE, POOL, VECTORS, DISTILLED, NEW_TOKENS, CHAT)
"""What config.json says of how a model answers, besides its labels: it goes where another answers."""
LEARNT: tuple[Kind, ...] = ("classifier", "tagger")
"""The kinds that learn from labels. A folder has the head of one of them, for these share names; where one was learnt, another goes."""


@dataclass(frozen=True)
class ModelFolder:
    """A model between two stages."""

    path: Path
    notes: tuple[str, ...] = ()
    """What the user should know of how it came to be."""

    @cached_property
    def config(self) -> dict[str, Any]:
        """Its config.json."""
        config: dict[str, Any] = read_json(self.path / CONFIG)
        return config

    @cached_property
    def architecture(self) -> Architecture:
        """What transformers knows of it."""
        return Architecture.of(self.path)

    @property
    def family(self) -> Family:
        """What is known of its architecture."""
        return family_of(self.config)

    @property
    def tokenizer_file(self) -> Path:
        """Its tokenizer.json."""
        return self.path / TOKENIZER

    def tokenizer(self) -> Tokenizer:
        """Its fast tokenizer, padding and truncation off."""
        return read_tokenizer(self.tokenizer_file)

    @cached_property
    def names(self) -> frozenset[str]:
        """The names of its tensors."""
        with safe_open(self.path / WEIGHTS, framework="pt") as tensors:
            return frozenset(tensors.keys())

    def tensors(self) -> dict[str, Tensor]:
        """All its tensors, on the CPU, float32."""
        return {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in self.tensors_on_disk().items()}

    def tensors_on_disk(self) -> dict[str, Tensor]:
        """The same as the file has them, which may be in half precision, mapped: they take memory when somebody looks at them."""
        return load_file(self.path / WEIGHTS)

    @property
    def parameters(self) -> int:
        """How many numbers its tensors hold."""
        return sum(tensor.numel() for tensor in self.tensors_on_disk().values())

    def names_for(self, kind: Kind) -> dict[str, str]:
        """The name in the file of each tensor, by the name that a model of this kind gives it (and others it does not know)."""
        mark = f"{CARRIED}{kind}."
        plain = {name: name for name in self.names if not name.startswith(CARRIED)}
        return plain | {name.removeprefix(mark): name for name in self.names if name.startswith(mark)}

    def tensors_for(self, kind: Kind) -> dict[str, Tensor]:
        """The tensors under these names, as the file has them."""
        tensors = self.tensors_on_disk()
        return {name: tensors[inner] for name, inner in self.names_for(kind).items()}

    def each_for(self, kind: Kind) -> Iterator[tuple[str, Tensor]]:
        """The same as the file has them, one after the other: never more than one of them is there besides what is made of it."""
        for name, inner in sorted(self.names_for(kind).items()):
            # Each time anew: a map of the whole file would fill up with what was read.
            with safe_open(self.path / WEIGHTS, framework="pt") as file:
                yield name, file.get_tensor(inner)

    @cached_property
    def parts(self) -> frozenset[str]:
        """Which of `encoder`, `pooler`, `mlm`, `classifier` and `tagger` it carries."""
        architecture = self.architecture
        pooler = architecture.pooler_names
        parts = {
            "encoder": True,
            "pooler": bool(pooler) and pooler <= self.names,
            "mlm": architecture.mlm_names <= self._names_for("mlm"),
            # The config says that labels were learnt; a deeper head has its tensors under other names than the architecture's.
            "classifier": self.learnt == "classifier",
            "tagger": self.learnt == "tagger",
        }
        return frozenset(part for part, there in parts.items() if there)

    @property
    def learnt(self) -> Kind | None:
        """The kind whose labels it knows; None where it knows none."""
        if not self.labels:
            return None
        return "tagger" if is_tagger(self.config) else "classifier"

    @property
    def by_last_piece(self) -> bool:
        """Whether a word's last piece answers for it, as with decoders; one that others taught tags is asked by the first, as is usual."""
        return self.family.decoder and (self.learnt != "tagger" or self.config.get(FORM) == "tokens")

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of its classifier, or tagger, in the order of its logits; empty where it has none."""
        if not any(name.startswith(self.family.learned_heads) for name in self.names):
            return ()
        # Two labels that nobody named are not in the file: transformers leaves out what it takes for granted.
        named: dict[Any, Any] = self.config.get("id2label") or self.architecture.config.id2label or {}
        return tuple(str(named[number]) for number in sorted(named, key=int))

    @property
    def head(self) -> dict[str, Any] | None:
        """The settings of the deeper head of its classifier or tagger; None where the architecture's own is used, or there is none."""
        return self.config.get(HEAD)

    def _names_for(self, kind: Kind) -> frozenset[str]:
        mark = f"{CARRIED}{kind}."
        return self.names | {name.removeprefix(mark) for name in self.names if name.startswith(mark)}


def save_model(
    output: Path, parent: ModelFolder, model: "PreTrainedModel", max_length: int | None = None, stride: int | None = None,
    pool: str | None = None, asked: Mapping[str, Any] | None = None,
) -> ModelFolder:  # fmt: skip
    """Write `model` over everything that `parent` carries; the folder should not be there yet, and appearing whole is the caller's job.

    `model` is a masked language model, a classifier or a tagger of the parent's architecture. `max_length` is the number of tokens that a
    learnt one was trained on at most; predictions read texts at the same length, a tagger in windows that overlap by `stride` tokens, and
    so a classifier that has a `pool` for the answers to them. `asked`: what a masked language model is asked that gives labels by its words
    (`Cloze.written`); an earlier classifier goes.
    """
    config, tensors = composed(parent, model, untied(model), max_length, stride, pool, asked)
    write_folder(output, parent.path, config, tensors, type(model).__name__, parent.architecture)
    return ModelFolder(output)


def composed(
    parent: ModelFolder, model: "PreTrainedModel", state: Mapping[str, Tensor], max_length: int | None = None, stride: int | None = None,
    pool: str | None = None, asked: Mapping[str, Any] | None = None,
) -> tuple[dict[str, Any], dict[str, Tensor]]:  # fmt: skip
    """The config.json and the tensors of a folder that `save_model` writes; `state`: the model's tensors, each once."""
    architecture, kind = parent.architecture, kind_of(model)
    tensors = parent.tensors_on_disk()
    # What is kept beside the model: of two heads that share names the other one.
    other: Kind | None = parent.learnt
    stale = [name for name in tensors if name.startswith(f"{CARRIED}mlm.")]
    if kind in LEARNT or asked is not None:
        other = "mlm" if kind in LEARNT and "mlm" in parent.parts else None
        # An earlier one goes whole: a deeper one leaves other names behind than a linear one.
        carried = (*LEARNT, *(("mlm",) if asked is not None else ()))
        stale = [name for name in tensors if name.startswith((*parent.family.learned_heads, *(f"{CARRIED}{each}." for each in carried)))]
    for name in stale:
        del tensors[name]
    if other is not None:
        for name in architecture.head_names(kind) & architecture.head_names(other):
            tensors.setdefault(f"{CARRIED}{other}.{name}", tensors[name])
    tensors |= state
    config = dict(parent.config)
    if kind in LEARNT or asked is not None:
        labels = dict(enumerate(asked["labels"])) if asked is not None else model.config.id2label or {}
        config |= {
            "id2label": {str(number): label for number, label in labels.items()},
            "label2id": {label: number for number, label in labels.items()},
            PROBLEM_TYPE: model.config.problem_type or PROBLEMS["softmax"],
        }
        for name in (*ANSWERING, *((PROBLEM_TYPE,) if kind != "classifier" else ())):
            config.pop(name, None)
        config[MAX_LENGTH] = max_length
        if kind == "classifier":
            config |= _padding(architecture)
        if kind == "tagger":
            config |= {FORM: "tokens", STRIDE: stride}
        if pool is not None:
            config |= {STRIDE: stride, POOL: pool}
        if asked is not None:
            config[TEMPLATE] = dict(asked)
        if getattr(model.config, HEAD, None):
            config[HEAD] = getattr(model.config, HEAD)
    elif TEMPLATE in config:  # by its words a model gave labels that has learnt other things since
        config = {name: value for name, value in without_labels(config).items() if name != MAX_LENGTH}
    return config, tensors


def _padding(architecture: Architecture) -> dict[str, int]:
    """What plain transformers needs of a decoder that has no padding token (GPT-2): it looks for the last token that is not padding."""
    config = architecture.config
    ends = config.eos_token_id
    end = ends[0] if isinstance(ends, list) and ends else ends
    return {"pad_token_id": end} if family_of(config).decoder and config.pad_token_id is None and isinstance(end, int) else {}


def save_changed(output: Path, parent: ModelFolder, config: dict[str, Any], tensors: dict[str, Tensor]) -> ModelFolder:
    """Write `tensors` under another configuration as a model of the parent's classes, with the parent's tokenizer."""
    write_folder(output, parent.path, config, tensors, parent.config["architectures"][0], parent.architecture)
    return ModelFolder(output)


def write_folder(
    output: Path, tokenizer: Path, config: dict[str, Any], tensors: dict[str, Tensor], class_name: str, architecture: Architecture
) -> None:
    """Write a model's folder with the tokenizer of another one.

    Raises:
        ModelError: the tokenizer knows more entries than the model has.
    """
    output.mkdir(parents=True, exist_ok=True)
    words = read_tokenizer(tokenizer / TOKENIZER)
    largest = max(words.get_vocab(with_added_tokens=True).values(), default=-1)
    if largest >= architecture.config.vocab_size:
        raise ModelError(
            f"{tokenizer / TOKENIZER}: its largest token id is {largest}, but the model has {architecture.config.vocab_size} embeddings; "
            "tokenizer and weights do not belong together"
        )
    words.save(str(output / TOKENIZER))
    for file in tokenizer_files(tokenizer):
        if file.name != TOKENIZER:
            shutil.copyfile(file, output / file.name)
    write_weights(output, config, tensors, class_name)


def write_weights(output: Path, config: dict[str, Any], tensors: dict[str, Tensor], class_name: str) -> None:
    """Write config.json and the weights into a folder, and what sentence-transformers reads of an embedding model.

    They are float32, but for those of a base in half precision that are as it has them: these stay so, without a loss. The tokenizer is the
    caller's affair.
    """
    # A head on vectors belongs to the very weights that it learned from: who writes one does it after this (`vector_heads.write_head`).
    config = {key: value for key, value in config.items() if key not in ("torch_dtype", "_name_or_path", "transformers_version", VECTORS)}
    write_json(output / CONFIG, config | {"architectures": [class_name], "dtype": "float32"})
    half = getattr(torch, config[BASE_DTYPE]) if config.get(BASE_DTYPE) in HALVES.values() else None
    single = {name: _as_kept(tensor, half) for name, tensor in tensors.items()}
    # transformers refuses files that do not say where their tensors come from.
    save_file(single, output / WEIGHTS, metadata={"format": "pt"})
    write_sentence_folder(output, config, single)


def without_labels(config: dict[str, Any]) -> dict[str, Any]:
    """A config.json without what a trained classifier left in it."""
    return {key: value for key, value in config.items() if key not in ("id2label", "label2id", "problem_type", "num_labels", *ANSWERING)}


def unlearned(folder: ModelFolder) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The config.json and the tensors of a model without the classifier, or tagger, that it learned."""
    gone = (*folder.family.learned_heads, *(f"{CARRIED}{kind}." for kind in LEARNT))
    tensors = {name: tensor for name, tensor in folder.tensors().items() if not name.startswith(gone)}
    return {name: value for name, value in without_labels(folder.config).items() if name != MAX_LENGTH}, tensors


def _as_kept(tensor: Tensor, half: torch.dtype | None) -> Tensor:
    # Not who trained what is asked, but whether the numbers are those of half precision: so nothing is lost, whatever way they came.
    tensor = tensor.detach().cpu()
    if tensor.is_floating_point():
        tensor = tensor.to(half) if half is not None and _holds(half, tensor) else tensor.float()
    return tensor.contiguous()


def _holds(half: torch.dtype, tensor: Tensor) -> bool:
    # The first row tells of most that were trained.
    return tensor.dtype == half or all(torch.equal(part.to(half).to(part.dtype), part) for part in (tensor[:1], tensor))
