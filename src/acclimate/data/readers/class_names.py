"""Names of classes where a table holds their numbers, as `datasets` keeps them."""

import json
from collections.abc import Sequence
from typing import Any

from acclimate.errors import DataError


def names_in_schema(metadata: dict[bytes, bytes] | None) -> dict[str, list[str]]:
    """By column the names of its classes, as `datasets` writes them into the schema of a parquet file; empty where it did not."""
    try:
        features = json.loads((metadata or {})[b"huggingface"])["info"]["features"]
        named = {str(column): feature["names"] for column, feature in features.items() if _is_class(feature)}
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError):
        return {}
    return {column: [str(name) for name in names] for column, names in named.items() if isinstance(names, list)}


def class_name(number: Any, names: Sequence[str], where: str) -> Any:
    """The name of a class by its number; None for -1, which stands for no label, and what is no number as it is.

    Raises:
        DataError: there is no class of this number.
    """
    if not isinstance(number, int) or isinstance(number, bool):
        return number
    if number >= len(names):
        raise DataError(f"{where}: class number {number}, and the file names {len(names)} classes only, counted from 0")
    return None if number < 0 else names[number]


def _is_class(feature: Any) -> bool:
    return isinstance(feature, dict) and feature.get("_type") == "ClassLabel" and "names" in feature
