"""Settings of which some numbers may be searched: what is written in their place is taken out, checked against them, and found again."""

import math
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self, get_args, get_origin

from pydantic import (
    ModelWrapValidatorHandler,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)
from pydantic_core import InitErrorDetails

from acclimate.errors import did_you_mean
from acclimate.settings import ByName, Settings
from acclimate.stages.search import MOST_TRIALS, Search

MOST_SEARCHED = 4  # settings of a stage: more would need more trials than anybody has
USUAL_TRIALS = 8

MAPPINGS = (dict, Mapping)  # as annotations say them

Path = tuple[str, ...]  # of a setting in its stage, e.g. ("lr",) or ("head", "dropout")


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
    def combinations(self) -> int | None:
        """Of all values that may be tried; None where there is no end of them."""
        return _combinations(type(self), self._searches)

    @property
    def trials(self) -> int:
        """How many are made; 0 where nothing is searched."""
        said = [search.trials for search in self._searches.values() if search.trials is not None]
        if not self._searches:
            return 0
        every = self.combinations
        return said[0] if said else every if every is not None and (self.is_grid or every < USUAL_TRIALS) else USUAL_TRIALS

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
        return number_of(type(self), self._paths[name]) is int

    @property
    def _paths(self) -> Mapping[str, Path]:
        # A name is not split to find them again: a label, which a weight may stand for, can have dots of its own.
        return {".".join(path): path for path in self._searches}

    def with_found(self, found: Mapping[str, float]) -> Self:
        """The same with a value in place of each search."""
        written = self.model_dump(mode="json")
        # Settings within these know more than they write, such as where the sources of one's own code are.
        searched = {path[0] for path in self._searches}
        written |= {name: value for name, value in self if isinstance(value, Settings) and name not in searched}
        for name, value in found.items():
            _put(written, self._paths[name], value)
        return type(self).model_validate(written)

    def with_trials(self, most: int) -> Self:
        """The same with at most so many trials."""
        made, trials = self.model_copy(), min(most, self.trials)
        made._searches = {path: search.model_copy(update={"trials": trials}) for path, search in self._searches.items()}
        return made

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """The same with other values, which are searched no longer."""
        made, changed = super().model_copy(update=update, deep=deep), update or {}
        if searched := [name for name, value in changed.items() if isinstance(value, Search)]:
            raise ValueError(f"{searched[0]}: what is to be searched is checked against the other settings; say it as the stage is made")
        kept = {path: search for path, search in self._searches.items() if changed.get(path[0], each := getattr(self, path[0])) == each}
        made._searches = kept
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
        written = dict(_written_in(cls, value)) if isinstance(value, Mapping) else {}
        if not written:
            return handler(value)
        first = next(iter(written))
        if (why := cls.unsearchable()) is not None:
            raise _refused(cls, first, why)
        searches = {path: _search(cls, path, each) for path, each in written.items()}
        _check_together(cls, searches)
        if unfit := [path for path in searches if number_of(cls, path) is None]:
            raise _refused(cls, unfit[0], "is no number that acclimate knows, and only such are searched")
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


def _written_in(model: type[Settings], settings: Mapping[str, Any], above: Path = ()) -> Iterator[tuple[Path, Any]]:
    """The searches in settings as they are written, and where they stand."""
    for name, value in settings.items():
        path = (*above, str(name))
        if isinstance(value, Search) or (isinstance(value, Mapping) and _is_search(model, path, value)):
            yield path, value
        elif isinstance(value, Mapping):
            yield from _written_in(model, value, path)


def _is_search(model: type[Settings], path: Path, written: Mapping[str, Any]) -> bool:
    if path[0] in model.model_fields and number_of(model, path) is not None:
        return not written.keys().isdisjoint(Search.model_fields)  # where a number stands nothing else can be meant
    inner = written.get("search")
    # A label may be called so, too, and have words, or its weight be searched.
    words = isinstance(inner, list | tuple) and all(isinstance(each, str) for each in inner)
    return (isinstance(inner, list | tuple) and not words) or (isinstance(inner, Mapping) and "search" not in inner)


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
    every, grid = _combinations(model, searches), all(search.listed is not None for search in searches.values())
    if every is None:
        return
    if said and next(iter(said.values())) > every:
        path, trials = next(iter(said.items()))
        raise _refused(model, (*path, "trials"), f"{trials} trials, and there are {every} combinations of the values; leave `trials` out")
    if grid and not said and every > MOST_TRIALS:
        raise _refused(model, last, f"the values have {every:,} combinations; say how many `trials` (at most {MOST_TRIALS}) are drawn")


def _combinations(model: type[Settings], searches: Mapping[Path, Search]) -> int | None:
    """Of all values that may be tried, named ones and the whole numbers of a range; None where there is no end of them."""
    counts = []
    for path, search in searches.items():
        if search.listed is None and number_of(model, path) is not int:
            return None
        low, high = search.ends[0], search.ends[-1]
        counts.append(len(search.listed) if search.listed is not None else math.floor(high) - math.ceil(low) + 1)
    return math.prod(counts)


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
                if name not in each.model_fields:
                    return float  # an unknown key: the model says so, and which is near
                below += _members(each.model_fields[name].annotation)
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
