"""What a client asks: JSON of which every mistake is told with its place, and nothing is guessed."""

import json
from pathlib import Path
from typing import Any, NamedTuple, cast, get_args

from acclimate.data.readers.problems import Problems
from acclimate.data.readers.records import Record
from acclimate.data.readers.texts import checked_text
from acclimate.errors import did_you_mean
from acclimate.modeling.embedding_form import Side
from acclimate.serving.limits import Limits
from acclimate.serving.refusals import Refused
from acclimate.tasks.asked_words import joined

SIDES = get_args(Side)


class Way(NamedTuple):
    """How a model is asked; items that are asked in the same way share a forward pass."""

    columns: int = 1
    """Texts of an item."""
    tokens: bool = False
    """Whether an item's words are its own, one space between them in its text."""
    side: Side | None = None
    """Whose prompt stands before each text, of a model of vectors."""


class Asked(NamedTuple):
    """The items of a request."""

    way: Way
    items: tuple[tuple[str, ...], ...]


class Shape(NamedTuple):
    """What a model can be asked about."""

    columns: tuple[int, ...] = (1,)
    """How many texts an item may have."""
    tokens: bool = False
    """Whether lists of words may stand in the place of texts."""
    sides: bool = False
    """Whether a side may be named."""

    @property
    def example(self) -> str:
        """A request, for those that sent something else."""
        if 1 not in self.columns:
            return '{"texts": ["one", "two"], "texts_b": ["other one", "other two"]}'
        return '{"texts": ["one", "two"]}'

    @property
    def fields(self) -> tuple[str, ...]:
        """The names that may stand in a request."""
        return (
            "texts",
            *(["texts_b"] if 2 in self.columns else []),
            *(["tokens"] if self.tokens else []),
            *(["side"] if self.sides else []),
        )


def asked_in(body: bytes, shape: Shape, limits: Limits) -> Asked:
    """The items of a body.

    Raises:
        Refused: it is no JSON, or says what cannot be.
    """
    said = _object(body, shape)
    for name in said:
        if name not in shape.fields:
            known = list(shape.fields)
            raise Refused(400, f"{name[:80]!r} is not known here{did_you_mean(name[:80], known)}", f"there are {', '.join(known)}")
    side = said.get("side")
    if side is not None and side not in SIDES:
        raise Refused(400, f"side: must be one of {', '.join(SIDES)}", "leave it out, and no prompt stands before the texts")
    if "tokens" in said and "texts" in said:
        raise Refused(400, "texts and tokens: an item has one of them", "say texts, or tokens where the words are known")
    if "tokens" in said:
        words = _listed(said, "tokens", limits, '{"tokens": [["a", "sentence"], ["another"]]}')
        return _within(Asked(Way(tokens=True), tuple((_joined(value, number),) for number, value in enumerate(words))), "tokens", limits)
    firsts = [checked(value, "texts", number) for number, value in enumerate(_listed(said, "texts", limits, shape.example))]
    if "texts_b" not in said:
        if 1 not in shape.columns:
            raise Refused(400, "texts_b is missing: this model answers pairs", f"send {shape.example}")
        return _within(Asked(Way(side=cast(Side | None, side)), tuple((text,) for text in firsts)), "texts", limits)
    others = [checked(value, "texts_b", number) for number, value in enumerate(_listed(said, "texts_b", limits, shape.example))]
    if len(others) != len(firsts):
        why = f"texts_b: a pair has two texts, and these are {len(firsts):,} first and {len(others):,} second ones"
        raise Refused(400, why, "give as many of both")
    return _within(Asked(Way(columns=2), tuple(zip(firsts, others, strict=True))), "texts", limits)


def _object(body: bytes, shape: Shape) -> dict[str, Any]:
    try:
        said = json.loads(body.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise Refused(400, f"the body is not UTF-8, at byte {error.start:,}", "send JSON in UTF-8") from None
    except json.JSONDecodeError as error:
        raise Refused(400, f"the body is no JSON: {error.msg}, at character {error.pos:,}", f"send {shape.example}") from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits; a thousand lists in each other
        why = "it is nested too deeply" if isinstance(error, RecursionError) else "a number has too many digits"
        raise Refused(400, f"the body is no JSON that is read here: {why}", f"send {shape.example}") from None
    if not isinstance(said, dict):
        raise Refused(400, "a JSON object is wanted", f"send {shape.example}")
    return said


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise Refused(400, f"{name[:80]!r} stands there twice", "say it once")
        found[name] = value
    return found


def _no_constant(name: str) -> None:
    raise Refused(400, f"the body is no JSON: {name} is no number of JSON", "leave it out")


def _listed(said: dict[str, Any], name: str, limits: Limits, example: str) -> list[Any]:
    if name not in said:
        raise Refused(400, f"{name} is missing", f"send {example}")
    values = said[name]
    if not isinstance(values, list):
        raise Refused(400, f"{name}: {_kind(values)}, and a list is wanted", f"send {example}")
    if not values:
        raise Refused(400, f"{name}: there is none", "ask about one at least")
    if len(values) > limits.texts:
        raise Refused(413, f"{name}: {len(values):,}, and a request may have {limits.texts:,}", "ask in several requests")
    return values


class _Told(Problems):
    """Keeps the last thing that is said."""

    message = ""

    def add(self, kind: str, file: Path | str, line: int | None, message: str, record: object = None, hint: object = None) -> None:
        self.message = message


def checked(value: Any, name: str, number: int) -> str:
    """A text, by the same rules as those of the rows of a file.

    Raises:
        Refused: it is none.
    """
    told = _Told()
    column = f"{name}[{number}]"
    found = checked_text(Record(Path(), 0, number, {column: value}), column, told)
    if found is None:
        raise Refused(400, told.message, "leave it out, or give it a text", item=number)
    return found


def _joined(value: Any, number: int) -> str:
    told = _Told()
    column = f"tokens[{number}]"
    found = joined(Record(Path(), 0, number, {column: value}), column, told)
    if found is None:
        raise Refused(400, told.message, "give each item the list of its words", item=number)
    return found


def _within(asked: Asked, name: str, limits: Limits) -> Asked:
    for number, item in enumerate(asked.items):
        if (size := sum(map(len, item))) > limits.characters:
            said = f"{name}[{number}] has {size:,} characters, and an item may have {limits.characters:,}"
            raise Refused(413, said, "ask about parts of it, or start the server with a larger --max-characters", item=number)
    return asked


def _kind(value: Any) -> str:
    names = {str: "a text", dict: "an object", bool: "true or false", type(None): "null"}
    return f"is {names.get(type(value), 'a number')}"
