"""The trials of a search as they came out: a file that grows by a line a trial, so that a search which is stopped goes on with the next."""

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any, Literal, Self

from acclimate.evaluation.cost import Cost
from acclimate.files import write_text

FOUND = "found"  # of metrics: the values that a search has found, by the name of the setting
LEAST_FINISHED = 4  # trials before any is ended early
WARM_SHARE = 1 / 3  # of the steps of the longest

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trial:
    """One trial: its values, what dev said of it, and what it cost."""

    trial: int  # from 1
    values: dict[str, float]  # by the name of the setting
    state: Literal["done", "pruned", "diverged"]
    score: float | None  # on dev, in the metric that chooses; None where it diverged
    merit: float | None  # the same, turned so that more is better
    cost: dict[str, Any]
    curve: list[list[float]] = field(default_factory=list)  # [step, merit] of each evaluation

    def again(self, number: int) -> Self:
        """A later trial of the same values, which would come out the same: it is not made, and costs nothing."""
        return replace(self, trial=number, cost=Cost(seconds=0.0).to_json())

    @property
    def told(self) -> dict[str, Any]:
        """What a report needs of it."""
        seconds = round(self.cost["seconds"], 3)
        steps = int(self.curve[-1][0]) if self.curve else None
        return {"trial": self.trial, "values": self.values, "state": self.state, "score": self.score, "steps": steps, "seconds": seconds}


def read_trials(file: Path) -> list[Trial]:
    """The trials that are done; none where there is no file, or none that can be read: they are made again, and come out the same."""
    try:
        return [Trial(**json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines()]
    except FileNotFoundError:
        return []
    except (ValueError, TypeError) as error:
        log.warning("%s: is damaged (%s); its trials are made again", file, error)
        return []


def write_trials(file: Path, trials: Sequence[Trial]) -> None:
    """Replace the file by one rename.

    Raises:
        DiskFullError: no room; the file stays as it was.
    """
    write_text(file, "".join(f"{json.dumps(asdict(trial), allow_nan=False)}\n" for trial in trials))


def is_behind(trials: Sequence[Trial], step: int, best: float) -> bool:
    """Whether a trial whose best score so far is `best` ends early: it is below the median of what finished trials had at this step.

    That is the median rule of Golovin et al. 2017. In the first third, where rates still rise and scores say little, none ends.
    """
    finished = [trial for trial in trials if trial.state == "done" and trial.curve]
    at_step = [merit for trial in finished for other, merit in trial.curve if other == step]
    if len(at_step) < LEAST_FINISHED or step < WARM_SHARE * max(trial.curve[-1][0] for trial in finished):
        return False
    return best < median(at_step)


def best_of(trials: Sequence[Trial]) -> Trial | None:
    """The trial with the best score, the first of equals; None where all diverged."""
    known = [trial for trial in trials if trial.merit is not None]
    return max(known, key=lambda trial: trial.merit or 0.0) if known else None
