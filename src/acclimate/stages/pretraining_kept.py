"""Whether a pretraining gained anything: the best of its weights against those from before it, by the same held-out text and masks."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from acclimate.evaluation.heldout_loss import Heldout
from acclimate.training.checkpoint import Checkpoints
from acclimate.training.loop import TrainResult

if TYPE_CHECKING:
    from acclimate.stages.trainer import Trainer


class Before:
    """The model as it stands when the training proper begins; a fresh head has been trained alone by then."""

    def __init__(self, trainer: "Trainer", heldout: Heldout) -> None:
        self._trainer, self._heldout = trainer, heldout
        self._kept = Checkpoints(trainer.context.work / "before")
        self.loss: float | None = None
        """Held-out, nats a masked token; None where there is nothing to judge by."""
        if heldout.judges:
            self.loss = trainer.remember("before", lambda: self._measured()["heldout_loss"])
            if trainer.devices.is_main:
                self._kept.save_best(trainer.module)
            trainer.devices.wait()

    def _measured(self) -> dict[str, float]:
        return self._heldout.score(self._trainer.module, self._trainer.devices)

    def is_better(self, result: TrainResult) -> bool:
        """Whether no weights of the training are better."""
        # When to stop is decided without it: where the rate is warmed up again, the loss may rise before it falls.
        return self.loss is not None and result.best_score is not None and -result.best_score >= self.loss

    def best(self, result: TrainResult) -> dict[str, Any]:
        """Put whichever weights are better into the network, and say what they measure; empty where nothing was evaluated."""
        if not self.is_better(result):
            return result.best
        self._kept.load_best(self._trainer.module)
        context = self._trainer.context
        context.runtime.reporter.say(f"{context.title}: nothing was gained; the weights from before are handed on")
        return {"step": 0, **self._measured()}

    def kept(self, result: TrainResult) -> dict[str, Any]:
        """Which weights are handed on, for a stage's metrics."""
        return {"kept": "before", "best_step": 0} if self.is_better(result) else {"kept": "trained"}

    def notes(self, result: TrainResult) -> Iterator[str]:
        """What should be known of how it ended."""
        if result.passed_over:
            yield f"{result.passed_over:,} of {result.steps:,} steps were passed over: no token of their batches can be masked"
        if self.is_better(result):
            assert result.best_score is not None
            yield (
                f"nothing was gained: the held-out loss was {self.loss:.3f} nats before and {-result.best_score:.3f} at best while it "
                "trained, so the weights from before are handed on; a smaller `lr` or more tokens may help"
            )
