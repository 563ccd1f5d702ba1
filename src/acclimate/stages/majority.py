"""The plain baseline stage that looks at no text: how far one comes with the classes' shares alone."""

import time
from typing import Literal

from acclimate.stages.base import Context, Outcome, Stage


class Majority(Stage):
    """Always the most frequent class of the training texts, the shares of the classes as probabilities: the least to be beaten."""

    stage: Literal["majority"] = "majority"

    def reads(self) -> tuple[str, ...]:
        return ("labels",)

    def draws(self) -> bool:
        return False

    def run(self, parent: object, context: Context) -> Outcome:
        from acclimate.evaluation.cost import Cost, PeakMemory, disk_bytes
        from acclimate.evaluation.metrics import split_metrics
        from acclimate.evaluation.predictions import write_predictions
        from acclimate.modeling.majority import MajorityModel

        began = time.monotonic()
        task = context.task()
        with PeakMemory() as memory:
            model = MajorityModel.of(task.train.labels, task.labels)
            dev = model.probabilities(task.dev.texts)
            test_began = time.monotonic()
            test = model.probabilities(task.test.texts)
            test_seconds = time.monotonic() - test_began
        model.save(context.output / "model")
        predicted = {"dev": (task.dev, dev), "test": (task.test, test)}
        write_predictions(context.output / "predictions.parquet", predicted)
        cost = Cost(
            seconds=time.monotonic() - began, peak_memory_bytes=memory.bytes, parameters=len(model.shares),
            trained_parameters=len(model.shares), disk_bytes=disk_bytes(context.output / "model"),
            inference_texts_per_second=len(task.test.texts) / max(test_seconds, 1e-9),
        )  # fmt: skip
        return Outcome(split_metrics(predicted), cost)
