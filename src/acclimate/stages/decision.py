"""From what a model gives to answers: by the usual thresholds, or by those that are best on dev, and what is told of these."""

from collections.abc import Mapping
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
UNTUNED = "_untuned"  # behind the name of a score: by plain answers, where thresholds were tuned


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
        """Every score of dev and test from what the model gives for these; the answers are written to `path`.

        Where thresholds were tuned, these by name (the worker writes them into the model's config.json), and the scores without them.
        """
        kind, outputs = self.task.kind, {"dev": (self.task.dev, self.dev), "test": (self.task.test, test)}
        answered = {name: (split, self.answers(found, split)) for name, (split, found) in outputs.items()}
        if path is not None:
            write_predictions(path, answered)
        scores: dict[str, Any] = split_scores(kind, answered)
        if self.thresholds is None:
            return scores
        usual, without = kind.metrics[0], {name: kind.decoded(self.form, found, split) for name, (split, found) in outputs.items()}
        untuned = {f"{name}_{usual.name}{UNTUNED}": usual.score(outputs[name][0], answers) for name, answers in without.items()}
        return scores | untuned | {"thresholds": dict(zip(self.task.names, self.thresholds.tolist(), strict=True))}

    def notes(self, scores: Mapping[str, Any]) -> list[str]:
        """What should be known of tuned thresholds, and what they changed; `scores` are those that were `taken`."""
        return [] if self.thresholds is None else [*self._told(self.thresholds), *self.changed(scores)]

    def changed(self, scores: Mapping[str, Any]) -> tuple[str, ...]:
        """What tuned thresholds changed on test, whoever tuned them."""
        if self.thresholds is None:
            return ()
        usual = self.task.kind.metrics[0]
        before, after = (scores[f"test_{usual.name}{end}"] for end in (UNTUNED, ""))
        return (f"tuned thresholds change {usual.words} on test from {before:.4f} to {after:.4f}",)

    def _told(self, thresholds: Thresholds) -> list[str]:
        tuned = f"thresholds tuned on {len(self.task.dev):,} dev {many(self.task.kind.item)}"
        moved = [name for name, each in zip(self.task.names, thresholds.tolist(), strict=True) if each != HALF]
        if not moved:
            return [f"{tuned}: none is better there than {HALF:g}"]
        if len(moved) == 1:
            return [f"{tuned}: {moved[0]} {thresholds[self.task.names.index(moved[0])]:.3g}, the others {HALF:g}"]
        told = f"{tuned}, from {np.min(thresholds):.2f} to {np.max(thresholds):.2f}"
        counts = self.task.kind.counts(self.task.dev.gold, self.task.names)
        none = [name for name in self.task.names if not counts.get(name, 1)]
        if not none:
            return [told]
        more = ", ..." if len(none) > MOST_NAMED else ""
        return [f"{told}; those without an example in dev stay {HALF:g} ({', '.join(none[:MOST_NAMED])}{more})"]
