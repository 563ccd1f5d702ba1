"""How dev chooses the weights of an embedding model: by what its vectors answer, judged as the task is, or by the loss."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from acclimate.data.exact_search import Found, most_similar, unit
from acclimate.evaluation.text_vectors import sequence_vectors
from acclimate.modeling.vector_heads import Cosine, nearest
from acclimate.objectives.related_texts import RelatedTexts
from acclimate.randomness import generator
from acclimate.stages.embed import MOST_JUDGING
from acclimate.tasks.collection import Collection, judged
from acclimate.tasks.kind import Form
from acclimate.tasks.metrics.metric import Metric
from acclimate.tasks.rankings import asked_for
from acclimate.tasks.relations import Examples
from acclimate.tasks.task import Task

if TYPE_CHECKING:
    from acclimate.stages.embed import Embed
    from acclimate.stages.vector_trainer import EmbeddingTrainer

NEIGHBOURS = 10
TIE = 1e-9  # what a unit of loss takes from a score: among weights with the same score those with the lower loss are kept

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class DevLoss:
    """The mean loss of dev, over batches as large as those of training; the lower the better."""

    dev: RelatedTexts
    trainer: "EmbeddingTrainer"

    @property
    def tells(self) -> tuple[str, ...]:
        """What is measured, by name."""
        return ("dev_loss",)

    def judge(self, _: nn.Module) -> dict[str, float]:
        """The loss, and as `score` its negative."""
        loss = self.mean(self.vectors())
        return {"dev_loss": loss, "score": -loss}

    def vectors(self) -> Vectors:
        """[U, E] of every text of dev."""
        return _encoded(self.trainer, self.dev)

    def mean(self, vectors_UE: Vectors) -> float:
        """The loss of these vectors."""
        summed, count, dev = 0.0, 0.0, self.dev
        for step in range(dev.order.batches_per_epoch):
            batch = dev.batch(step)
            if divisor := dev.count(batch):
                targets = {name: torch.as_tensor(values) for name, values in batch.targets.items()}
                summed += float(dev.summed(torch.as_tensor(vectors_UE[dev.read(batch)]), targets))
                count += divisor
        return summed / count if count else 0.0


@dataclass(frozen=True)
class DevScore:
    """A score of dev by what vectors answer; of equal ones the lower loss is better."""

    loss: DevLoss
    task: Task
    metric: Metric
    form: Form
    answer: Callable[[Vectors], Any]
    """From the vectors [U, E] of dev's texts to outputs, as `TaskKind.decoded` takes them."""

    @property
    def tells(self) -> tuple[str, ...]:
        """What is measured, by name."""
        return (*self.loss.tells, f"dev_{self.metric.name}")

    def judge(self, _: nn.Module) -> dict[str, float]:
        """Loss and score, and as `score` what decides."""
        vectors_UE = self.loss.vectors()
        loss, dev = self.loss.mean(vectors_UE), self.task.dev
        score = self.metric.score(dev, self.task.kind.decoded(self.form, self.answer(vectors_UE), dev))
        return {"dev_loss": loss, f"dev_{self.metric.name}": score, "score": self.metric.merit(score) - TIE * loss}


def judge_of(
    stage: "Embed", task: Task, trainer: "EmbeddingTrainer", train: RelatedTexts, dev: RelatedTexts, prompts: tuple[str, str], seed: int
) -> DevLoss | DevScore:
    """What chooses the weights of a stage, by its `select_by`; `prompts` stand before queries and documents."""
    loss, metric = DevLoss(dev, trainer), stage.chosen_by(task)
    if metric is None:
        return loss
    if task.dev.collection is not None:
        return DevScore(loss, task, metric, "embedding", _ranking(task, trainer, prompts, seed))
    if "embedding" in task.kind.answered:
        cosine, rows_n2 = Cosine(task.kind.head(task.names, "embedding").names), dev.examples.rows
        return DevScore(loss, task, metric, "embedding", lambda dev_UE: cosine.outputs(dev_UE[rows_n2[:, 0]], dev_UE[rows_n2[:, 1]]))
    return DevScore(loss, task, metric, "sequence", _neighbours(task, trainer, train, dev.examples, seed))


def _neighbours(
    task: Task, trainer: "EmbeddingTrainer", train: RelatedTexts, dev: Examples, seed: int
) -> Callable[[Vectors], NDArray[np.float64]]:
    """Each text of dev is answered by the labels of the nearest of train."""
    head, examples = task.kind.head(task.names, "sequence"), train.examples
    chosen = _drawn(len(examples), MOST_JUDGING, seed)
    if len(chosen) < len(examples):
        trainer.notes.append(f"dev chooses the weights by the nearest of {len(chosen):,} of the {len(examples):,} training texts")

    def answer(dev_UE: Vectors) -> NDArray[np.float64]:
        train_ME = _encoded(trainer, train, examples.rows[chosen, 0])
        found = nearest([train_ME], examples.gold[chosen], head.names, NEIGHBOURS, head.link)
        return found.outputs(dev_UE[dev.rows[:, 0]])

    return answer


def _ranking(task: Task, trainer: "EmbeddingTrainer", prompts: tuple[str, str], seed: int) -> Callable[[Vectors], Found]:
    """Every query of dev is answered by the nearest of all documents, or where these are many of those that dev judges and some more."""
    collection, dev = task.dev.collection, task.dev
    assert isinstance(collection, Collection)
    asked = np.unique(judged(dev)[0].values)
    others = np.setdiff1d(np.arange(len(collection)), asked)
    chosen = np.sort(np.concatenate([asked, others[_drawn(len(others), max(0, MOST_JUDGING - len(asked)), seed)]])).astype(np.int64)
    if len(chosen) < len(collection):
        trainer.notes.append(f"dev chooses the weights by finding its documents among {len(chosen):,} of {len(collection):,}")
    queries = [prompts[0] + query for query in dev.inputs[0]]
    examples = Examples.of([[*queries, *(prompts[1] + collection.texts[document] for document in chosen)]])
    texts, rows = trainer.read(examples, "documents"), examples.rows[:, 0]

    def answer(_: Vectors) -> Found:
        vectors_UE = unit(sequence_vectors(trainer.network, texts, trainer.micro, trainer.devices))
        found = most_similar(vectors_UE[rows[: len(queries)]], vectors_UE[rows[len(queries) :]], asked_for(dev))
        return Found(chosen[found.rows], found.scores)

    return answer


def _encoded(trainer: "EmbeddingTrainer", texts: RelatedTexts, rows: NDArray[np.integer] | None = None) -> Vectors:
    return sequence_vectors(trainer.network, texts.texts, trainer.micro, trainer.devices, rows=rows)


def _drawn(count: int, most: int, seed: int) -> NDArray[np.int64]:
    """At most so many of `count` things, in their order."""
    return np.sort(generator(seed, "judges of vectors").permutation(count)[:most])
