"""The base class of everything a user can set: frozen, and unknown names are errors."""

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler, field_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

LARGEST_COUNT = 10**12  # more than anybody's tokens; beyond it sizes and times cannot be worked with
LARGEST_NUMBER = 1e30
MOST_EPOCHS = 1e6
LARGEST_SEED = 2**32 - 1  # that every library takes


class Settings(BaseModel):
    """A setting is a value: change one with `settings.model_copy(update={"lr": 3e-5})`."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, validate_default=True, allow_inf_nan=False)

    @field_validator("*", mode="after")
    @classmethod
    def _within_bounds(cls, value: Any) -> Any:
        check_bounds(value)
        return value


def check_bounds(value: Any) -> None:
    """Refuse numbers that nothing can be done with, and words that no file can hold.

    Raises:
        ValueError: which, and what is the limit.
    """
    if isinstance(value, str):
        if "\0" in value:
            raise ValueError("holds the character NUL (\\0), which no name of a file and no table can hold")
        if any("\ud800" <= character <= "\udfff" for character in value):
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
