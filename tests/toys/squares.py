"""A loss: squared errors of the probabilities (Brier 1950), a kind whose head asks for it, and a fine-tuning that knows it."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from acclimate.stages.finetune import Finetune
from acclimate.tasks.classify import Classify


@dataclass(frozen=True)
class Squares:
    """The sum of squared errors of the probabilities of each item."""

    weights: Any

    takes: ClassVar[str] = "class"
    together: ClassVar[bool] = False

    def targets(self, split, rows):
        return {"classes": np.asarray(split.gold)[rows]}

    def count(self, targets):
        return float(len(targets["classes"]))

    def summed(self, outputs, targets):
        import torch

        right = torch.nn.functional.one_hot(targets["classes"], outputs.shape[-1])
        return ((outputs.float().softmax(-1) - right) ** 2).sum()


class Squared(Classify):
    """Classification as it is, to be learned by squares."""

    def head(self, names, form):
        return super().head(names, form)._replace(losses=("squares",))


class FinetuneBySquares(Finetune):
    """Fine-tuning as it is, which knows one loss more."""

    # What is computed is another thing than what fine-tuning computes for a kind of the same name.
    version: ClassVar[int] = 1000 + Finetune.version

    @classmethod
    def losses(cls):
        return {**super().losses(), "squares": Squares}
