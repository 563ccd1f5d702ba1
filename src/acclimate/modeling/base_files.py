"""The files that make a base: which are read, that they lie in its folder, what they digest to, and a folder that holds nothing else."""

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from acclimate.errors import ModelError
from acclimate.files import TEMPORARY_PREFIX, digest_file, digest_json
from acclimate.modeling.base_config import read_object

CONFIG, TOKENIZER, TOKENIZER_CONFIG = "config.json", "tokenizer.json", "tokenizer_config.json"
CHAT_TEMPLATE = "chat_template.jinja"
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
ADAPTER = "adapter_config.json"
EXPORTED = "acclimate_onnx.json"  # in the folder of an exported model, in the place of a config.json
IS_EXPORTED = (
    "is an exported model, which its own onnx_model.py runs, and `acclimate predict`, `evaluate` and `speed` ask; "
    "for this name the folder that it was made of"
)
KIND = "acclimate_kind"  # in config.json: what kind of task a model was trained on, where transformers' `problem_type` does not tell
ZERO_SHOT = "acclimate_zero_shot"  # in config.json: the hypotheses by which a model of inference gives labels
TEMPLATE = "acclimate_template"  # in config.json: the template and label words by which a masked language model gives labels
MAX_LENGTH = "acclimate_max_length"  # in config.json: tokens of the longest sequence that a classifier was trained on
THRESHOLDS = "acclimate_thresholds"  # in config.json: above which probability each name is given, where it is not one half
FORM = "acclimate_form"  # in config.json: `tokens` where what was learnt is an answer for every word
STRIDE = "acclimate_stride"  # in config.json: by how many tokens the windows of a longer text overlap, where it is not cut
POOL = "acclimate_pool"  # in config.json: how the answers to the windows of a longer text become one, `mean` or `max`
NEW_TOKENS = "acclimate_max_new_tokens"  # in config.json: tokens of the longest answer that a model was judged by which writes them
CHAT = "acclimate_chat"  # in config.json: true where such a model's prompts are conversations, which the tokenizer's template writes
VECTORS = "acclimate_vectors"  # in config.json: how vectors of texts answer a task (`modeling/vector_heads.py`)
DISTILLED = "acclimate_distilled"  # in config.json: a teacher trained the classifier, and labels may go on from it
HALVES = {"BF16": "bfloat16", "F16": "float16"}
"""By what a safetensors file calls it, what torch and config.json call a number of 16 bits."""
DECIDES = (THRESHOLDS, STRIDE, POOL)
"""What config.json says of how a trained model's numbers become answers."""
BASE_DTYPE = "acclimate_base_dtype"  # in config.json: what the base's weights are on disk, where that is half of float32
NEW_FROM = "acclimate_new_from"  # in config.json: the first id of the entries that `extend` added
TAGGER = "ForTokenClassification"  # in the name of an architecture that answers every token
OTHER_WEIGHTS = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".h5", ".msgpack")
# What the tensors of a head for masked language modelling are called, or those of its output where a classifier has the rest of them, too.
# Besides tokenizer.json: what plain transformers reads to build the same tokenizer.
TOKENIZER_FILES = (
    TOKENIZER_CONFIG, "special_tokens_map.json", "added_tokens.json", "vocab.txt", "vocab.json", "merges.txt", "spm.model",
    "spiece.model", "sentencepiece.bpe.model", CHAT_TEMPLATE,
)  # fmt: skip
MOST_TOKENIZER_BYTES = 256 << 20  # the largest vocabularies of today take 40 MB


def is_tagger(config: Mapping[str, Any]) -> bool:
    """Whether the model of a config.json has learned an answer for every word."""
    # Of another's model the class alone tells; ours may have learnt to predict words since.
    return config.get(FORM) == "tokens" or any(str(name).endswith(TAGGER) for name in config.get("architectures") or ())


def names_in(folder: Path) -> set[str]:
    """The names of the files in a folder, links to files among them."""
    return {path.name for path in folder.iterdir() if path.is_file()}


def refuse_files(base: str, names: set[str]) -> None:
    """Refuse a folder that is no model, or one whose weights could run code, by the names of its files alone.

    Raises:
        ModelError: it is refused.
    """
    if ADAPTER in names:
        # transformers loads it by itself where peft is installed, so the model would be another one than its weights say.
        beside = "beside the model" if CONFIG in names else "and no model"
        raise ModelError(
            f"base {base}: {ADAPTER}: an adapter (LoRA and the like) is there, {beside}. "
            "Merge it first where you made it, model.merge_and_unload().save_pretrained(folder), or take the adapter's files away"
        )
    if CONFIG not in names and EXPORTED in names:
        raise ModelError(f"base {base}: {IS_EXPORTED}")
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


def require_tokenizer(base: str, names: set[str]) -> None:
    """Refuse a model without the tokenizer that is read here.

    Raises:
        ModelError: there is none.
    """
    if TOKENIZER not in names:
        raise ModelError(
            f"base {base}: no {TOKENIZER} (the fast tokenizer); make one: AutoTokenizer.from_pretrained(...).save_pretrained(folder)"
        )


def weight_files(base: str, folder: Path) -> list[Path]:
    """The safetensors files that together hold the weights: one, or the shards that an index names, with the index behind them.

    Where there are both, the one file is taken, as transformers does.

    Raises:
        ModelError: the index is broken, or a shard is missing.
    """
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    weight_map = read_object(base, folder / INDEX).get("weight_map")
    shards = {str(shard) for shard in weight_map.values()} if isinstance(weight_map, dict) else set()
    if not shards:
        raise ModelError(f"base {base}: {INDEX} names no weights")
    for shard in sorted(shards):
        # A name with folders in it could point anywhere on the machine.
        if Path(shard).name != shard or not shard.endswith(".safetensors") or not (folder / shard).is_file():
            raise ModelError(f"base {base}: {INDEX} names {shard!r}, which is not a file beside it; the download may be incomplete")
    return [*(folder / shard for shard in sorted(shards)), folder / INDEX]


def tokenizer_files(folder: Path) -> list[Path]:
    """What is there of the tokenizer's files."""
    return [folder / name for name in (TOKENIZER, *TOKENIZER_FILES) if (folder / name).is_file()]


def check_files(base: str, files: Iterable[Path]) -> None:
    """Refuse links that leave the model's folder, and a tokenizer of a size that none has.

    Raises:
        ModelError: what is copied would be a file from somewhere else on this machine.
    """
    for file in files:
        if not inside(file):
            raise ModelError(
                f"base {base}: {file.name} is a link to {file.resolve()}, outside of the model's folder, and is not followed; "
                "put the file itself there, or name the folder that it is in"
            )
        if file.name == TOKENIZER and (size := file.stat().st_size) > MOST_TOKENIZER_BYTES:
            raise ModelError(f"base {base}: {TOKENIZER} has {size:,} bytes; no tokenizer is larger than {MOST_TOKENIZER_BYTES:,}")


def inside(file: Path) -> bool:
    """Whether a file lies in its folder: it is no link, or one within the folder, or to the hub cache's own `../../blobs`."""
    folder, target = file.parent.resolve(), file.resolve()
    if target.is_relative_to(folder):
        return True
    return folder.parent.name == "snapshots" and target.parent == folder.parent.parent / "blobs"


def digest_files(files: Iterable[Path]) -> dict[str, str]:
    """SHA-256 of each file, by name."""
    return {file.name: digest_file(file) for file in files}


def parameters_in(file: Path) -> int:
    """How many numbers a safetensors file holds, from its header alone.

    Raises:
        ModelError: it is not one, or is torn.
    """
    with _tensors(file) as tensors:
        slices = [tensors.get_slice(name) for name in tensors.keys()]  # noqa: SIM118 - not a dict
        # Old checkpoints carry integer position ids, which are no parameters.
        return sum(prod(part.get_shape()) for part in slices if part.get_dtype().startswith(("F", "BF")))


def dtypes_in(file: Path) -> set[str]:
    """What the floating-point numbers of a safetensors file are, as its header calls it: `F32`, `BF16`, ...

    Raises:
        ModelError: it is not one, or is torn.
    """
    with _tensors(file) as tensors:
        found = {tensors.get_slice(name).get_dtype() for name in tensors.keys()}  # noqa: SIM118 - not a dict
    return {each for each in found if each.startswith(("F", "BF"))}


def has_tensors(base: str, folder: Path, beginnings: tuple[str, ...]) -> bool:
    """Whether the names of some of the weights' tensors begin with one of `beginnings`.

    Raises:
        ModelError: a file of the weights is none, or is torn.
    """
    for file in weight_files(base, folder):
        if file.name == INDEX:
            continue
        with _tensors(file) as tensors:
            if any(name.startswith(beginnings) for name in tensors.keys()):  # noqa: SIM118 - not a dict
                return True
    return False


@contextmanager
def _tensors(file: Path) -> Iterator[Any]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="numpy") as tensors:
            yield tensors
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{file}: not a safetensors file ({error}); the download may be incomplete") from error


def read_tokenizer(path: Path) -> Tokenizer:
    """A tokenizer.json with padding and truncation switched off (some cut texts at 128 tokens by themselves).

    Raises:
        ModelError: the file is not a tokenizer.
    """
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises bare Exception
        raise ModelError(f"{path}: not a fast tokenizer ({error})") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


@contextmanager
def alone(files: Iterable[Path], config: dict[str, Any], place: Path) -> Iterator[Path]:
    """A folder in `place` with these files and this config.json, and nothing else that a library could find beside them and read.

    transformers by itself looks for adapters, generation settings, chat templates, shards of other kinds and whatever a newer version
    thinks of; what is not in the digest must not be there.
    """
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=TEMPORARY_PREFIX, dir=place) as name:
        folder = Path(name)
        for file in files:
            if file.name != CONFIG:
                (folder / file.name).symlink_to(file.resolve())
        (folder / CONFIG).write_text(json.dumps(config), encoding="utf-8")
        yield folder


def digest_of(files: Iterable[Path], more: dict[str, Any] | None = None) -> str:
    """SHA-256 over the names and bytes of all these files, and what else there is to say, as 64 hexadecimal digits."""
    return digest_json({**digest_files(files), **(more or {})})
