"""Where a base model comes from: a local folder or a hub id, looked at, and refused where need be, before a weight is read. No torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acclimate.data.tokens import special_ids
from acclimate.errors import ModelError, did_you_mean, first_line
from acclimate.modeling.base_config import MOST_PARAMETERS, check_weights, configuration
from acclimate.modeling.base_files import (
    CONFIG,
    INDEX,
    TOKENIZER,
    TOKENIZER_CONFIG,
    check_files,
    digest_of,
    has_tensors,
    names_in,
    parameters_in,
    read_tokenizer,
    refuse_files,
    require_tokenizer,
    tokenizer_files,
    weight_files,
)
from acclimate.modeling.embedding_form import EMBEDDING, EmbeddingForm
from acclimate.modeling.families import family_of
from acclimate.modeling.gguf_base import SUFFIX, unpacked
from acclimate.modeling.named import NAMED, packaged_base
from acclimate.modeling.sentence_modules import MODULES, SentenceModules, module_files, read_modules, transformer_place
from acclimate.modeling.shape import Shape

DOWNLOADED = ("*.json", "*.txt", "*.model", "model*.safetensors", "README.md")  # the last says the licence
PADDING_NAMES = ("[PAD]", "<pad>")
END_NAMES = ("<|endoftext|>", "</s>", "[SEP]")


@dataclass(frozen=True)
class Source:
    """A base model on this machine, not yet loaded."""

    name: str
    """What the study calls it."""
    folder: Path
    digest: str
    """SHA-256 over `files`."""
    files: tuple[Path, ...]
    """All that is read of it: weights, configuration, tokenizer and what plain transformers reads beside that."""
    config: dict[str, Any]
    parameters: int
    bytes: int
    """Size of the weights' files."""
    hub: str | None = None
    """Its id on the hub; None for what is not known to stand there."""
    shape: Shape | None = None
    """Of a model that does not exist yet: its sizes. `folder` then holds the tokenizer alone."""
    modules: SentenceModules | None = None
    """Of a folder of sentence-transformers: what its modules say; `config` names the form that they come to."""


def resolve_base(base: str, root: Path) -> Source:
    """Find a base model: a folder or a GGUF file, relative to `root`, a short name (`named.NAMED`), or else a hub id, whose safe files are
    downloaded.

    Pickles can run code when they are read, and so can models that bring their own classes: both are refused by the names of their files
    and by their config.json alone.

    Of a folder of sentence-transformers the transformer is read, and how it makes vectors stands in `config` (`embedding_form.EMBEDDING`).

    Raises:
        ModelError: the model is refused, incomplete, of an unsupported type, or cannot be found.
        MissingExtraError: it goes by a short name, and its package is not installed.
    """
    folder, hub = _found(base, root)
    modules = read_modules(base, folder)
    folder = folder if modules is None else modules.transformer
    names = names_in(folder)
    refuse_files(base, names)
    check_files(base, [folder / name for name in (CONFIG, TOKENIZER_CONFIG) if name in names])
    config = configuration(base, folder, names)
    require_tokenizer(base, names)
    weights = weight_files(base, folder)
    files = (*weights, folder / CONFIG, *tokenizer_files(folder))
    check_files(base, files)
    parameters = sum(parameters_in(file) for file in weights if file.name != INDEX)
    check_weights(base, config, parameters)
    size = sum(file.stat().st_size for file in weights)
    if modules is None:
        return Source(base, folder, digest_of(files), files, config, parameters, size, hub)
    modules = modules.settled(config)
    # Of all that the form says this alone is ours, and not told by the modules.
    form = modules.form.model_copy(update={"trained": EmbeddingForm.of(config).trained})
    config |= {EMBEDDING: form.model_dump(mode="json")}
    digest = digest_of(files, modules.digested())
    return Source(base, folder, digest, files, config, parameters, size, hub, modules=modules)


def classifier_names(source: Source) -> tuple[str, ...]:
    """The names of what the trained classifier of a base gives, in their order; empty where it brings none.

    Raises:
        ModelError: a file of its weights is none, or is torn.
    """
    if source.shape is not None or not has_tensors(source.name, source.folder, (f"{family_of(source.config).classifier}.",)):
        return ()
    # Two labels that nobody named are not in the file: transformers leaves out what it takes for granted.
    named = source.config.get("id2label") or {number: f"LABEL_{number}" for number in range(int(source.config.get("num_labels") or 2))}
    return tuple(str(named[number]) for number in sorted(named, key=int))


def new_source(shape: Shape, tokenizer: str, root: Path) -> Source:
    """A model of this shape that is to be made from nothing, in the vocabulary of `tokenizer`: a folder, a short name or a hub id.

    Raises:
        ModelError: there is no tokenizer there, or it cannot be used.
    """
    folder = (root / Path(tokenizer).expanduser()).resolve()
    if not (folder / TOKENIZER).is_file():
        folder = resolve_base(tokenizer, root).folder
    check_files(tokenizer, tokenizer_files(folder))
    config = _config(shape, tokenizer, folder)
    vocabulary = config["vocab_size"]
    files = tuple(tokenizer_files(folder))
    # Whose vocabulary it is called does not decide what the model will be.
    shape = shape.model_copy(update={"tokenizer": None})
    parameters = shape.parameters(vocabulary)
    if parameters > MOST_PARAMETERS:
        raise ModelError(
            f"random: {shape.words()} with a vocabulary of {vocabulary:,} are {parameters:,} parameters, more than the {MOST_PARAMETERS:,} "
            "that can be made here; choose smaller sizes"
        )
    name = f"random, {shape.words()}, vocabulary of {Path(tokenizer).name}"
    return Source(name, folder, digest_of(files, {CONFIG: config}), files, config, parameters, 4 * parameters, shape=shape)


def _config(shape: Shape, name: str, folder: Path) -> dict[str, Any]:
    # With the ids of the tokenizer's own file.
    tokenizer = read_tokenizer(folder / TOKENIZER)
    words = tokenizer.get_vocab(with_added_tokens=True)
    padding = next((words[token] for token in PADDING_NAMES if token in words), None)
    begin, end = (ids[0] if ids else None for ids in special_ids(tokenizer)) if shape.decoder else (None, None)
    if shape.decoder:
        named = next((words[token] for token in END_NAMES if token in words), None)
        begin, end = (next((each for each in ids if each is not None), None) for ids in ((begin, named, end), (end, named, begin)))
        if end is None:
            raise ModelError(
                f"tokenizer {name}: puts nothing around texts, and has no token that ends them (looked for {', '.join(END_NAMES)}), "
                "which a decoder must have"
            )
        padding = end if padding is None else padding
    if padding is None:
        raise ModelError(f"tokenizer {name}: has no padding token (looked for {', '.join(PADDING_NAMES)})")
    return shape.config(max(words.values()) + 1, padding, begin, end)


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
    if folder.suffix == SUFFIX and folder.is_file():
        return unpacked(base, folder), None
    if _looks_like_a_path(base) or folder.exists():
        raise ModelError(f"base {base}: there is no folder {folder}")
    return _download(base), base


def _looks_like_a_path(base: str) -> bool:
    return base.startswith((".", "/", "~")) or base.endswith("/") or base.count("/") > 1 or "\\" in base


def _download(base: str) -> Path:
    from huggingface_hub import HfApi, hf_hub_download, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    near = did_you_mean(base.lower().replace("_", "-"), list(NAMED))
    try:
        listed = HfApi().list_repo_files(base)
    except (HfHubHTTPError, HFValidationError) as error:
        why = first_line(error)
        raise ModelError(f"base {base}: neither a folder here nor a model that the hub gives out ({why}){near}") from error
    except Exception as error:  # every way in which a network can be absent
        try:
            return Path(snapshot_download(base, allow_patterns=list(DOWNLOADED), local_files_only=True))
        except (LocalEntryNotFoundError, OSError) as missing:
            raise ModelError(
                f"base {base}: no folder here, not in the hub's local cache, and the hub is out of reach ({error}){near}"
            ) from missing
    # The small files first: they decide whether the large ones are wanted.
    place, more = "", list[str]()
    if MODULES in listed:
        whole = Path(hf_hub_download(base, MODULES)).parent
        place = transformer_place(base, whole)
        more = [*module_files(base, whole), *([f"{place}/{name}" for name in DOWNLOADED] if place else [])]
    before = f"{place}/" if place else ""
    names = {name.removeprefix(before) for name in listed if name.startswith(before) and "/" not in name.removeprefix(before)}
    refuse_files(base, names)
    for name in (CONFIG, TOKENIZER_CONFIG):
        if name in names:
            small = Path(hf_hub_download(base, before + name)).parent
    configuration(base, small, names)
    require_tokenizer(base, names)
    return Path(snapshot_download(base, allow_patterns=[*DOWNLOADED, *more]))
