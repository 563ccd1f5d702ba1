"""Weights that are read again are numbers: what a broken training or a torn copy left behind is said before it answers anything."""

from collections.abc import Iterable
from pathlib import Path

from acclimate.errors import ModelError


def check_finite(folder: Path, weights: Iterable[tuple[str, bool]]) -> None:
    """Refuse a model's folder; `weights` says of each name whether all its numbers are finite.

    Raises:
        ModelError: some are not.
    """
    broken = [name for name, finite in weights if not finite]
    if broken:
        more = f" (and {len(broken) - 1} more)" if len(broken) > 1 else ""
        raise ModelError(
            f"{folder}: the model is broken, not the data: its weights {broken[0]!r}{more} are not finite numbers (NaN or infinite); "
            "copy the folder again, or train the model again"
        )
