"""`{search: ...}` in place of a number: which values a stage tries before it learns, as it is written in a study file.

Finetune(lr=Search([2e-6, 5e-5], trials=8))     # between two ends
Finetune(lr=Search({"of": [1e-5, 3e-5]}))       # each of these
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self, get_args, get_origin

from pydantic import (
    BeforeValidator,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from acclimate.errors import did_you_mean
from acclimate.settings import ByName, Settings

MOST_TRIALS = 200
MOST_SEARCHED = 4  # settings of a stage: more would need more trials than anybody has
USUAL_TRIALS = 8
OUTER = 0.1  # of a range: a value found there says that the best may lie beyond
LOG_FROM = 10.0  # a range whose ends are so far apart, as a ratio, is searched on a logarithmic scale

MAPPINGS = (dict, Mapping)  # as annotations say them

Path = tuple[str, ...]  # of a setting in its stage, e.g. ("lr",) or ("head", "dropout")


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


class Searchable(Settings):
    """Settings whose numbers may be searched. Until a value is found, the highest that is tried stands in place of each."""

    _searches: dict[Path, Search] = PrivateAttr(default_factory=dict)

    @classmethod
    def unsearchable(cls) -> str | None:
        """Why nothing can be searched here; None where it can."""
        return None

    @property
    def searches(self) -> Mapping[str, Search]:
        """What is searched, by the name of the setting, with dots where it stands inside another."""
        return MappingProxyType({".".join(path): search for path, search in self._searches.items()})

    @property
    def is_grid(self) -> bool:
        """Whether all values are named, so that each can be tried with each."""
        return all(search.listed is not None for search in self._searches.values())

    @property
    def combinations(self) -> int:
        """Of the values that are named."""
        return math.prod(len(search.listed or ()) for search in self._searches.values())

    @property
    def trials(self) -> int:
        """How many are made; 0 where nothing is searched."""
        said = [search.trials for search in self._searches.values() if search.trials is not None]
        if not self._searches:
            return 0
        return said[0] if said else self.combinations if self.is_grid else USUAL_TRIALS

    @property
    def search_told(self) -> str:
        """What is searched in words, e.g. `lr: 2e-06 to 5e-05 (log scale), 8 trials`; empty where nothing is."""
        several = "; ".join(f"{name}: {search.told()}" for name, search in self.searches.items())
        return f"{several}, {self.trials} trials" if several else ""

    @property
    def searched_by_all(self) -> bool:
        """Whether every seed searches for itself."""
        return any(search.seeds == "all" for search in self._searches.values())

    def is_whole(self, name: str) -> bool:
        """Whether a setting that is searched takes whole numbers only."""
        return number_of(type(self), tuple(name.split("."))) is int

    def with_found(self, found: Mapping[str, float]) -> Self:
        """The same with a value in place of each search."""
        written = self.model_dump(mode="json")
        # Settings within these know more than they write, such as where the sources of one's own code are.
        searched = {path[0] for path in self._searches}
        written |= {name: value for name, value in self if isinstance(value, Settings) and name not in searched}
        for name, value in found.items():
            _put(written, tuple(name.split(".")), value)
        return type(self).model_validate(written)

    def with_trials(self, most: int, whole: Self) -> Self:
        """The same with at most so many trials, of those settings alone that are what they are in the `whole` stage."""
        made, trials = self.model_copy(), min(most, self.trials)
        kept = {path: search for path, search in self._searches.items() if getattr(self, path[0]) == getattr(whole, path[0])}
        made._searches = {path: search.model_copy(update={"trials": trials}) for path, search in kept.items()}
        return made

    def ends(self) -> Iterator[Self]:
        """The same with every end of every search: what can be done with all of these can be done with what lies between."""
        highest = {name: max(search.ends) for name, search in self.searches.items()}
        for name, search in self.searches.items():
            for value in search.ends:
                yield self.with_found({**highest, name: value})

    @model_validator(mode="wrap")
    @classmethod
    def _with_searches(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        written = dict(_written_in(value)) if isinstance(value, Mapping) else {}
        if not written:
            return handler(value)
        first = next(iter(written))
        if (why := cls.unsearchable()) is not None:
            raise _refused(cls, first, why)
        searches = {path: _search(cls, path, each) for path, each in written.items()}
        _check_together(cls, searches)
        if unfit := [path for path in searches if number_of(cls, path) is None]:
            raise _refused(cls, unfit[0], "is no number, and only numbers are searched")
        highest = {path: max(search.ends) for path, search in searches.items()}
        for path, search in searches.items():
            for end in search.ends:
                cls.model_validate(_filled(value, {**highest, path: end}))  # what the setting refuses, it refuses here
        made = handler(_filled(value, highest))
        made._searches = searches
        return made

    @model_serializer(mode="wrap")
    def _as_written(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        plain: dict[str, Any] = handler(self)
        for path, search in self._searches.items():
            if path[0] in plain:
                _put(plain, path, {name: value for name, value in search.model_dump(mode="json").items() if value is not None})
        return plain


def _written_in(settings: Mapping[str, Any], above: Path = ()) -> Iterator[tuple[Path, Any]]:
    """The searches in settings as they are written, and where they stand."""
    for name, value in settings.items():
        if isinstance(value, Search) or (isinstance(value, Mapping) and isinstance(value.get("search"), list | tuple | Mapping)):
            yield (*above, str(name)), value
        elif isinstance(value, Mapping):
            yield from _written_in(value, (*above, str(name)))


def _search(model: type[Settings], path: Path, written: Any) -> Search:
    if isinstance(written, Search):
        return written
    try:
        return Search.model_validate(written)
    except ValidationError as error:
        inside: list[InitErrorDetails] = []
        for each in error.errors(include_url=False):
            told, place = each.get("ctx", {}), (*path, *each["loc"])
            if each["type"] == "extra_forbidden":
                known = [*Search.model_fields]
                near = did_you_mean(str(place[-1]), known) or f"; the keys here are {', '.join(known)}"
                told = {"error": ValueError(f"unknown key {place[-1]!r}{near}")}
            kind = "value_error" if "error" in told else each["type"]
            inside.append({"type": kind, "loc": place, "input": each["input"], "ctx": told})
        raise ValidationError.from_exception_data(model.__name__, inside) from None


def _check_together(model: type[Settings], searches: Mapping[Path, Search]) -> None:
    """Refuse searches of one stage that do not go together."""
    last = [*searches][-1]
    if len(searches) > MOST_SEARCHED:
        names = ", ".join(map(".".join, searches))
        raise _refused(model, last, f"{len(searches)} settings are searched ({names}), and a stage searches at most {MOST_SEARCHED}")
    said = {path: search.trials for path, search in searches.items() if search.trials is not None}
    if len(set(said.values())) > 1:
        told = " and ".join(f"{'.'.join(path)} says {trials}" for path, trials in said.items())
        raise _refused(model, [*said][-1], f"all settings of a stage share its trials, and {told}; say it once")
    if len({search.seeds for search in searches.values()}) > 1:
        raise _refused(model, last, "all settings of a stage are searched together, so say `seeds: all` of each or of none")
    every = math.prod(len(search.listed) if search.listed is not None else MOST_TRIALS + 1 for search in searches.values())
    grid = all(search.listed is not None for search in searches.values())
    if grid and said and next(iter(said.values())) > every:
        path, trials = next(iter(said.items()))
        raise _refused(model, (*path, "trials"), f"{trials} trials, and there are {every} combinations of the values; leave `trials` out")
    if grid and not said and every > MOST_TRIALS:
        raise _refused(model, last, f"the values have {every:,} combinations; say how many `trials` (at most {MOST_TRIALS}) are drawn")


def _refused(model: type[Settings], path: Path, message: str) -> ValidationError:
    details: InitErrorDetails = {"type": "value_error", "loc": path, "input": None, "ctx": {"error": ValueError(message)}}
    return ValidationError.from_exception_data(model.__name__, [details])


def _filled(settings: Mapping[str, Any], values: Mapping[Path, float]) -> dict[str, Any]:
    """A copy of the settings with numbers in place of searches."""
    filled = dict(settings)
    for path, value in values.items():
        _put(filled, path, value)
    return filled


def _put(settings: dict[str, Any], path: Path, value: Any) -> None:
    *outer, last = path
    for name in outer:
        settings[name] = dict(settings[name])
        settings = settings[name]
    settings[last] = value


def number_of(model: type[Settings], path: Path) -> type[int] | type[float] | None:
    """The numbers that a setting takes, whole or any; None where it takes none. What no model knows is refused with its name."""
    found: list[Any] = [model]
    for name in path:
        below: list[Any] = []
        for each in found:
            if isinstance(each, type) and issubclass(each, Settings):
                if name not in each.model_fields and each is model:
                    return float  # an unknown key: the model says so, and which is near
                below += _members(each.model_fields[name].annotation) if name in each.model_fields else []
            elif isinstance(each, ByName):
                below += [member for word, member in zip(each.words, each.members, strict=True) if word == name]
            elif get_origin(each) in MAPPINGS:
                below += _members(get_args(each)[1])
        found = below
    return float if float in found else int if int in found else None


def _members(annotation: Any) -> list[Any]:
    """The members of a union, without what is only said about them."""
    if get_origin(annotation) is Annotated:
        by_name = [each for each in annotation.__metadata__ if isinstance(each, ByName)]
        return [*by_name] or _members(get_args(annotation)[0])
    if get_origin(annotation) in (None, *MAPPINGS, list, tuple, Sequence, Literal):
        return [annotation]
    return [member for part in get_args(annotation) for member in _members(part)]
