"""A stage that trains nothing and answers the task: the class whose name is nearest to the text's words, by the model's word embeddings."""

import shutil
import time
from typing import ClassVar, Literal

import numpy as np

from acclimate.evaluation.cost import Cost, disk_bytes
from acclimate.stages.base import Context, Outcome, Role, Serves, Stage


class Nearest(Stage):
    """The nearest name."""

    role: ClassVar[Role] = "answers"
    serves: ClassVar[Serves] = {"sequence": ("softmax",)}
    stage: Literal["nearest"] = "nearest"
    sharpness: float = 10.0
    """How sure it is of itself."""

    def reads(self) -> tuple[str, ...]:
        return ("exam",)

    def draws(self) -> bool:
        return False

    def run(self, parent, context: Context) -> Outcome:
        from acclimate.stages.decision import Decision

        began, task, tokenizer = time.monotonic(), context.task(), parent.tokenizer()
        (name,) = [name for name in parent.names if name.endswith("word_embeddings.weight")]
        table = parent.tensors()[name].numpy()

        def vectors(texts):
            means = np.stack([table[tokenizer.encode(text).ids].mean(axis=0) for text in texts])
            return means / np.linalg.norm(means, axis=1, keepdims=True)

        def probabilities(split):
            scores = np.exp(self.sharpness * vectors(split.inputs[0]) @ vectors(task.names).T)
            return scores / scores.sum(axis=1, keepdims=True)

        shutil.copytree(parent.path, context.output / "model")
        decision = Decision.of(task, "half", probabilities(task.dev))
        scores = decision.taken(probabilities(task.test), context.output / "predictions.parquet")
        cost = Cost(seconds=time.monotonic() - began, parameters=parent.parameters, disk_bytes=disk_bytes(context.output / "model"))
        return Outcome(scores, cost)
