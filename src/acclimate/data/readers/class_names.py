"""Names of classes where a table holds their numbers, as `datasets` keeps them."""

import json
from collections.abc import Sequence
from typing import Any

from acclimate.errors import DataError


def names_in_schema(metadata: dict[bytes, bytes] | None) -> dict[str, list[str]]:
    """By column the names of its classes, as `datasets` writes them into the schema of a parquet file; empty where it did not."""
    try:
        features = json.loads((metadata or {})[b"huggingface"])["info"]["features"]
        named = {str(column): names for column, feature in features.items() if (names := _names_of(feature)) is not None}
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError):
        return {}
    return {column: [str(name) for name in names] for column, names in named.items()}


def class_name(number: Any, names: Sequence[str], where: str, by: str = "the file") -> Any:
    """The name of a class by its number, of a list those of its numbers; None for -1, which is no label, and what is no number as it is.

    The names are given `by` what holds the numbers.

    Raises:
        DataError: there is no class of this number.
    """
    if isinstance(number, list):
        return [class_name(each, names, where, by) for each in number]
    if not isinstance(number, int) or isinstance(number, bool):
        return number
    if number >= len(names):
        raise DataError(f"{where}: class number {number}, and {by} names {len(names)} classes only, counted from 0")
    return None if number < 0 else names[number]


def _names_of(feature: Any) -> list[Any] | None:
    # Of one class, or of a list of them, which `datasets` has written in three ways over the years.
    if isinstance(feature, list) and len(feature) == 1:
        return _names_of(feature[0])
    if not isinstance(feature, dict):
        return None
    if feature.get("_type") in ("Sequence", "List", "LargeList"):
        return _names_of(feature.get("feature"))
    names = feature.get("names") if feature.get("_type") == "ClassLabel" else None
    return names if isinstance(names, list) else None
