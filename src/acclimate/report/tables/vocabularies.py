"""What changed vocabularies came to: tokens and unknown pieces before and after, speed, and how far the rows of new entries moved."""

from collections.abc import Iterable, Iterator, Mapping
from statistics import fmean
from typing import Any

from acclimate.report.results.facts import StageFact
from acclimate.report.results.finished import Results
from acclimate.report.results.groups import Group, groups
from acclimate.report.tables.grid import Grid
from acclimate.report.words.text import percent, recipe_names, score

WORDS = frozenset({0, 1, 2})


def vocabulary_grids(results: Results) -> tuple[Grid, ...]:
    """Both tables; none where no stage changed a vocabulary and no row was new."""
    found = groups(results.stages)
    texts, rows = tuple(_texts(results, found)), tuple(_rows(found))
    sampled = any(not text.get("whole", True) for told in _told(results).values() for text in told)
    grids = (
        Grid(
            "What changed vocabularies make of texts, before → after" + (", on samples of them" if sampled else ""),
            ("stage", "recipes", "text", "tokens per word", "tokens", "unknown pieces", "speed of the model"),
            texts,
            WORDS,
        ).without_empty_columns(),
        Grid(
            "How far the rows of new entries moved, in lengths of a row, and their cosine with what they were",
            ("stage", "recipes", "rows", "moved", "cosine"),
            rows,
            frozenset({0, 1}),
        ),
    )
    return tuple(grid for grid in grids if grid.rows)


def _told(results: Results) -> Mapping[str, list[Mapping[str, Any]]]:
    return results.study.get("vocabularies") or {}


def _texts(results: Results, found: Iterable[Group]) -> Iterator[tuple[str, ...]]:
    told = _told(results)
    for group in found:
        # The words of a corpus are those of every seed.
        known = next((told[stage.key] for stage in group.stages if stage.key in told), [])
        for place, text in enumerate(known):
            words, tokens = (max(1, text.get("words") or 0), [text.get(f"tokens_{when}") or 0 for when in ("before", "after")])
            unknown = [(text.get(f"unknown_{when}") or 0) / max(1, count) for when, count in zip(("before", "after"), tokens, strict=True)]
            yield (
                group.name,
                recipe_names(group.recipes),
                str(text.get("text")),
                " → ".join(f"{count / words:.3f}" for count in tokens),
                _change(tokens[1] / max(1, tokens[0])),
                " → ".join(map(percent, unknown)),
                _speed(group.stages) if not place else "",
            )


def _rows(found: Iterable[Group]) -> Iterator[tuple[str, ...]]:
    for group in found:
        moved = [stage.metrics for stage in group.stages if stage.metrics.get("rows_moved") is not None]
        if moved:
            cosines = [cosine for metrics in moved if (cosine := metrics.get("rows_cosine")) is not None]
            yield (
                group.name,
                recipe_names(group.recipes),
                f"{count:,}" if (count := max(metrics.get("new_rows") or 0 for metrics in moved)) else "–",
                score(fmean(metrics["rows_moved"] for metrics in moved)),
                score(fmean(cosines)) if cosines else "–",
            )


def _change(ratio: float) -> str:
    """`−6.2 %`."""
    told = f"{100 * (ratio - 1):+.1f} %".replace("-", "\u2212")
    return "0.0 %" if told[1:] == "0.0 %" else told


def _speed(stages: Iterable[StageFact]) -> str:
    """`1.07x` of what it was, in the mean over seeds."""
    both = [(stage.cost.get("characters_per_second"), stage.cost.get("characters_per_second_before")) for stage in stages]
    ratios = [after / before for after, before in both if after and before]
    return f"{fmean(ratios):.2f}x" if ratios else "–"
