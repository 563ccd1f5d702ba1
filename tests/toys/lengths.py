"""A plain baseline: the class whose texts are about as long."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from acclimate.files import read_json, write_json
from acclimate.stages.base import Context, Outcome, Role, Serves, Stage
from acclimate.stages.planned import Reads, Sizes, Work

MODEL_TYPE = "toy-lengths"


class Lengths(Stage):
    """Of each class the mean length of its texts; the nearest is the answer."""

    libraries: ClassVar[tuple[str, ...]] = ("numpy",)
    role: ClassVar[Role] = "baseline"
    serves: ClassVar[Serves] = {"sequence": ("softmax",)}
    stage: Literal["lengths"] = "lengths"
    sharpness: float = 1.0
    """How sure it is of itself."""

    def reads(self) -> tuple[str, ...]:
        return ("labels",)

    def draws(self) -> bool:
        return False

    def work(self, given: Sizes, reads: Reads) -> Work:
        return Work(disk_bytes=1000, seconds=1.0)

    def run(self, parent: object, context: Context) -> Outcome:
        from acclimate.stages.plain import Fitted, plain_outcome

        def fit(task) -> Fitted:
            lengths = np.array([len(text) for text in task.train.inputs[0]])
            means = tuple(float(lengths[task.train.gold == number].mean()) for number in range(len(task.names)))
            return Fitted(LengthsModel(task.names, means, self.sharpness), len(means))

        return plain_outcome(context, fit)


@dataclass(frozen=True)
class LengthsModel:
    """The labels, and the mean length of each one's texts."""

    labels: tuple[str, ...]
    means: tuple[float, ...]
    sharpness: float

    def probabilities(self, texts):
        lengths_N = np.array([len(text) for text in texts], dtype=float)
        weights_NL = np.exp(-self.sharpness * np.abs(np.log1p(lengths_N)[:, None] - np.log1p(np.array(self.means))))
        return weights_NL / weights_NL.sum(axis=1, keepdims=True)

    def save(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        config = {"model_type": MODEL_TYPE, "labels": self.labels, "means": self.means, "sharpness": self.sharpness}
        write_json(folder / "config.json", config)

    @staticmethod
    def load(folder):
        config = read_json(folder / "config.json")
        return LengthsModel(tuple(config["labels"]), tuple(config["means"]), config["sharpness"])
