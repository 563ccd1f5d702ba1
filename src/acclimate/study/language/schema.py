"""What one may write in a study file, for editors (JSON Schema) and for people (a reference in Markdown); both come from the models."""

from collections.abc import Iterable
from typing import Any

from pydantic import TypeAdapter

from acclimate.modeling.named import NAMED
from acclimate.objectives.loss_settings import LossSettings
from acclimate.settings import Settings, docstrings
from acclimate.stages.base import Stage
from acclimate.stages.search import Search
from acclimate.stages.searchable import number_of
from acclimate.study.language.bases import RANDOM, EndOf, LayersOf, New
from acclimate.study.language.mistakes import models_in
from acclimate.study.language.recipe import Recipe
from acclimate.study.language.stage_table import StageTable
from acclimate.study.language.study import Study

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def json_schema(model: type[Study] = Study) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a study file as it is written, with the settings' docstrings as descriptions.

    It knows forms, not meaning: that `reference` is a recipe, or that finetune comes last, is checked when the file is read.
    """
    schema = model.model_json_schema()
    definitions: dict[str, Any] = schema.pop("$defs")
    for stage in model.table.stages:
        # Which stage it is, is said by the key in front of the settings.
        definitions[stage.__name__]["properties"].pop("stage")
    for kind in model.kinds[1:]:
        # It must be said which kind it is, so it has no short form.
        written = definitions[kind.__name__]
        (settings,) = [form for form in written.get("anyOf", (written,)) if form["type"] == "object"]
        definitions[kind.__name__] = {**settings, "required": ["kind", *settings.get("required", ())]}
    known = list(dict.fromkeys(metric.name for kind in model.kinds for metric in kind.metrics if metric.compared))
    for settings in (schema, *definitions.values()):
        for name in ("metric", "select_by"):
            if name in settings.get("properties", {}):
                settings["properties"][name]["anyOf"][0]["enum"] = known
    _add_searches(model.table, definitions)
    definitions["Stage"] = _stage(model.table)
    definitions["Recipe"] = _recipe(model.table, definitions)
    whole = {"$schema": DRAFT, **schema, "title": "An acclimate study", "$defs": dict(sorted(definitions.items()))}
    untitled: dict[str, Any] = _without_titles(whole)
    return untitled


def _add_searches(table: StageTable, definitions: dict[str, Any]) -> None:
    """In place of the numbers of stages that learn, `{search: ...}`."""
    search = Search.model_json_schema(ref_template="#/$defs/{model}")
    definitions |= {**search.pop("$defs"), Search.__name__: search}
    for stage in table.stages:
        if stage.unsearchable() is not None:
            continue
        inside = [inner for field in stage.model_fields.values() for inner in models_in(field.annotation)]
        for settings in (stage, *inside):
            whole = definitions.get(settings.__name__, {})  # none of what is written in a form of its own, as one's own loss
            forms = [form for form in whole.get("anyOf", (whole,)) if "properties" in form]  # some have a short form, too
            for name, written in (each for form in forms for each in form["properties"].items()):
                if number_of(settings, (name,)) is not None and _reference(Search) not in written.get("anyOf", ()):
                    said = {key: written.pop(key) for key in ("default", "description") if key in written}
                    either = written.pop("anyOf", None) or [dict(written)]
                    written.clear()
                    written |= {"anyOf": [*either, _reference(Search)], **said}


def _stage(table: StageTable) -> dict[str, Any]:
    steps = [stage for stage in table.stages if stage not in table.baselines]  # what can stand in a list of stages
    names = [stage.word() for stage in steps]
    return {"description": "A stage: its name, or `name: {settings}`.", "anyOf": [{"enum": names}, _one_of(steps)]}


def _one_of(stages: Iterable[type[Stage]]) -> dict[str, Any]:
    # `name: {settings}`
    settings = {stage.word(): {"anyOf": [_reference(stage), {"type": "null"}], "description": _about(stage.__doc__)} for stage in stages}
    return {"type": "object", "properties": settings, "additionalProperties": False, "minProperties": 1, "maxProperties": 1}


def _asking(stage: type[Stage], written: dict[str, Any]) -> dict[str, Any]:
    # {zero_shot: model or recipe, settings}
    named = {"type": "string", "minLength": 1, "description": f"A model or a recipe, which `{stage.word()}` asks at its end."}
    properties = {stage.word(): named, **written.get("properties", {})}
    return {"type": "object", "properties": properties, "required": [stage.word()], "additionalProperties": False}


def _recipe(table: StageTable, definitions: dict[str, Any]) -> dict[str, Any]:
    stages = {"type": "array", "items": {"$ref": "#/$defs/Stage"}}
    described = docstrings(Recipe)
    full = {
        "type": "object",
        "properties": {
            "base": {
                "anyOf": [
                    {"type": "string", "minLength": 1, "examples": [RANDOM, *NAMED, *table.baseline_names]},
                    _reference(LayersOf),
                    _reference(EndOf),
                    _reference(New),
                    _one_of(table.baselines),
                    *(_asking(stage, definitions[stage.__name__]) for stage in table.stages if stage.asks_trained),
                    {"type": "null"},
                ],
                "description": _about(described["base"]),
            },
            "stages": {**stages, "description": _about(described["stages"])},
            "draw": {"type": "integer", "minimum": 0, "default": 0, "description": _about(described["draw"])},
        },
        "additionalProperties": False,
        "minProperties": 1,
    }
    return {"description": _about(Recipe.__doc__), "anyOf": [{**stages, "minItems": 1}, full]}


def _reference(model: type[Settings]) -> dict[str, str]:
    return {"$ref": f"#/$defs/{model.__name__}"}


def _without_titles(value: Any) -> Any:
    # pydantic gives every field a title made of its name, which editors then show instead of the description.
    if isinstance(value, list):
        return [_without_titles(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept: dict[str, Any] = {
        key: {name: _without_titles(inner) for name, inner in item.items()} if key in ("properties", "$defs") else _without_titles(item)
        for key, item in value.items()
        if key != "title" or "$schema" in value
    }
    about = kept.get("description")
    if isinstance(about, str):
        kept["description"] = _about(about)
    return kept


def reference_markdown(model: type[Study] = Study) -> str:
    """The reference of the study file: a table for each block with its keys, their types, defaults and meanings."""
    (recipe,) = models_in(model.model_fields["recipes"].annotation)
    blocks: list[tuple[str, str, type[Settings]]] = [("The study", "", model)]
    seen: set[type[Settings]] = {model, recipe, *model.table.stages}
    for field in model.model_fields.values():
        blocks += _blocks(field.annotation, seen)
    blocks.append(("A recipe", "One entry of `recipes`.", recipe))
    blocks += _blocks(recipe.model_fields["base"].annotation, seen)
    blocks.append(("A search", "In place of any number of a stage that learns a task, such as `lr: {search: [2e-6, 5e-5]}`.", Search))
    for stage in model.table.stages:
        name = stage.word()
        where = _baseline_as_written(stage) if stage in model.table.baselines else f"The stage `{name}`."
        blocks.append((f"`{name}`", where, stage))
        for field in stage.model_fields.values():
            blocks += _blocks(field.annotation, seen)
    return _HEAD + "".join(f"\n## {title}\n\n{_block(introduction, model)}" for title, introduction, model in blocks)


def _baseline_as_written(stage: type[Stage]) -> str:
    name = stage.word()
    settings = f", or `base: {{{name}: {{settings}}}}`" if len(stage.model_fields) > 1 else "; it has no settings"
    return f"The plain baseline `base: {name}`{settings}."


_HEAD = """\
# The study file

A study file is YAML 1.2: `2e-5` and `50_000_000` are numbers, `on` and `yes` are words, keys are words, and an unknown or a repeated key
is an error. Paths are relative to the file. A recipe is a list of stages or `{base, stages}`; a stage is its name or `name: {settings}`.
Where a corpus or the task is nothing but a path, the path alone may be written. (This page is generated: `acclimate schema --markdown`
prints it, and `acclimate schema` prints the JSON Schema for editors.)
"""


def _blocks(annotation: Any, seen: set[type[Settings]]) -> list[tuple[str, str, type[Settings]]]:
    """The settings classes that a field leads to, outermost first, each once."""
    found: list[tuple[str, str, type[Settings]]] = []
    for model in models_in(annotation):
        if model not in seen:
            seen.add(model)
            title = _TITLES.get(model.__name__)
            if issubclass(model, LossSettings):
                title = f"`loss: {model.model_fields['loss'].default}`"
            kind = model.model_fields["kind"].default if title is None and "kind" in model.model_fields else None
            found.append((title or f"`{model.__name__}`", f"`data.task` with `kind: {kind}`." if kind else "", model))
            for field in model.model_fields.values():
                found += _blocks(field.annotation, seen)
    return found


_TITLES = {
    "DataSettings": "`data`", "Classify": "`data.task`", "CorpusSettings": "A corpus", "SelectedCorpus": "`{select}`",
    "Selection": "`select`", "HeadSettings": "`finetune.head`",
    "MlmHead": "`finetune.head.mlm`", "WordTeacher": "`pretrain.teacher`",
    "TextGroups": "`group: {text_without}`", "LayersOf": "`base: {layers_of, keep}`", "EndOf": "`base: {end_of}`",
    "New": "`base: {random: {...}}`", "Values": "`{of: [values]}`",
    "Shape": "The sizes of a new model",
}  # fmt: skip


def _block(introduction: str, model: type[Settings]) -> str:
    about = " ".join(part for part in (introduction, _about(model.__doc__)) if part)
    hidden = "loss" if issubclass(model, LossSettings) else "stage"  # said by the key in front of the settings
    if all(name == hidden or field.exclude for name, field in model.model_fields.items()):
        return f"{about}\n"
    kinds, said = _kinds(model), docstrings(model)
    lines = [about, "", "| key | type | default | meaning |", "|---|---|---|---|"]
    for name, field in model.model_fields.items():
        if name == hidden:
            continue
        default = "required" if field.is_required() else f"`{_written(field.get_default(call_default_factory=True))}`"
        lines.append(f"| `{name}` | {_cell(kinds[name])} | {_cell(default)} | {_cell(_about(said.get(name)))} |")
    return "\n".join(lines) + "\n"


def _kinds(model: type[Settings]) -> dict[str, str]:
    """The type of each field in words, e.g. `number > 0, or null`."""
    if issubclass(model, Recipe):
        plain = f", or a plain baseline with settings, {model.table.with_settings}" if model.table.baselines else ""
        asking = "".join(f", or `{{{word}: model or recipe, settings}}`" for word in model.table.asking_names)
        base = f"text, or `{{layers_of, keep}}`, or `{{end_of}}`, or `random: {{sizes}}`{plain}{asking}"
        return {"base": base, "stages": "list of stages", "draw": "whole number ≥ 0"}
    known = {"recipes": "mapping of names to recipes"} if issubclass(model, Study) else {}
    schema = TypeAdapter(model).json_schema()
    definitions = schema.get("$defs", {})
    properties = schema.get("properties") or next(part["properties"] for part in schema["anyOf"] if "properties" in part)
    return {name: known.get(name) or _words(properties[name], definitions) for name in model.model_fields if name in properties}


_KINDS = {"string": "text", "integer": "whole number", "number": "number", "boolean": "`true` or `false`", "null": "`null`"}


def _words(schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    match schema:
        case {"$ref": reference}:
            name = str(reference).rpartition("/")[2]
            title = _TITLES.get(name, name).removeprefix("A ")
            # A kind that has no title here must be said, so it has no short form.
            forms = definitions[name].get("anyOf", ()) if name in _TITLES else ()
            word = next((f"`{form['const']}`" for form in forms if "const" in form), "path")
            return f"{title} (mapping, or {word})" if forms else title
        case {"anyOf": parts} | {"oneOf": parts}:
            return " or ".join(dict.fromkeys(_words(part, definitions) for part in parts))
        case {"enum": values}:
            return " or ".join(f"`{value}`" for value in values)
        case {"const": value}:
            return f"`{value}`"
        case {"type": "array", "items": items}:
            return f"list of ({_words(items, definitions)})"
        case {"type": "array"}:
            return "list"
        case {"type": "object", "additionalProperties": dict() as values}:
            return f"mapping of names to {_words(values, definitions)}"
        case {"type": "object", "required": [name], "properties": properties}:
            return f"`{{{name}: {_words(properties[name], definitions)}}}`"
        case {"type": "object", "maxProperties": 1}:
            return "`name: {settings}`"
        case {"type": "object"}:
            return "mapping"
    kind = _KINDS[schema["type"]]
    signs = {"exclusiveMinimum": ">", "minimum": "≥", "exclusiveMaximum": "<", "maximum": "≤"}
    bounds = [f"{sign} {schema[key]:g}" for key, sign in signs.items() if key in schema]
    return f"{kind} {' and '.join(bounds)}" if bounds else kind


def _written(value: Any) -> str:
    if isinstance(value, Settings):
        return "{}"
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_written, value))}]"
    return {None: "null", True: "true", False: "false"}.get(value, str(value)) if value is None or isinstance(value, bool) else str(value)


def _about(docstring: str | None) -> str:
    """A docstring as one line, without what only programmers need to know."""
    return " ".join((docstring or "").partition("Raises:")[0].split())


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
