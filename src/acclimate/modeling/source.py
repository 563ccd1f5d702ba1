"""Where a base model comes from: a local folder or a hub id, looked at, and refused where need be, before a weight is read. No torch."""

import difflib
import json
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from acclimate.errors import ModelError
from acclimate.files import digest_file, digest_json
from acclimate.modeling.named import NAMED, packaged_base
from acclimate.modeling.shape import Shape

CONFIG, TOKENIZER, TOKENIZER_CONFIG = "config.json", "tokenizer.json", "tokenizer_config.json"
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
DOWNLOADED = ("*.json", "*.txt", "*.model", "model*.safetensors", "README.md")  # the last says the licence
PADDING_NAMES = ("[PAD]", "<pad>")
OTHER_WEIGHTS = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".h5", ".msgpack")
SUPPORTED = (
    "albert", "bert", "camembert", "deberta", "deberta-v2", "distilbert", "electra", "modernbert", "mpnet", "roberta", "xlm-roberta",
)  # fmt: skip


@dataclass(frozen=True)
class Source:
    """A base model on this machine, not yet loaded."""

    name: str
    """What the study calls it."""
    folder: Path
    digest: str
    """SHA-256 over weights, configuration and tokenizer."""
    config: dict[str, Any]
    parameters: int
    bytes: int
    """Size of the weights' files."""
    hub: str | None = None
    """Its id on the hub; None for what is not known to stand there."""
    shape: Shape | None = None
    """Of a model that does not exist yet: its sizes. `folder` then holds the tokenizer alone."""


def resolve_base(base: str, root: Path) -> Source:
    """Find a base model: a folder, relative to `root`, a short name (`named.NAMED`), or else a hub id, whose safe files are downloaded.

    Pickles can run code when they are read, and so can models that bring their own classes: both are refused by the names of their files
    and by their config.json alone.

    Raises:
        ModelError: the model is refused, incomplete, of an unsupported type, or cannot be found.
        MissingExtraError: it goes by a short name, and its package is not installed.
    """
    folder, hub = _found(base, root)
    names = {path.name for path in folder.iterdir() if path.is_file()}
    _refuse_files(base, names)
    config = _configuration(base, folder, names)
    _require_tokenizer(base, names)
    files = weight_files(base, folder)
    parameters = sum(_parameters(file) for file in files)
    digested = [*files, *(folder / name for name in (CONFIG, TOKENIZER, TOKENIZER_CONFIG) if name in names)]
    digest = digest_json({file.name: digest_file(file) for file in digested})
    return Source(base, folder, digest, config, parameters, sum(file.stat().st_size for file in files), hub)


def new_source(shape: Shape, tokenizer: str, root: Path) -> Source:
    """A model of this shape that is to be made from nothing, in the vocabulary of `tokenizer`: a folder, a short name or a hub id.

    Raises:
        ModelError: there is no tokenizer there, or it cannot be used.
    """
    folder = (root / Path(tokenizer).expanduser()).resolve()
    if not (folder / TOKENIZER).is_file():
        folder = resolve_base(tokenizer, root).folder
    vocabulary, padding = _vocabulary(tokenizer, folder)
    config = shape.config(vocabulary, padding)
    files = {name: digest_file(folder / name) for name in (TOKENIZER, TOKENIZER_CONFIG) if (folder / name).is_file()}
    # Whose vocabulary it is called does not decide what the model will be.
    shape = shape.model_copy(update={"tokenizer": None})
    parameters = shape.parameters(vocabulary)
    name = f"random, {shape.words()}, vocabulary of {Path(tokenizer).name}"
    return Source(name, folder, digest_json({**files, CONFIG: config}), config, parameters, 4 * parameters, shape=shape)


def _vocabulary(name: str, folder: Path) -> tuple[int, int]:
    # (ids, the padding token's), from the tokenizer's own file.
    from tokenizers import Tokenizer

    try:
        words = Tokenizer.from_file(str(folder / TOKENIZER)).get_vocab(with_added_tokens=True)
    except Exception as error:  # the library raises bare Exception
        raise ModelError(f"tokenizer {name}: {TOKENIZER} is not a fast tokenizer ({error})") from error
    padding = next((words[token] for token in PADDING_NAMES if token in words), None)
    if padding is None:
        raise ModelError(f"tokenizer {name}: has no padding token (looked for {', '.join(PADDING_NAMES)})")
    return max(words.values()) + 1, padding


def _found(base: str, root: Path) -> tuple[Path, str | None]:
    # (the folder, the id on the hub of what is in it)
    folder = (root / Path(base).expanduser()).resolve()
    if base in NAMED:
        if folder.is_dir():  # whichever was meant, taking the other in silence would be wrong
            raise ModelError(
                f"base {base}: is the name of a model that needs no folder, and {folder} is there, too: write ./{base} for that"
            )
        return packaged_base(base), NAMED[base].hub
    if folder.is_dir():
        return folder, None
    if _looks_like_a_path(base) or folder.exists():
        raise ModelError(f"base {base}: there is no folder {folder}")
    return _download(base), base


def weight_files(base: str, folder: Path) -> list[Path]:
    """The safetensors files that together hold the weights: one, or the shards that an index names.

    Raises:
        ModelError: the index is broken, or a shard is missing.
    """
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    shards = sorted(set(_read_json(base, folder / INDEX).get("weight_map", {}).values()))
    for shard in shards:
        # A name with folders in it could point anywhere on the machine.
        if Path(shard).name != shard or not (folder / shard).is_file():
            raise ModelError(f"base {base}: {INDEX} names {shard!r}, which is not a file beside it; the download may be incomplete")
    if not shards:
        raise ModelError(f"base {base}: {INDEX} names no weights")
    return [folder / shard for shard in shards]


def _looks_like_a_path(base: str) -> bool:
    return base.startswith((".", "/", "~")) or base.endswith("/") or base.count("/") > 1 or "\\" in base


def _download(base: str) -> Path:
    from huggingface_hub import HfApi, hf_hub_download, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        names = {name for name in HfApi().list_repo_files(base) if "/" not in name}
    except (HfHubHTTPError, HFValidationError) as error:
        summary = str(error).strip().splitlines()[0]
        raise ModelError(f"base {base}: neither a folder here nor a model that the hub gives out ({summary}){_near(base)}") from error
    except Exception as error:  # every way in which a network can be absent
        try:
            return Path(snapshot_download(base, allow_patterns=list(DOWNLOADED), local_files_only=True))
        except (LocalEntryNotFoundError, OSError) as missing:
            raise ModelError(
                f"base {base}: no folder here, not in the hub's local cache, and the hub is out of reach ({error}){_near(base)}"
            ) from missing
    _refuse_files(base, names)
    # The small files first: they decide whether the large ones are wanted.
    for name in (CONFIG, TOKENIZER_CONFIG):
        if name in names:
            small = Path(hf_hub_download(base, name)).parent
    _configuration(base, small, names)
    _require_tokenizer(base, names)
    return Path(snapshot_download(base, allow_patterns=list(DOWNLOADED)))


def _near(base: str) -> str:
    near = difflib.get_close_matches(base.lower().replace("_", "-"), NAMED, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _refuse_files(base: str, names: set[str]) -> None:
    if CONFIG not in names:
        alone = " but a tokenizer alone: a model from scratch then needs sizes (--layers, --hidden, --heads; `random: {...}`)"
        raise ModelError(f"base {base}: no {CONFIG}, so this is not a transformers model folder{alone if TOKENIZER in names else ''}")
    if WEIGHTS in names or INDEX in names:
        return
    others = sorted(name for name in names if name.endswith(OTHER_WEIGHTS))
    if others:
        raise ModelError(
            f"base {base}: its weights come only as {', '.join(others[:3])}, a format that can run code when it is read, and is refused. "
            "Take a version with model.safetensors, or convert it where you trust it: "
            "AutoModel.from_pretrained(...).save_pretrained(folder, safe_serialization=True)"
        )
    raise ModelError(f"base {base}: no {WEIGHTS} (nor {INDEX})")


def _configuration(base: str, folder: Path, names: set[str]) -> dict[str, Any]:
    config = _read_json(base, folder / CONFIG)
    for name in (CONFIG, TOKENIZER_CONFIG):
        if name in names and "auto_map" in _read_json(base, folder / name):
            raise ModelError(
                f"base {base}: {name} asks for code of the model's own (auto_map), which is never run here. "
                f"Use a model whose classes are part of transformers ({', '.join(SUPPORTED)})"
            )
    kind = config.get("model_type")
    if kind not in SUPPORTED:
        raise ModelError(f"base {base}: model type {kind!r} is not supported; these are: {', '.join(SUPPORTED)}")
    return config


def _require_tokenizer(base: str, names: set[str]) -> None:
    if TOKENIZER not in names:
        raise ModelError(
            f"base {base}: no {TOKENIZER} (the fast tokenizer); make one: AutoTokenizer.from_pretrained(...).save_pretrained(folder)"
        )


def _read_json(base: str, path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"base {base}: {path.name} cannot be read as JSON ({error})") from error
    if not isinstance(value, dict):
        raise ModelError(f"base {base}: {path.name} is not a JSON object")
    return value


def _parameters(file: Path) -> int:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="numpy") as tensors:
            slices = [tensors.get_slice(name) for name in tensors.keys()]  # noqa: SIM118 - not a dict
            # Old checkpoints carry integer position ids, which are no parameters.
            return sum(prod(part.get_shape()) for part in slices if part.get_dtype().startswith(("F", "BF")))
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{file}: not a safetensors file ({error}); the download may be incomplete") from error
