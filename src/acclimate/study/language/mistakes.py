"""From what pydantic finds in a study to what a user reads: file, line, what is wrong, and the nearest right key."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin

from pydantic import ValidationError

from acclimate.settings import OneOf, Settings
from acclimate.study.language.yaml import Document, Place

MOST_MISTAKES = 10  # in one message

# What other libraries, or people, call it -> what it may be called here.
ALIASES = {
    "learning_rate": ("lr",), "batch_size": ("batch_tokens",), "train_batch_size": ("batch_size", "batch_tokens"),
    "per_device_train_batch_size": ("batch_size", "batch_tokens"), "num_epochs": ("epochs",), "num_train_epochs": ("epochs",),
    "max_steps": ("min_steps", "tokens"), "steps": ("min_steps", "tokens"), "max_len": ("max_length",), "max_seq_length": ("max_length",),
    "max_tokens": ("tokens",), "num_tokens": ("tokens",), "warmup_ratio": ("warmup",), "warmup_steps": ("warmup",),
    "mlm_probability": ("mask_rate",), "max_grad_norm": ("clip",), "grad_clip": ("clip",), "early_stopping": ("patience",),
    "freeze": ("train",), "lora": ("train",), "peft": ("train",), "r": ("rank",), "lora_r": ("rank",), "lora_alpha": ("alpha",),
    "lora_dropout": ("dropout",), "target_modules": ("targets",), "use_dora": ("dora",), "use_rslora": ("rslora",),
    "init_lora_weights": ("init",), "layerwise_decay": ("layer_decay",), "c": ("strengths",), "model": ("base",), "dataset": ("data",),
    "pipeline": ("stages",), "baseline": ("reference",), "budgets": ("labels",), "budget": ("labels",),
    "seed": ("seeds", "split_seed"), "file": ("path",), "files": ("path",), "text_column": ("text",), "label_column": ("label",),
    "target": ("label",), "labels": ("label",), "validation": ("dev",), "valid": ("dev",), "val": ("dev",), "eval": ("dev",),
    "unlabelled": ("unlabeled",), "corpus": ("domain", "path"),
}  # fmt: skip


@dataclass(frozen=True)
class Mistake:
    """Something wrong in a study as it is written."""

    path: Place  # of the value that it is said of, e.g. ("recipes", "TAPT", 0, "pretrain")
    message: str
    key: str | None = None  # the key in that value to whose line the message points


def describe(mistakes: list[Mistake], source: Document | None) -> str:
    """A line per mistake, the first ten, with file, line and column where they are known."""
    lines = []
    for mistake in mistakes[:MOST_MISTAKES]:
        at = mistake.path if mistake.key is None else (*mistake.path, mistake.key)
        where = f"{source.where(at)}: " if source is not None else ""
        dotted = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in mistake.path).removeprefix(".")
        lines.append(f"{where}{dotted}{': ' if dotted else ''}{mistake.message}")
    if len(mistakes) > MOST_MISTAKES:
        lines.append(f"... and {len(mistakes) - MOST_MISTAKES} more")
    return "\n".join(lines)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` (did you mean 'lr'?)`, or nothing where nothing is near."""
    names = list(known)
    plain = word.strip().lower().replace("-", "_").replace(" ", "_")
    near = [name for name in ALIASES.get(plain, ()) if name in names]
    near = near or difflib.get_close_matches(word, names, n=1) or difflib.get_close_matches(plain, names, n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def mistakes_in(error: ValidationError, model: type[Settings], raw: Any) -> list[Mistake]:
    """What pydantic found, said of the places as they are written, without the names of its unions' members."""
    mistakes: list[Mistake] = []
    unfit: dict[Place, list[Any]] = {}
    for found in error.errors(include_url=False):
        location, kind = found["loc"], found["type"]
        path = as_written(location, raw)
        if kind in ("extra_forbidden", "missing"):
            key, keys = str(location[-1]), _keys_at(location[:-1], model)
            if kind == "missing":
                mistakes.append(Mistake(path, f"the key {key!r} is missing"))
            else:
                near = did_you_mean(key, keys) or (f"; the keys here are {', '.join(keys)}" if keys else "; nothing can be set here")
                mistakes.append(Mistake(path[:-1] if path and path[-1] == key else path, f"unknown key {key!r}{near}", key))
        elif kind == "union_tag_invalid":
            known = " or ".join(found["ctx"]["expected_tags"].split(", "))
            by = found["ctx"]["discriminator"].strip("'")
            mistakes.append(Mistake((*path, by), f"should be {known}, not {_shown(found['input'][by])}"))
        elif kind == "value_error":
            mistakes.append(Mistake(path, str(found["ctx"]["error"])))
        else:
            unfit.setdefault(path, []).append(found)
    for path, several in unfit.items():
        # A value that fits no member of a union is reported once per member. If one of them only finds it too large, or something wrong
        # inside it, or a key too many or too few, that member is the one which was meant.
        inside = (*(other for other in unfit if other != path), *(mistake.path for mistake in mistakes))
        if any(other[: len(path)] == path for other in inside):
            continue
        meant = [found for found in several if found["type"] in _BOUNDS] or several
        wanted = dict.fromkeys(_expectation(found) for found in meant)
        mistakes.append(Mistake(path, f"should be {' or '.join(wanted)}, not {_shown(several[0]['input'])}"))
    return mistakes


_BOUNDS = {
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than": "less than {lt:g}",
    "less_than_equal": "at most {le:g}",
    "too_short": "a list or mapping of at least {min_length}",
    "string_too_short": "a word",
    "string_pattern_mismatch": "a name without slashes that does not begin with a dot or a space",
}
_TYPES = {
    "int": "a whole number",
    "float": "a number",
    "finite": "a finite number",
    "string": "a word",
    "bool": "true or false",
    "tuple": "a list",
    "list": "a list",
    "dict": "a mapping",
    "model": "a mapping",
    "literal": "{expected}",
    "budget": "so many of each class, as '8 per class'",
}


def _expectation(found: Any) -> str:
    kind: str = found["type"]
    phrase = _BOUNDS.get(kind) or _TYPES.get(kind.partition("_")[0])
    return phrase.format(**found.get("ctx", {})) if phrase is not None else f"something else ({found['msg']})"


def _shown(value: Any) -> str:
    text = {True: "true", False: "false", None: "null"}.get(value, repr(value)) if value is None or isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def as_written(location: tuple[str | int, ...], raw: Any) -> Place:
    """The written path of a place in the models: without `stages` where a recipe is a list, and without names of union members."""
    path: list[str | int] = []
    short = False
    for part in location:
        if short and isinstance(part, str):
            short = False
            if isinstance(raw, Mapping) and isinstance(raw.get(part), str):
                continue  # the word in {base: {zero_shot: NAME, settings}}, beside which its settings stand
        if isinstance(raw, Mapping) and part == "stages" and "stages" not in raw and isinstance(raw.get("base"), Mapping):
            part, short = "base", True  # {base: {tfidf: {...}}} became a stage
        inside = (part in raw) if isinstance(raw, Mapping) else isinstance(raw, list | tuple) and isinstance(part, int) and part < len(raw)
        if inside:
            path.append(part)
            raw = raw[part]
        elif isinstance(raw, Settings):  # given from Python: there is no other way of writing it
            path.append(part)
    return tuple(path)


def _keys_at(location: tuple[str | int, ...], model: type[Settings]) -> tuple[str, ...]:
    """The keys that the models allow at this place."""
    models = [model]
    for part in location:
        below = [inner for outer in models if part in outer.model_fields for inner in models_in(_annotation(outer, part))]
        member = [inner for inner in models if part in (inner.__name__, _tag(inner))]
        models = below or member or models
    return tuple(dict.fromkeys(key for inner in models for key in inner.model_fields if key != _in_front(inner)))


def _annotation(model: type[Settings], field: str | int) -> Any:
    return model.model_fields[str(field)].annotation


def _tag(model: type[Settings]) -> Any:
    # The word by which a member of a union is told from the others.
    by = _in_front(model) or "kind"
    return model.model_fields[by].default if by in model.model_fields else None


def _in_front(model: type[Settings]) -> str | None:
    # The field that is written as the key in front of all others: a stage has a `loss` as a setting, which is a key like others.
    return next((by for by in ("stage", "loss") if by in model.model_fields), None)


def models_in(annotation: Any) -> Iterator[type[Settings]]:
    """The settings classes in an annotation such as `dict[str, Recipe]` or `Pretrain | Finetune`, not those inside them."""
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        yield annotation
    if get_origin(annotation) is Annotated and (table := next((one for one in annotation.__metadata__ if isinstance(one, OneOf)), None)):
        yield from table.members
        return
    for part in get_args(annotation):
        yield from models_in(part)
