"""Handing over the best model: chosen on dev, never on test."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from acclimate.files import read_json
from acclimate.modeling.base_files import VECTORS
from acclimate.modeling.families import family_of
from acclimate.owned import CARD, mark_made


@dataclass(frozen=True)
class Candidate:
    """A finished run that could be the best."""

    recipe: str
    seed: int
    labels: str
    dev: float  # the study's metric on dev
    model: Path
    lower_is_better: bool = False  # of this metric

    @property
    def merit(self) -> float:
        """The dev score, turned so that more is better."""
        return -self.dev if self.lower_is_better else self.dev


@dataclass(frozen=True)
class Handover:
    """What `best/` and `best_transformer/` hold; None where there is nothing to hold."""

    best: Candidate | None
    best_transformer: Candidate | None  # only where `best` cannot be loaded by plain transformers
    rounded: Mapping[str, str] = field(default_factory=dict)  # by folder, to what weights were rounded, as those of the base are


def choose(candidates: Sequence[Candidate]) -> Candidate | None:
    """Of the recipe with the best mean dev score, the run with the median dev score (the worse one of an even number)."""
    recipes: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        recipes.setdefault(candidate.recipe, []).append(candidate)
    if not recipes:
        return None
    # max keeps the first of equals: the order of the study file decides.
    runs = max(recipes.values(), key=lambda runs: sum(run.merit for run in runs) / len(runs))
    return sorted(runs, key=lambda run: (run.merit, run.seed))[(len(runs) - 1) // 2]


def hand_over(
    candidates: Sequence[Candidate], out: Path, whole: Callable[[Path], Path], rounded: Callable[[Path], str | None]
) -> Handover:  # fmt: skip
    """Copy the best model to `out/best`; where plain transformers cannot load it, also the best of those it can, to `best_transformer`.

    `whole` gives the folder in which all of a model stands, where an adapter alone is kept; `rounded` rounds the weights in a
    folder to what its base has on disk, and says to what. Neither stands in `out` yet: results are
    written anew.
    """
    said: dict[str, str] = {}
    best = choose(candidates)
    other = None if best is None or loads_plainly(best.model) else choose([each for each in candidates if loads_plainly(each.model)])
    for name, candidate in (("best", best), ("best_transformer", other)):
        if candidate is None:
            continue
        shutil.copytree(whole(candidate.model), out / name)
        if (dtype := rounded(out / name)) is not None:
            said[name] = dtype
        mark_made(out / name, "model", candidate.model.parent.name, [CARD])
    return Handover(best, other, said)


def loads_plainly(model: Path) -> bool:
    """Whether `AutoModelForSequenceClassification.from_pretrained` gives the trained classifier: no baseline, no head of our own."""
    config: dict[str, Any] = read_json(model / "config.json")
    return family_of(config).supported and config.get("acclimate_head") is None and VECTORS not in config
