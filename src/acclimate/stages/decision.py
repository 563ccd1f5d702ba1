"""From what a model gives to answers: by the usual thresholds, or by those that are best on dev, and what is told of these."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from acclimate.evaluation.predictions import write_predictions
from acclimate.tasks.kind import Form, many, split_scores
from acclimate.tasks.split import Answers, Split
from acclimate.tasks.task import Task
from acclimate.tasks.thresholds import HALF, Choice, Thresholds

MOST_NAMED = 5  # names in a note


@dataclass(frozen=True)
class Decision:
    """How the outputs of one model are read."""

    task: Task
    form: Form
    dev: Any
    """What the model gives for dev."""
    thresholds: Thresholds | None
    """[L] those that were tuned on dev; None: the usual ones."""

    @classmethod
    def of(cls, task: Task, choice: Choice, dev: Any, form: Form = "sequence") -> Self:
        """The decision for a model by its outputs for dev; test is never looked at."""
        return cls(task, form, dev, None if choice == "half" else task.kind.thresholded[form].tune(dev, task.dev))

    def answers(self, outputs: Any, split: Split) -> Answers:
        """What the outputs for a split say."""
        return self.task.kind.decoded(self.form, outputs, split, self.thresholds)

    def taken(self, test: Any, path: Path | None) -> dict[str, Any]:
        """Every score of dev and test from what the model gives for these, and tuned thresholds; the answers are written to `path`."""
        outputs = {"dev": (self.task.dev, self.dev), "test": (self.task.test, test)}
        answered = {name: (split, self.answers(found, split)) for name, (split, found) in outputs.items()}
        if path is not None:
            write_predictions(path, answered)
        return split_scores(self.task.kind, answered) | self.measured()

    def measured(self) -> dict[str, Any]:
        """The thresholds by name, where they were tuned: the worker writes them into the model's config.json."""
        if self.thresholds is None:
            return {}
        return {"thresholds": dict(zip(self.task.names, self.thresholds.tolist(), strict=True))}

    def notes(self) -> list[str]:
        """What should be known of them."""
        if self.thresholds is None:
            return []
        counts = self.task.kind.counts(self.task.dev.gold, self.task.names)
        none = [name for name, count in counts.items() if not count]
        low, high = np.min(self.thresholds), np.max(self.thresholds)
        told = f"thresholds tuned on {len(self.task.dev):,} dev {many(self.task.kind.item)}, from {low:.2f} to {high:.2f}"
        if not none:
            return [told]
        more = ", ..." if len(none) > MOST_NAMED else ""
        return [f"{told}; those without an example in dev stay {HALF:g} ({', '.join(none[:MOST_NAMED])}{more})"]
