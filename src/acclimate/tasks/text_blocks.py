"""What a report tells of models on held-out text: what each recipe knows of each corpus, and the documents best and worst understood."""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from acclimate.tasks.blocks import Block, Examples, Table, shortened
from acclimate.tasks.kind import Judged
from acclimate.tasks.metrics.texts import METRICS
from acclimate.tasks.split import Answers, Split, taken

SHOWN = 3  # documents at either end
BITS_PER_BYTE = METRICS[0]


def by_corpus(judged: Judged) -> Block | None:
    """Bits per byte of every corpus, a recipe a row: what has become better, and what was forgotten on the way."""
    split = judged.split
    recipes = judged.recipes or {"this recipe": judged.answers}
    rows_of = [np.flatnonzero(np.asarray(split.gold) == number) for number in range(len(split.names))]
    if not len(split):
        return None
    rows = tuple((name, *(_mean(split, answers, rows) for rows in rows_of)) for name, answers in recipes.items() if answers)
    counts = ", ".join(f"{name} {len(rows):,}" for name, rows in zip(split.names, rows_of, strict=True))
    note = f"every recipe of the study, the mean of its seeds; lower is better; documents: {counts}"
    return Table("Bits per byte by corpus", ("recipe", *split.names), rows, note)


def _mean(split: Split, seeds: tuple[Answers, ...], rows: NDArray[np.int64]) -> float | None:
    if not len(rows):
        return None
    part = split.take(rows)
    scores = [BITS_PER_BYTE.score(part, {name: taken(each[name], rows) for name in BITS_PER_BYTE.reads}) for each in seeds]
    return float(np.mean(scores))


def ends(judged: Judged) -> Block | None:
    """The documents of which a byte costs least, and those of which it costs most."""
    if not judged.answers or not len(judged.split):
        return None
    costs = np.mean([np.asarray(answers["predicted"]) for answers in judged.answers], axis=0)
    order = np.argsort(costs, kind="stable")
    chosen = order if len(order) <= 2 * SHOWN else np.concatenate([order[:SHOWN], order[-SHOWN:]])
    return Examples("Documents that are understood best, and worst", tuple(map(dict, _told(judged.split, costs, chosen))))


def _told(split: Split, costs: NDArray[np.float64], chosen: NDArray[np.int64]) -> Iterator[Mapping[str, str | float]]:
    for row in chosen.tolist():
        text = split.inputs[0][row]
        yield {"text": shortened(text), "corpus": split.names[int(np.asarray(split.gold)[row])], "bits per byte": float(costs[row])}


TOLD = (by_corpus, ends)
