"""The numbers of a study file: how many, which seeds, how many labels."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from acclimate.settings import LARGEST_SEED, PER_CLASS, per_class


def _no_truth(value: Any) -> Any:
    # To Python, and so to pydantic, true is the integer 1.
    if isinstance(value, bool):
        raise PydanticCustomError("int_type", "should be a whole number")
    return value


def _per_class(value: Any) -> Any:
    if not isinstance(value, str) or per_class(value) is None:
        raise PydanticCustomError("budget", "should be so many of each class, as '8 per class'")
    return value


# The bound stands before the validator: only so does it reach the JSON Schema.
Count = Annotated[int, Field(ge=1), BeforeValidator(_no_truth)]
Seed = Annotated[int, Field(ge=0, le=LARGEST_SEED), BeforeValidator(_no_truth)]
Seeds = Count | Annotated[tuple[Seed, ...], Field(min_length=1)]
Budget = Count | Literal["all"] | Annotated[str, Field(pattern=PER_CLASS), BeforeValidator(_per_class)]
