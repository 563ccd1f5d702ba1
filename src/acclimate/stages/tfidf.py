"""The plain baseline stage: tf-idf and logistic regression, its strength chosen on dev."""

import time
from typing import ClassVar, Literal

from pydantic import Field

from acclimate.stages.base import Context, Outcome, Stage


class Tfidf(Stage):
    """Words and word pairs weighted by tf-idf, logistic regression on top: the bar that every model must clear."""

    version: ClassVar[int] = 2
    stage: Literal["tfidf"] = "tfidf"
    strengths: tuple[float, ...] = Field(default=(0.1, 1.0, 10.0, 100.0, 1000.0), min_length=1)
    """Inverse regularisation strengths to try; dev decides."""
    ngrams: int = Field(default=2, ge=1, le=5)
    """Up to so many neighbouring words form a term."""
    most_terms: int = Field(default=200_000, gt=0)
    """Keep the most frequent terms only."""
    class_weights: Literal["none", "balanced"] = "none"
    """`balanced` weighs each class by N / (L x its count)."""
    select_by: Literal["macro_f1", "micro_f1", "accuracy", "mcc"] = "macro_f1"
    """The dev score that decides on the strength."""

    def reads(self) -> tuple[str, ...]:
        return ("labels",)

    def draws(self) -> bool:
        return False

    def sliver(self) -> "Tfidf":
        return self.model_copy(update={"strengths": self.strengths[:1]})

    def run(self, parent: object, context: Context) -> Outcome:
        from acclimate.evaluation.cost import Cost, PeakMemory, disk_bytes
        from acclimate.evaluation.metrics import classification_metrics, split_metrics
        from acclimate.evaluation.predictions import write_predictions
        from acclimate.modeling.tfidf import TfidfModel, fit

        began = time.monotonic()
        task = context.task()
        weight = None if self.class_weights == "none" else "balanced"
        tried: list[tuple[float, float, TfidfModel]] = []
        with PeakMemory() as memory:
            for strength in self.strengths:
                model = fit(task.train.texts, task.train.labels, task.labels, strength, self.ngrams, self.most_terms, weight)
                score = classification_metrics(task.dev.labels, model.probabilities(task.dev.texts))[self.select_by]
                tried.append((score, strength, model))
            # The first of equals: the strongest regularisation that reaches the best dev score.
            _, best_strength, best = max(tried, key=lambda entry: entry[0])
            dev = best.probabilities(task.dev.texts)
            test_began = time.monotonic()
            test = best.probabilities(task.test.texts)
            test_seconds = time.monotonic() - test_began
        best.save(context.output / "model")
        predicted = {"dev": (task.dev, dev), "test": (task.test, test)}
        write_predictions(context.output / "predictions.parquet", predicted)
        metrics = {"strength": best_strength, "terms": len(best.terms), **split_metrics(predicted)}
        parameters = best.weights.size + best.bias.size
        cost = Cost(
            seconds=time.monotonic() - began, peak_memory_bytes=memory.bytes, parameters=parameters, trained_parameters=parameters,
            disk_bytes=disk_bytes(context.output / "model"), inference_texts_per_second=len(task.test.texts) / max(test_seconds, 1e-9),
        )  # fmt: skip
        log = tuple({"strength": strength, f"dev_{self.select_by}": score} for score, strength, _ in tried)
        return Outcome(metrics, cost, (), log)
