"""A fresh head learns alone first; and whether a pretraining gained anything: its best weights against those from before it."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from torch import nn

from acclimate.evaluation.heldout_loss import Heldout
from acclimate.randomness import seed_of
from acclimate.stages.pace import Course
from acclimate.training.checkpoint import Checkpoints
from acclimate.training.loop import Objective, TrainResult
from acclimate.training.peers import load_best

if TYPE_CHECKING:
    from acclimate.stages.pretrain import Pretrain
    from acclimate.stages.pretraining_steps import Steps
    from acclimate.stages.trainer import EncoderTrainer, Trainer

FRESH = (
    "the base has no MLM head: a fresh one, tied to its embeddings, was trained alone for {steps} steps first; the held-out loss before is "
    "measured after that"
)


def learn_alone(stage: "Pretrain", trainer: "Trainer", body: nn.Module, objective: Objective, steps: int) -> int:
    """Train what is over a frozen `body` alone, before a training of so many steps; says in how many.

    Through random weights nothing but noise would reach the body.
    """
    alone = max(1, round(steps * stage.head_warmup)) if stage.head_warmup else 0
    if alone:
        learned = [parameter for parameter in body.parameters() if parameter.requires_grad]
        body.requires_grad_(False)
        pace = stage.model_copy(update={"lr": stage.head_lr, "schedule": "linear"})
        trainer.fit(objective, None, Course(alone, alone), "head", pace)
        for parameter in learned:
            parameter.requires_grad_(True)
    return alone


def learn_fresh_head(
    stage: "Pretrain", trainer: "EncoderTrainer", learned: Callable[[int], tuple[Objective, Any]], seed: int, steps: int
) -> None:
    """Train the head that came with no base alone, before a training of so many steps, and note it; `learned` is what a seed trains on."""
    # In an order of its own: the training proper begins with texts and masks that the head has not just seen.
    first = learned(seed_of(seed, "head alone"))[0]
    trainer.notes.append(FRESH.format(steps=learn_alone(stage, trainer, trainer.model.base_model, first, steps)))


def course_of(stage: "Pretrain", planned: "Steps", heldout_tokens: int) -> Course:
    """How long the training proper is, and how often it is judged by so many tokens."""
    every = stage.evaluate_every(planned.steps, planned.tokens, heldout_tokens)
    # Text that is still to come is not left unread because that before it teaches nothing.
    patience_from = planned.last_begins + every * (stage.patience or 0) if stage.in_turn else 0
    return Course(planned.steps, every, stage.patience, patience_from)


class Before:
    """The model as it stands when the training proper begins; a fresh head has been trained alone by then."""

    def __init__(self, trainer: "Trainer", heldout: Heldout, unasked: str = "no token of their batches can be masked") -> None:
        """`unasked` says why a step may be passed over."""
        self._trainer, self._heldout, self._unasked = trainer, heldout, unasked
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
        load_best(self._kept, self._trainer.module, self._trainer.devices)
        context = self._trainer.context
        context.runtime.reporter.say(f"{context.title}: nothing was gained; the weights from before are handed on")
        return {"step": 0, **self._measured()}

    def kept(self, result: TrainResult) -> dict[str, Any]:
        """Which weights are handed on, for a stage's metrics."""
        return {"kept": "before", "best_step": 0} if self.is_better(result) else {"kept": "trained"}

    def notes(self, result: TrainResult) -> Iterator[str]:
        """What should be known of how it ended."""
        if result.passed_over:
            yield f"{result.passed_over:,} of {result.steps:,} steps were passed over: {self._unasked}"
        if self.is_better(result):
            assert result.best_score is not None
            yield (
                f"nothing was gained: the held-out loss was {self.loss:.3f} nats before and {-result.best_score:.3f} at best while it "
                "trained, so the weights from before are handed on; a smaller `lr` or more tokens may help"
            )
