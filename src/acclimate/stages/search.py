"""`{search: ...}` in place of a number: which values a stage tries before it learns, as it is written in a study file.

Finetune(lr=Search([2e-6, 5e-5], trials=8))     # between two ends
Finetune(lr=Search({"of": [1e-5, 3e-5]}))       # each of these
"""

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator
from pydantic_core import PydanticCustomError

from acclimate.settings import Settings

MOST_TRIALS = 200
OUTER = 0.1  # of a range: a value found there says that the best may lie beyond
LOG_FROM = 10.0  # a range whose ends are so far apart, as a ratio, is searched on a logarithmic scale


def _a_number(value: Any) -> Any:
    # To Python, and so to pydantic, true is the number 1, and a word of digits is one, too.
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PydanticCustomError("float_type", "should be a number")
    return value


Number = Annotated[int | float, BeforeValidator(_a_number)]


class Values(Settings):
    """Values to try, all of them: of several settings each with each."""

    of: tuple[Number, ...] = Field(min_length=2)
    """The values."""

    @field_validator("of")
    @classmethod
    def _each_once(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if twice := [each for place, each in enumerate(value) if each in value[:place]]:
            raise ValueError(f"{twice[0]:g} stands here twice")
        return value


class Search(Settings):
    """In place of a number of a stage that learns a task: values are tried with the first seed, and dev decides which is taken.

    All settings of one stage that are searched share its trials.
    """

    search: tuple[Number, Number] | Values
    """`[lowest, highest]`, on a logarithmic scale where that spans a factor of 10 or more, or `{of: [values]}`."""
    trials: Annotated[int, Field(ge=1, le=MOST_TRIALS), BeforeValidator(_a_number)] | None = None
    """How many are tried; default 8, of `of` all."""
    seeds: Literal["first", "all"] = "first"
    """`first`: what the study's first seed finds is taken by every seed. `all`: each searches for itself."""

    def __init__(self, *search: Any, **settings: Any) -> None:
        """`Search([low, high])`, or by name as in a study file."""
        super().__init__(**(dict(zip(("search", "trials"), search, strict=False)) | settings))

    @field_validator("search", mode="before")
    @classmethod
    def _two_ends(cls, value: Any) -> Any:
        if not isinstance(value, list | tuple | Mapping | Values):
            raise ValueError(f"should be a range, [lowest, highest], or {{of: [values]}}, not {value!r}")
        if isinstance(value, list | tuple) and len(value) != 2:
            raise ValueError("a range is [lowest, highest]; for single values write {of: [...]}")
        return value

    @field_validator("search")
    @classmethod
    def _upwards(cls, value: tuple[float, float] | Values) -> tuple[float, float] | Values:
        if isinstance(value, Values):
            return value
        low, high = value
        if low == high:
            raise ValueError(f"both ends are {low:g}, so there is nothing to search; write {low:g}, or two different ends")
        if low > high:
            raise ValueError(f"the range is upside down: write [{high:g}, {low:g}]")
        return value

    @property
    def listed(self) -> tuple[float, ...] | None:
        """The values that are named; None for a range."""
        return self.search.of if isinstance(self.search, Values) else None

    @property
    def ends(self) -> tuple[float, ...]:
        """The values that the setting must take: both ends of a range, or all that are named."""
        return self.search.of if isinstance(self.search, Values) else self.search

    @property
    def logarithmic(self) -> bool:
        """Whether values are drawn evenly in their logarithms."""
        if isinstance(self.search, Values):
            return False
        low, high = self.search
        return low > 0 and high / low >= LOG_FROM * (1 - 1e-9)

    def near_an_end(self, value: float) -> bool:
        """Whether a value lies in the outer tenth of a range, or is the lowest or the highest of three values or more."""
        if isinstance(self.search, Values):
            return len(self.search.of) > 2 and value in (min(self.search.of), max(self.search.of))
        low, high = map(math.log, self.search) if self.logarithmic else self.search
        place = ((math.log(value) if self.logarithmic else value) - low) / (high - low)
        return not OUTER <= place <= 1 - OUTER

    def told(self) -> str:
        """The values in a few words, e.g. `2e-06 to 5e-05 (log scale)`."""
        if isinstance(self.search, Values):
            return ", ".join(f"{value:g}" for value in self.search.of)
        low, high = self.search
        return f"{low:g} to {high:g}{' (log scale)' if self.logarithmic else ''}"
