"""What transformers knows of an architecture: its classes, and which of their tensors belong to which part."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers.initialization import no_init_weights
from transformers.utils import logging

from acclimate.errors import ModelError, first_line
from acclimate.modeling.base_files import TAGGER
from acclimate.modeling.families import family_of

Kind = Literal["base", "mlm", "classifier", "tagger"]
"""`mlm` is the model with its head for words: masked ones, or of a decoder the next ones."""
_AUTO: dict[Kind, Any] = {
    "base": AutoModel,
    "mlm": AutoModelForMaskedLM,
    "classifier": AutoModelForSequenceClassification,
    "tagger": AutoModelForTokenClassification,
}


def auto_class(kind: Kind, config: Mapping[str, Any] | PreTrainedConfig) -> Any:
    """transformers' own chooser of the class for a kind of model of this configuration."""
    return AutoModelForCausalLM if kind == "mlm" and family_of(config).decoder else _AUTO[kind]


@dataclass(frozen=True)
class Architecture:
    """The classes of one configuration, looked at without their weights."""

    config: PreTrainedConfig

    @staticmethod
    def of(folder: Path, name: str = "") -> "Architecture":
        """The architecture of a folder with a config.json, called `name` in messages; code in the folder is never run.

        Raises:
            ModelError: transformers cannot make a model of it.
        """
        try:
            architecture = Architecture(AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True))
            _ = architecture._outline("mlm")  # what cannot be built is found out here
        except Exception as error:  # the file is somebody else's: whatever the library trips over is in it
            what = f"base {name}" if name else str(folder)
            raise ModelError(f"{what}: its config.json does not describe a model ({first_line(error)})") from error
        return architecture

    def build(self, kind: Kind, config: PreTrainedConfig | None = None) -> PreTrainedModel:
        """A model of this kind; its weights are drawn from torch's global generator."""
        config = deepcopy(config or self.config)
        return auto_class(kind, config).from_config(config, dtype=torch.float32)  # type: ignore[no-any-return]

    def on_meta(self, kind: Kind) -> PreTrainedModel:
        """A model of this kind without memory for its weights."""
        with torch.device("meta"), no_init_weights():  # no draw lands anywhere, and torch's stand-ins for them take longest
            return self.build(kind)

    def class_name(self, kind: Kind) -> str:
        """The class that transformers has for this kind, e.g. `BertForMaskedLM`."""
        return self._outline(kind).class_name

    @property
    def prefix(self) -> str:
        """What the names of the body's tensors begin with, e.g. `bert.`."""
        return self._outline("mlm").prefix

    @property
    def mlm_names(self) -> frozenset[str]:
        """The tensors of the MLM head, tied ones left out."""
        return self.head_names("mlm")

    def head_names(self, kind: Kind) -> frozenset[str]:
        """The tensors of the architecture's own head of this kind (a deeper one has others under the last of them)."""
        outline = self._outline(kind)
        return frozenset(name for name in outline.names if not name.startswith(outline.prefix))

    @property
    def pooler_names(self) -> frozenset[str]:
        """The tensors of a pooler inside the body; none where the architecture has no such thing."""
        pooler, outline = family_of(self.config).pooler, self._outline("base")
        return frozenset(outline.prefix + name for name in outline.names if pooler and name.startswith(f"{pooler}."))

    def _outline(self, kind: Kind) -> "_Outline":
        # To make a model, be it without weights, takes longer than all else that is asked of a folder, and folders have few configurations.
        asked = (kind, type(self.config), self.config.to_json_string(use_diff=False))
        if asked not in _OUTLINES:
            model = self.on_meta(kind)
            _OUTLINES[asked] = _Outline(type(model).__name__, f"{model.base_model_prefix}.", frozenset(untied(model)))
        return _OUTLINES[asked]


@dataclass(frozen=True)
class _Outline:
    """What a model is called, and its tensors (tied ones left out)."""

    class_name: str
    prefix: str
    names: frozenset[str]


_OUTLINES: dict[tuple[Kind, type, str], _Outline] = {}


def untied(model: PreTrainedModel) -> dict[str, Tensor]:
    """The model's state without the names that only repeat another tensor."""
    return {name: tensor for name, tensor in model.state_dict().items() if name not in model.all_tied_weights_keys}


def kind_of(model: PreTrainedModel) -> Kind:
    """What kind of model this is, of those with a head."""
    if model.get_output_embeddings() is not None:  # type: ignore[no-untyped-call]
        return "mlm"
    return "tagger" if type(model).__name__.endswith(TAGGER) else "classifier"


def is_adapted(model: PreTrainedModel) -> bool:
    """Whether adapters stand in it."""
    return hasattr(model, "peft_config")


@contextmanager
def quiet() -> Iterator[None]:
    """Hold back transformers' tables of missing and unused weights: what of that matters, we say ourselves."""
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]
