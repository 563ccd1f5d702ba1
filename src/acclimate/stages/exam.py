"""How a model that learns a task is judged: on dev after every epoch, on test once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import nn

from acclimate.data.sequences import Sequences
from acclimate.evaluation.pooling import POOLS, Pool, pooled
from acclimate.stages.base import dev_scores
from acclimate.stages.decision import Decision
from acclimate.stages.trainer import Trainer
from acclimate.tasks.kind import Head, many
from acclimate.tasks.task import Task
from acclimate.tasks.thresholds import Choice


class Judged(NamedTuple):
    """One way to make answers of what a network gives for dev."""

    pool: Pool | None  # of the windows of a text; None where each has one
    decision: Decision
    scores: dict[str, float]  # of dev


@dataclass(frozen=True)
class Exam:
    """The task's dev and test split, put to a network."""

    task: Task
    head: Head
    texts: Mapping[str, Sequences]
    """`dev` and `test` as the network reads them."""
    trainer: Trainer
    thresholds: Choice = "half"
    select_by: str | None = None
    """The score of dev that decides which weights, and which pooling, are kept."""
    pool: Pool | None = None
    """How the windows of a text are pooled, where texts are read in windows; None: as is best on dev."""

    def judge(self, _: nn.Module) -> dict[str, float]:
        """The scores of dev, one of which decides which weights are kept."""
        return max(self._ways(), key=_score).scores

    def taken(self) -> dict[str, Any]:
        """Every score of both splits, and what dev chose; the answers stand in the stage's `predictions.parquet`."""
        ways = self._ways()
        best = max(ways, key=_score)
        test, path = self._outputs("test", best.pool), self.trainer.context.output / "predictions.parquet"
        scores = best.decision.taken(test, path if self.trainer.devices.is_main else None)
        self.trainer.notes += [*best.decision.notes(scores), *self._pooling(best, ways)]
        return scores if best.pool is None else scores | {"pool": best.pool}

    def _ways(self) -> list[Judged]:
        """Every way that is open, the usual one first: of equals it is taken."""
        found = self.trainer.outputs(self.texts["dev"], self.head)
        ways = []
        for pool in self._pools():
            outputs = found if pool is None else pooled(found, self.texts["dev"], pool, self.head.link)
            decision = Decision.of(self.task, self.thresholds, outputs, self.head.form)
            scores = dev_scores(self.task.kind, self.select_by, self.task.dev, decision.answers(decision.dev, self.task.dev))
            ways.append(Judged(pool, decision, scores))
        return ways

    def _pools(self) -> tuple[Pool | None, ...]:
        dev = self.texts["dev"]
        if not dev.whole:
            return (None,)
        if self.pool is not None:
            return (self.pool,)
        return POOLS if dev.several else POOLS[:1]

    def _outputs(self, name: str, pool: Pool | None) -> NDArray[np.float64]:
        found = self.trainer.outputs(self.texts[name], self.head)
        return found if pool is None else pooled(found, self.texts[name], pool, self.head.link)

    def _pooling(self, best: Judged, ways: list[Judged]) -> list[str]:
        """What should be known of how windows are pooled."""
        if best.pool is None or self.pool is not None:
            return []
        dev, items = self.texts["dev"], many(self.task.kind.item)
        if len(ways) == 1:
            return [f"windows pooled by {best.pool}: no {self.task.kind.item} of dev is longer than a window, so that dev cannot choose"]
        metric = self.task.kind.metric(self.select_by)
        scores = ", ".join(f"{each.pool} {each.scores[f'dev_{metric.name}']:.4f}" for each in ways)
        chosen = f"chosen on {dev.texts:,} dev {items}, {dev.several:,} of them longer than a window"
        return [f"windows pooled by {best.pool}, {chosen} ({metric.words}: {scores})"]


def _score(way: Judged) -> float:
    return way.scores["score"]
