"""What of dev and test stands in what was learned from: counts by corpus, split and kind, and examples with both texts."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any

from acclimate.data.leaks import KINDS
from acclimate.report.tables.grid import Grid
from acclimate.report.words.text import amount

SPLITS = ("test", "dev")


def leak_grids(study: Mapping[str, Any], examples: bool) -> tuple[Grid, ...]:
    """Of the facts of `study.json`, with `examples` or without texts; nothing where nothing leaks, or a study of before this was told."""
    found: Mapping[str, Mapping[str, Any]] = (study.get("data") or {}).get("leaks") or {}
    shown: Sequence[Mapping[str, Any]] = study.get("leaks") or () if examples else ()
    grids = (_counts(found), _examples(shown))
    return tuple(grid for grid in grids if grid.rows)


def _counts(found: Mapping[str, Mapping[str, Any]]) -> Grid:
    headings = ("found in", "of", "word for word", "nearly", "within longer", "documents that hold them", "their words", "these documents")
    rows = tuple(row for corpus, facts in found.items() for row in _rows(corpus, facts))
    return Grid("Texts of test and dev that stand in what is learned from", headings, rows, frozenset({0, 1, 7}))


def _rows(corpus: str, facts: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    splits = [split for split in SPLITS if split in facts]
    for split in splits:
        counts = (f"{facts[split].get(kind, 0):,}" for kind in KINDS)
        whole = ("–", "–", "–")
        if split == splits[0]:
            sums = [sum((facts.get(what) or {}).values()) for what in ("documents", "words")]
            whole = (f"{sums[0]:,}", amount(sums[1]), "are not read" if facts.get("dropped") else "are read")
        yield (corpus, split, *counts, *whole)


def _examples(shown: Sequence[Mapping[str, Any]]) -> Grid:
    rows = tuple(
        (
            leak["corpus"],
            f"{leak['split']} {leak['index']:,}",
            leak["kind"],
            f"{leak['similarity']:.2f}",
            _where(leak),
            leak["text"],
            leak["found"],
        )
        for leak in shown
    )
    return Grid(
        "Examples", ("found in", "row", "how", "similarity", "where", "text", "what stands there"), rows, frozenset({0, 1, 2, 4, 5, 6})
    )


def _where(leak: Mapping[str, Any]) -> str:
    return PurePath(leak["place"]).name if leak.get("place") else f"row {leak['document']:,}"
