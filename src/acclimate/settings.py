"""The base class of everything a user can set: frozen, and unknown names are errors."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler, field_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from acclimate.errors import did_you_mean
from acclimate.inert import has_lone_surrogate

LARGEST_COUNT = 10**12  # more than anybody's tokens; beyond it sizes and times cannot be worked with
LARGEST_NUMBER = 1e30
MOST_EPOCHS = 1e6
LARGEST_SEED = 2**32 - 1  # that every library takes
PER_CLASS = "^[1-9][0-9]{0,11} per class$"  # a budget of so many labels of each class


class Settings(BaseModel):
    """A setting is a value: change one with `settings.model_copy(update={"lr": 3e-5})`."""

    # Not with `use_attribute_docstrings`: of all stages that takes half a second whenever a study is read, and few ask for the docstrings.
    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        made = handler(schema)
        properties = handler.resolve_ref_schema(made).get("properties", {})
        for name, said in docstrings(cls).items():
            if name in properties:
                properties[name].setdefault("description", said)
        return made

    @field_validator("*", mode="after")
    @classmethod
    def _within_bounds(cls, value: Any) -> Any:
        check_bounds(value)
        return value


def docstrings(model: type[Settings]) -> dict[str, str]:
    """What stands below each field of a class in its source, or in that of its bases; nothing where there is no source."""
    found: dict[str, str] = {}
    for each in reversed(model.__mro__):
        found |= _own_docstrings(each) if issubclass(each, Settings) else {}
    return found


@cache
def _own_docstrings(model: type[Settings]) -> dict[str, str]:
    import ast
    import inspect

    try:
        source = inspect.getsource(model)
    except (OSError, TypeError):
        return {}
    tree = ast.parse(f"if True:\n{source}" if source[0].isspace() else source)
    body = next(node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)).body
    return {
        field.target.id: inspect.cleandoc(below.value.value)
        for field, below in pairwise(body)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) and isinstance(below.value.value, str)
    }


def per_class(labels: str) -> int | None:
    """The number of a label budget such as `8 per class`; None where it is another one."""
    return int(labels.partition(" ")[0]) if re.fullmatch(PER_CLASS, labels) else None


def check_bounds(value: Any) -> None:
    """Refuse numbers that nothing can be done with, and words that no file can hold.

    Raises:
        ValueError: which, and what is the limit.
    """
    if isinstance(value, str):
        if "\0" in value:
            raise ValueError("holds the character NUL (\\0), which no name of a file and no table can hold")
        if has_lone_surrogate(value):
            raise ValueError("holds half a character (a lone surrogate), which cannot be written as UTF-8")
    elif isinstance(value, int) and not isinstance(value, bool) and abs(value) > LARGEST_COUNT:
        raise ValueError(f"is too large: at most {LARGEST_COUNT:,} make sense here")
    elif isinstance(value, float) and abs(value) > LARGEST_NUMBER:
        raise ValueError(f"is too large: at most {LARGEST_NUMBER:g} make sense here")
    elif isinstance(value, dict):
        for name, inner in value.items():
            check_bounds(name)
            check_bounds(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            check_bounds(inner)


@dataclass(frozen=True)
class OneOf:
    """In an annotation: a value of one of these classes, told apart by the field `by`, as in `Annotated[Stage, OneOf("stage", STAGES)]`.

    For people and for type checkers the value is of their common base; which classes there are is a value, not a type.
    """

    by: str
    members: tuple[type[Settings], ...]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        choices = {member.model_fields[self.by].default: handler.generate_schema(member) for member in self.members}
        return core_schema.tagged_union_schema(choices, discriminator=self.by)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        # Which of them is meant may go without saying, so "one of" would be too much said.
        several = handler(schema)["oneOf"]
        return {"anyOf": several} if len(several) > 1 else dict(several[0])


@dataclass(frozen=True)
class ByName(OneOf):
    """The same, written as the word for it alone, or with its settings: `focal`, or `{focal: {gamma: 2}}`."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._read, super().__get_pydantic_core_schema__(source, handler))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        properties = {}
        for word, inner in zip(self.words, handler(schema)["oneOf"], strict=True):
            about = handler.resolve_ref_schema(inner).get("description", "")
            properties[word] = {"anyOf": [inner, {"type": "null"}], "description": about}
        one = {"type": "object", "properties": properties, "additionalProperties": False, "minProperties": 1, "maxProperties": 1}
        return {"anyOf": [{"enum": list(self.words)}, one]}

    @property
    def words(self) -> tuple[str, ...]:
        """Those that may be written."""
        return tuple(member.model_fields[self.by].default for member in self.members)

    def _read(self, value: Any) -> Any:
        if isinstance(value, Settings):
            return value
        if isinstance(value, str):
            value = {value: None}
        if not isinstance(value, Mapping) or len(value) != 1:
            raise ValueError(f"should be a name, or one name with its settings (`name: {{settings}}`); names are {', '.join(self.words)}")
        ((word, settings),) = value.items()
        if word not in self.words:
            near = did_you_mean(str(word), list(self.words))
            raise ValueError(f"{word!r} is none of {', '.join(self.words)}{near}")
        if settings is not None and not isinstance(settings, Mapping):
            raise ValueError(f"the settings of {word} are a mapping, `{word}: {{key: value}}`, not {settings!r}")
        if settings and self.by in settings:
            raise ValueError(f"unknown key {self.by!r} in {word}, which is the name already")
        return {**(settings or {}), self.by: word}
