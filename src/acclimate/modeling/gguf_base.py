"""A decoder in one GGUF file, as llama.cpp runs it: dequantised once into a folder as transformers reads it, kept in the user's cache."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from acclimate.data.caches import made_once, seal_cache
from acclimate.errors import MissingExtraError, ModelError, first_line
from acclimate.files import digest_file, write_json
from acclimate.modeling.base_config import MOST_PARAMETERS, check_weights
from acclimate.modeling.base_files import CONFIG, TOKENIZER, WEIGHTS
from acclimate.modeling.families import dimensions_of, family_of

SUFFIX = ".gguf"
RULES = 1  # raise it when the same file would now give another folder
FACTS = "gguf.json"
OF_THIS_MACHINE = ("transformers_version", "_name_or_path", "quantization_config", "dtype")
"""Left out of config.json: what the weights are no longer, and what says nothing of the model."""


def unpacked(name: str, file: Path) -> Path:
    """The folder of a GGUF file: config.json, model.safetensors (float32) and tokenizer.json, made where it is not there yet.

    Its sizes are checked by the file's header, before room for a weight is taken. Weights that were rounded to 4 or 8 bits stay so:
    these are the numbers that it stands for.

    Raises:
        MissingExtraError: `gguf`, which reads such files, is not installed.
        ModelError: the file is damaged, of an architecture that no decoder here has, or says of itself what its tensors do not.
    """
    digest = digest_file(file)
    folder = cache_folder() / f"gguf-{digest[:16]}"
    wanted = {"file": digest, "rules": RULES}

    def is_it(facts: dict[str, Any]) -> bool | None:
        return all(facts.get(each) == value for each, value in wanted.items()) or None

    def write(temporary: Path) -> None:
        _convert(name, file, temporary)
        seal_cache(temporary, FACTS, wanted, sorted(path.name for path in temporary.iterdir()))

    folder.parent.mkdir(parents=True, exist_ok=True)
    made_once(folder, FACTS, is_it, write)
    return folder


def cache_folder() -> Path:
    """Where what belongs to no store is kept, by the XDG base directory specification: `$XDG_CACHE_HOME/acclimate`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "acclimate"


def _convert(name: str, file: Path, output: Path) -> None:
    parameters, layers = _header(name, file)
    # transformers knows which tensor of the file is which of the model, and how rotary halves are laid out in each.
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    from acclimate.modeling.architecture import quiet, untied

    where: dict[str, Any] = {"gguf_file": file.name, "local_files_only": True, "trust_remote_code": False}
    with quiet():
        try:
            config = AutoConfig.from_pretrained(file.parent, **where)
            said = config.to_dict()
        except Exception as error:  # the file is somebody else's: whatever the library trips over is in it
            raise ModelError(f"base {name}: {file} cannot be read as a model ({first_line(error)})") from error
        if not family_of(said).decoder:
            raise ModelError(f"base {name}: {file} is of the type {said.get('model_type')}, and no decoder that is known here")
        if (told := dimensions_of(said).layers) != layers:
            raise ModelError(f"base {name}: {file} says that it has {told} layers, and holds {layers}")
        check_weights(name, said, parameters)
        try:
            model = AutoModelForCausalLM.from_pretrained(file.parent, config=config, dtype="float32", **where)
            tokenizer = AutoTokenizer.from_pretrained(file.parent, **where)
        except Exception as error:
            raise ModelError(f"base {name}: {file} cannot be read as a model ({first_line(error)})") from error
    from safetensors.torch import save_file

    save_file({each: tensor.contiguous() for each, tensor in untied(model).items()}, output / WEIGHTS, {"format": "pt"})
    write_json(
        output / CONFIG,
        {each: value for each, value in said.items() if each not in OF_THIS_MACHINE} | {"architectures": [type(model).__name__]},
    )
    tokenizer.save_pretrained(output)
    if not (output / TOKENIZER).is_file():
        raise ModelError(f"base {name}: {file} has a vocabulary that makes no {TOKENIZER}")


def _header(name: str, file: Path) -> tuple[int, int]:
    """(the numbers that its tensors hold, its layers), by its header: no weight is read.

    Raises:
        MissingExtraError: `gguf` is not installed.
        ModelError: it is none, ends too early, or is too large.
    """
    try:
        from gguf import GGUFReader
    except ImportError as error:
        raise MissingExtraError(f'base {name}: is a GGUF file, and reading it needs gguf: pip install "acclimate[gguf]"') from error
    try:
        tensors: Sequence[Any] = GGUFReader(file).tensors
    except Exception as error:
        raise ModelError(f"base {name}: {file} is no GGUF file, or is cut off ({first_line(error)})") from error
    parameters = sum(int(tensor.n_elements) for tensor in tensors)
    if parameters > MOST_PARAMETERS:
        raise ModelError(f"base {name}: {file} holds {parameters:,} parameters, more than the {MOST_PARAMETERS:,} that are read here")
    return parameters, len({tensor.name.split(".")[1] for tensor in tensors if tensor.name.startswith("blk.")})
