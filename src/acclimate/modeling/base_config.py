"""A base's config.json, somebody else's file: read, and refused where it asks for code, for other weights, or for sizes that nothing has.

All of it before a library gets to see it: a config.json of a hundred bytes can ask for a million layers.
"""

import json
from pathlib import Path
from typing import Any

from acclimate.errors import ModelError
from acclimate.modeling.families import ENTRIES, SUPPORTED, dimensions_of, family_of

MOST_BYTES = 64 << 20  # of a JSON file; 100,000 labels take five megabytes
MOST_DEPTH = 64  # of lists and objects in each other
MOST_PARAMETERS = 20_000_000_000  # of a model that is made or unpacked here
MAY_BE_ZERO = {"type_vocab_size": 1_024, "pad_token_id": ENTRIES}


def read_object(base: str, path: Path) -> dict[str, Any]:
    """A JSON file that holds an object.

    Raises:
        ModelError: it cannot be read, is too large or too deep, or holds NaN.
    """

    def no_number(word: str) -> Any:
        raise ValueError(f"{word} is no JSON")

    try:
        if (size := path.stat().st_size) > MOST_BYTES:
            raise ModelError(f"base {base}: {path.name} has {size:,} bytes; no model's is larger than {MOST_BYTES:,}")
        value = json.loads(path.read_text(encoding="utf-8"), parse_constant=no_number)
    except RecursionError:
        raise ModelError(f"base {base}: {path.name} is nested too deeply") from None
    except (OSError, ValueError) as error:
        raise ModelError(f"base {base}: {path.name} cannot be read as JSON ({error})") from error
    if not isinstance(value, dict):
        raise ModelError(f"base {base}: {path.name} is not a JSON object")
    if _deeper(value, MOST_DEPTH):
        raise ModelError(f"base {base}: {path.name} is nested too deeply")
    return value


def configuration(base: str, folder: Path, names: set[str]) -> dict[str, Any]:
    """The config.json of a base whose files are `names`, without what concerns a classifier's labels.

    Raises:
        ModelError: it asks for code of its own, is of a type that is not supported, or says what cannot be.
    """
    config = read_object(base, folder / "config.json")
    for name in ("config.json", "tokenizer_config.json"):
        if name in names and "auto_map" in read_object(base, folder / name):
            raise ModelError(
                f"base {base}: {name} asks for code of the model's own (auto_map), which is never run here. "
                f"Use a model whose classes are part of transformers ({', '.join(SUPPORTED)})"
            )
    kind = config.get("model_type")
    if kind not in SUPPORTED:
        raise ModelError(f"base {base}: model type {kind!r} is not supported; these are: {', '.join(SUPPORTED)}")
    _refuse_other_weights(base, config)
    for name, most in (*family_of(config).limits(), *MAY_BE_ZERO.items()):
        _check_size(base, name, config.get(name), 0 if name in MAY_BE_ZERO else 1, most)
    sizes = dimensions_of(config)
    if sizes.width % sizes.heads and sizes.head == sizes.width // sizes.heads:
        raise ModelError(f"base {base}: config.json: a width of {sizes.width:,} cannot be divided into {sizes.heads:,} heads")
    return config


def check_weights(base: str, config: dict[str, Any], parameters: int) -> None:
    """Refuse a config.json that describes a far larger model than there are weights for; `parameters` is how many numbers they hold.

    Where little is missing, the import of the weights says which.

    Raises:
        ModelError: it does.
    """
    least = _least_parameters(config)
    if least > 2 * parameters:
        raise ModelError(
            f"base {base}: config.json describes a model of at least {least:,} parameters, and its weights hold {parameters:,}: "
            "they do not belong together, or the download is incomplete"
        )


def _least_parameters(config: dict[str, Any]) -> int:
    # Matrices alone: never more than the model really needs.
    sizes = dimensions_of(config)
    positions = sizes.positions if family_of(config).learned_positions else 0
    # Heads of a decoder may share their keys and values.
    layer = (2 if family_of(config).decoder else 4) * sizes.width * sizes.width + 2 * sizes.width * sizes.feed_forward
    return (sizes.vocabulary + positions) * sizes.embedding + sizes.distinct * layer


def _refuse_other_weights(base: str, config: dict[str, Any]) -> None:
    if config.get("transformers_weights") is not None:
        raise ModelError(
            f"base {base}: config.json names other weights (transformers_weights: {config['transformers_weights']!r}); "
            "name the file model.safetensors and take the entry away"
        )
    if config.get("quantization_config") is not None:
        raise ModelError(
            f"base {base}: its weights are quantised (quantization_config), and training needs them whole; "
            "take the version that is not, or model.dequantize().save_pretrained(folder)"
        )
    for name in ("attn_implementation", "_attn_implementation", "experts_implementation", "_experts_implementation"):
        if config.get(name) not in (None, "eager", "sdpa"):
            raise ModelError(f"base {base}: config.json asks for {name}: {config[name]!r}, code that is not run here; take the entry away")


def _check_size(base: str, name: str, value: Any, least: int, most: int) -> None:
    if value is None:
        return
    if not isinstance(value, int) or isinstance(value, bool):
        raise ModelError(f"base {base}: config.json: {name} is {_short(value)}, a whole number is wanted")
    if not least <= value <= most:
        raise ModelError(f"base {base}: config.json: {name} is {_short(value)}; it can be {least} to {most:,}")


def _short(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:  # a number of more digits than Python writes
        text = "a number of thousands of digits"
    return text if len(text) <= 40 else f"{text[:40]}…"


def _deeper(value: Any, most: int) -> bool:
    level = [value]
    for _ in range(most):
        level = [each for held in level if isinstance(held, dict | list) for each in (held.values() if isinstance(held, dict) else held)]
        if not level:
            return False
    return True
