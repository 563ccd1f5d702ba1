"""A folder of sentence-transformers as a base: its modules, from a fixed list, as the one form that vectors are made by here. No torch.

Nothing that the folder names is imported: a module type is a word that is known, or the folder is refused.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Self

from pydantic import ValidationError

from acclimate.errors import ModelError
from acclimate.files import digest_file
from acclimate.modeling.base_config import MOST_BYTES, read_object
from acclimate.modeling.base_files import CONFIG, OTHER_WEIGHTS, TOKENIZER, TOKENIZER_CONFIG, WEIGHTS, check_files, read_tokenizer
from acclimate.modeling.embedding_form import EMBEDDING, POOLINGS, EmbeddingForm
from acclimate.modeling.families import dimensions_of
from acclimate.modeling.longest import longest

MODULES = "modules.json"
PROMPTS = "config_sentence_transformers.json"
NAMES = ("Transformer", "Pooling", "Dense", "Normalize")
TYPES: Mapping[str, str] = {
    **{f"sentence_transformers.models.{name}": name for name in NAMES},  # up to version 5
    **{f"sentence_transformers.models.{name}.{name}": name for name in NAMES},
    "sentence_transformers.base.modules.transformer.Transformer": "Transformer",  # from version 6 on
    "sentence_transformers.sentence_transformer.modules.pooling.Pooling": "Pooling",
    "sentence_transformers.base.modules.dense.Dense": "Dense",
    "sentence_transformers.base.modules.normalize.Normalize": "Normalize",
}
"""The module types that are known, by the dotted names that sentence-transformers has written for them."""
READINGS = tuple(f"sentence_{name}_config.json" for name in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta"))
POOLED = {f"pooling_mode_{name}": name.removesuffix("_token").removesuffix("_tokens") for name in (
    "cls_token", "max_tokens", "mean_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken")}  # fmt: skip
OURS = {"lasttoken": "last"}
"""What is called otherwise there."""
ACTIVATIONS = {
    "torch.nn.modules.activation.Tanh": "tanh",
    "torch.nn.modules.linear.Identity": "identity",
    "torch.nn.Tanh": "tanh",
    "torch.nn.Identity": "identity",
}
LAYER = "sentence_embedding"  # what a dense layer or a normalisation reads and writes: the pooled vector
HARMLESS = frozenset(("torch_dtype", "dtype", "attn_implementation", "padding_side", "model_max_length", "trust_remote_code"))
LIMITLESS = 1 << 30  # transformers writes a number of thirty digits for what has no limit
SILENT = {"max_length": 256}
"""What leaves no trace in the digest of a base, besides the defaults: `minilm`, a base before modules were read, says so."""


@dataclass(frozen=True)
class SentenceModules:
    """What the modules of a folder come to."""

    transformer: Path
    """The folder of the transformer's own files."""
    form: EmbeddingForm
    layers: tuple[Path, ...] = ()
    """The weights of its dense layers, one after the other."""
    notes: tuple[str, ...] = ()
    """What of it is left out."""

    def settled(self, config: Mapping[str, Any]) -> Self:
        """The same, in the light of the transformer's own config.json: no longer than its positions, with the dimensions that it names."""
        length, own = self.form.max_length, EmbeddingForm.of(config)
        width = self.form.width(dimensions_of(dict(config)).width)
        # sentence-transformers knows one width that vectors are cut to, and nothing of the others that they were trained for.
        dimensions = tuple(sorted({*self.form.dimensions, *(each for each in own.dimensions if each <= width)}))
        length = None if length is None else min(length, longest(dict(config)))
        return replace(self, form=self.form.model_copy(update={"max_length": length, "dimensions": dimensions}))

    def digested(self) -> dict[str, Any]:
        """What the digest of the base covers besides the transformer's files; nothing for the form where none is named."""
        said, usual = self.form.model_dump(mode="json"), EmbeddingForm().model_dump(mode="json") | SILENT
        form = {name: value for name, value in said.items() if value != usual[name]}
        return ({EMBEDDING: form} if form else {}) | {f"dense {number}": digest_file(file) for number, file in enumerate(self.layers)}


def transformer_place(base: str, folder: Path) -> str:
    """Where in the folder the transformer's files are, by its modules.json alone: `` for the folder itself, else a name.

    Raises:
        ModelError: the file is no list of modules that are known here, in an order that is.
    """
    return _modules(base, folder)[0][1]


def module_files(base: str, folder: Path) -> list[str]:
    """The names of all files of the modules besides the transformer's, below the folder.

    Raises:
        ModelError: as `transformer_place`.
    """
    return [f"{place}/{name}" for _, place in _modules(base, folder)[1:] for name in (CONFIG, WEIGHTS)]


def read_modules(base: str, folder: Path) -> SentenceModules | None:
    """What the modules of a folder come to; None where it is none of sentence-transformers.

    Raises:
        ModelError: it asks for code of its own, for a module that is not known here, for weights that could run code, or for what has no
            counterpart here.
    """
    if not (folder / MODULES).is_file():
        return None
    try:
        return _read(base, folder)
    except (TypeError, ValueError, AttributeError) as error:  # of whatever stands in the place of a word or a number
        raise ModelError(f"base {base}: its modules are not told as sentence-transformers tells them ({error})") from error


def _read(base: str, folder: Path) -> SentenceModules:
    (_, place), *others = _modules(base, folder)
    transformer = folder / place
    said: dict[str, Any] = {"pooling": "mean", "normalize": False}
    layers: list[Path] = []
    for number, (name, path) in enumerate(others, start=1):
        settings = _settings(base, folder / path)
        where = f"base {base}: {path or name}"
        if name == "Pooling":
            said["pooling"] = _pooling(where, settings)
        elif name == "Dense":
            layers.append(_layer(base, folder / path))
            if said.get("activation") == "tanh":
                raise ModelError(f"{where}: module {number} is a dense layer behind one with tanh; one is read, or several linear ones")
            said |= {"dense": settings.get("out_features"), "activation": _activation(where, settings)}
        else:
            said["normalize"] = True
            _check_layer(where, settings)
    prompts, notes = _prompts(base, folder, others)
    said |= {"prompts": prompts, "max_length": _max_length(base, transformer), "dimensions": _dimensions(base, folder)}
    try:
        return SentenceModules(transformer, EmbeddingForm.model_validate(said), tuple(layers), notes)
    except ValidationError as error:
        first = error.errors()[0]
        raise ModelError(f"base {base}: its modules: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def _modules(base: str, folder: Path) -> list[tuple[str, str]]:
    """[(name, place)] of the modules in their order."""
    check_files(base, [folder / MODULES])
    try:
        if (folder / MODULES).stat().st_size > MOST_BYTES:
            raise ValueError("it is too large")
        listed = json.loads((folder / MODULES).read_text(encoding="utf-8"))
        modules = [(str(each["type"]), str(each.get("path") or ""), each.get("kwargs")) for each in listed]
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ModelError(f"base {base}: {MODULES} is no list of modules ({error!r})") from error
    known = f"these are: {', '.join(NAMES)} of sentence-transformers"
    for kind, _, settings in modules:
        if kind not in TYPES:
            own = "" if kind.startswith("sentence_transformers.") else " (code of the model's own, which is never run here)"
            raise ModelError(f"base {base}: {MODULES} asks for {kind}{own}; modules that are read: {known}")
        if settings:
            raise ModelError(f"base {base}: {MODULES} gives {kind} arguments of a call (kwargs: {settings!r}), which are not known here")
    found = [(TYPES[kind], "" if path == "." else path) for kind, path, _ in modules]
    for _, path in found:
        if path and (PurePosixPath(path).parts != (path,) or path == ".." or "\\" in path or ":" in path):
            raise ModelError(f"base {base}: {MODULES} names the folder {path!r}, which is not one beside it")
    names = [name for name, _ in found]
    if names.count("Transformer") != 1:
        raise ModelError(f"base {base}: {MODULES} has {names.count('Transformer')} transformers, where one is read")
    dense = names.count("Dense")
    if names not in (["Transformer", "Pooling", *["Dense"] * dense], ["Transformer", "Pooling", *["Dense"] * dense, "Normalize"]):
        raise ModelError(
            f"base {base}: {MODULES} has {', '.join(names)}; what is read is a Transformer, a Pooling, Dense layers where there are some, "
            "and a Normalize where there is one, in this order"
        )
    return found


def _settings(base: str, place: Path) -> dict[str, Any]:
    if not (place / CONFIG).is_file():  # a normalisation has nothing to say
        return {}
    check_files(base, [place / CONFIG])
    settings = read_object(base, place / CONFIG)
    if "auto_map" in settings or settings.get("trust_remote_code"):
        raise ModelError(f"base {base}: {place.name}/{CONFIG} asks for code of the model's own, which is never run here")
    return settings


def _pooling(where: str, settings: Mapping[str, Any]) -> str:
    modes = settings.get("pooling_mode")
    if modes is None:
        modes = [mode for name, mode in POOLED.items() if settings.get(name)] or ["mean"]
    modes = [OURS.get(mode, mode) for mode in ([modes] if isinstance(modes, str) else modes)]
    if len(modes) != 1 or modes[0] not in POOLINGS:
        raise ModelError(f"{where}: pools by {' and '.join(map(str, modes))}; what is known here: one of {', '.join(POOLINGS)}")
    return str(modes[0])


def _activation(where: str, settings: Mapping[str, Any]) -> str:
    _check_layer(where, settings)
    if settings.get("use_residual"):
        raise ModelError(f"{where}: a dense layer with a residual connection (use_residual) is not known here")
    named = str(settings.get("activation_function", "torch.nn.modules.activation.Tanh"))
    if named not in ACTIVATIONS:
        raise ModelError(f"{where}: activation_function: {named}; those that are known here: {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[named]


def _check_layer(where: str, settings: Mapping[str, Any]) -> None:
    for name in ("module_input_name", "module_output_name"):
        if settings.get(name) not in (None, LAYER):
            raise ModelError(f"{where}: {name}: {settings[name]!r}, where the vector of a text ({LAYER}) is read")


def _layer(base: str, place: Path) -> Path:
    file = place / WEIGHTS
    if not file.is_file():
        others = sorted(path.name for path in place.iterdir() if path.name.endswith(OTHER_WEIGHTS)) if place.is_dir() else []
        if others:
            raise ModelError(
                f"base {base}: {place.name} has its weights only as {others[0]}, a format that can run code, and is refused; "
                "convert it where you trust it: SentenceTransformer(...).save(folder, safe_serialization=True)"
            )
        raise ModelError(f"base {base}: no {place.name}/{WEIGHTS}; the download may be incomplete")
    check_files(base, [file])
    return file


def _prompts(base: str, folder: Path, others: list[tuple[str, str]]) -> tuple[dict[str, str], tuple[str, ...]]:
    """(what stands before texts of each side, what is left out)"""
    if not (folder / PROMPTS).is_file():
        return {}, ()
    check_files(base, [folder / PROMPTS])
    said = read_object(base, folder / PROMPTS)
    kind = said.get("model_type")
    if kind not in (None, "SentenceTransformer"):
        raise ModelError(f"base {base}: {PROMPTS}: a {kind}, which gives something else than a vector for a text")
    given = said.get("prompts") or {}
    if not isinstance(given, dict) or not all(isinstance(text, str) for text in given.values()):
        raise ModelError(f"base {base}: {PROMPTS}: prompts is no object of texts")
    usual = said.get("default_prompt_name")
    by_default = given.get(usual, "")
    document = next((given[name] for name in ("document", "passage", "corpus") if name in given), by_default)
    prompts = {"query": given.get("query", by_default), "document": document}
    excluded = [path for name, path in others if name == "Pooling" and _settings(base, folder / path).get("include_prompt") is False]
    if excluded and any(given.values()):
        raise ModelError(f"base {base}: {excluded[0]} leaves prompts out of what it pools (include_prompt: false), which is not known here")
    lost = sorted(name for name, text in given.items() if text and text not in prompts.values())
    notes = [f"prompts of the base that are for neither queries nor documents are left out: {', '.join(lost)}"] if lost else []
    if by_default:
        notes.append(f"the base puts its prompt {usual!r} before every text; here prompts stand before queries and documents")
    return prompts, tuple(notes)


def _dimensions(base: str, folder: Path) -> tuple[int, ...]:
    cut = read_object(base, folder / PROMPTS).get("truncate_dim") if (folder / PROMPTS).is_file() else None
    return () if cut is None else (cut,)


def _max_length(base: str, transformer: Path) -> int | None:
    """Tokens of a text that are read; None: as many as the model has positions."""
    found = [transformer / name for name in READINGS if (transformer / name).is_file()]
    settings: dict[str, Any] = {}
    if found:
        check_files(base, found[:1])
        settings = read_object(base, found[0])
    _check_reading(base, transformer, settings)
    own = [
        settings.get("max_seq_length"),
        *(_said(settings, name).get("model_max_length") for name in ("tokenizer_args", "processor_kwargs")),
    ]
    lengths = [length for length in own if length is not None]
    if not lengths and (transformer / TOKENIZER_CONFIG).is_file():
        length = read_object(base, transformer / TOKENIZER_CONFIG).get("model_max_length")
        lengths = [length] if isinstance(length, int) and length < LIMITLESS else []
    return lengths[0] if lengths else None


def _said(settings: Mapping[str, Any], name: str) -> dict[str, Any]:
    return dict(settings.get(name) or {})


def _check_reading(base: str, transformer: Path, settings: Mapping[str, Any]) -> None:
    """Refuse what makes other vectors of the same files."""
    for name in ("model_args", "model_kwargs", "tokenizer_args", "processor_kwargs", "config_args", "config_kwargs"):
        said = _said(settings, name)
        if said.get("trust_remote_code"):
            raise ModelError(f"base {base}: its {name} ask for code of the model's own (trust_remote_code), which is never run here")
        if odd := sorted(said.keys() - HARMLESS):
            raise ModelError(f"base {base}: its {name} set {', '.join(odd)}, which is not known here")
    if settings.get("transformer_task", "feature-extraction") != "feature-extraction":
        raise ModelError(f"base {base}: transformer_task: {settings['transformer_task']}, where the states of an encoder are read")
    if settings.get("module_output_name", "token_embeddings") != "token_embeddings":
        raise ModelError(f"base {base}: module_output_name: {settings['module_output_name']}, where the states of an encoder are read")
    for name in ("query_length", "document_length", "query_expansion", "processing_kwargs"):
        if settings.get(name):
            raise ModelError(f"base {base}: {name}: {settings[name]!r} is not known here")
    if settings.get("do_lower_case") and (transformer / TOKENIZER).is_file():
        normalizer = read_tokenizer(transformer / TOKENIZER).normalizer
        if normalizer is None or "A" in normalizer.normalize_str("A"):
            raise ModelError(
                f"base {base}: texts are put into lower case before its tokenizer, which keeps capitals (do_lower_case); "
                "put a Lowercase in front of the normalizer in its tokenizer.json"
            )
