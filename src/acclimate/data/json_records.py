"""Objects of JSON files: one object a line, read strictly."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from acclimate.data.lines import text_lines
from acclimate.data.problems import Problems


def json_objects(file: Path, problems: Problems, encoding: str | None = None) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """Each object with the number of its line; None in place of a bad one."""
    for number, line in text_lines(file, problems, encoding):
        if line is None:
            yield number, None
            continue
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except json.JSONDecodeError as error:
            problems.add("bad JSON", file, number, f"{error.msg} at character {error.pos + 1}{_json_hint(line, number)}", line)
            yield number, None
        except RecursionError:
            problems.add("bad JSON", file, number, "nested too deeply", line)
            yield number, None
        else:
            if isinstance(value, dict):
                yield number, value
            else:
                problems.add("not an object", file, number, f"a JSON object {{...}} is wanted on each line, this is {_kind(value)}", line)
                yield number, None


def _json_hint(line: str, number: int) -> str:
    return " (is this one JSON document? jsonl has an object on each line)" if number == 1 and line.strip() in ("{", "[") else ""


def _kind(value: object) -> str:
    names = {list: "an array", str: "a string", int: "a number", float: "a number", bool: "true or false", type(None): "null"}
    return names.get(type(value), type(value).__name__)
