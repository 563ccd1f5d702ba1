"""What `finetune` does with text that it reads between its batches of labelled texts (`auxiliary`)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from torch import nn

from acclimate.errors import SettingsError
from acclimate.evaluation.heldout_loss import Heldout
from acclimate.modeling.execution import Packed
from acclimate.modeling.folder import ModelFolder, save_model
from acclimate.modeling.heads import load_mlm
from acclimate.modeling.two_heads import TwoHeads, share_body
from acclimate.randomness import seed_of
from acclimate.stages.auxiliary import Auxiliary
from acclimate.stages.base import Context
from acclimate.stages.pace import Course
from acclimate.stages.pretraining_masks import mask_rate_of, masked_reading
from acclimate.stages.pretraining_next import next_reading
from acclimate.stages.pretraining_reading import Reading
from acclimate.stages.pretraining_steps import Steps
from acclimate.stages.trainer import EncoderTrainer
from acclimate.training.alternating import Alternating, Turns
from acclimate.training.loop import Objective, TrainResult

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def whole_vocabulary_share(settings: Auxiliary, parent: ModelFolder) -> float:
    """Of the tokens of a pass over text, those whose logits over all words are there at once; next words have theirs in parts."""
    stage = settings.pretraining.for_model(parent.family)
    return mask_rate_of(stage, parent) if stage.masks else 0.0


@dataclass
class AuxiliaryText:
    """Text, the head that learns its words, and where it stands among the steps."""

    settings: Auxiliary
    trainer: EncoderTrainer
    parent: ModelFolder
    words: "PreTrainedModel"
    """The model with its head for words, on the body of the one that learns the task."""
    network: nn.Module
    """What asks it."""
    reading: Reading[Objective]
    learned: Objective
    planned: Steps
    heldout: Heldout
    before: float | None
    """Held-out loss, nats, of the model that the stage began with."""
    turns: Turns | None = None

    @classmethod
    def of(cls, settings: Auxiliary, trainer: EncoderTrainer, parent: ModelFolder, context: Context, dropout: float | None) -> Self:
        """Read it, and give the trainer's network its second head.

        Raises:
            SettingsError: several processes train together.
        """
        if trainer.devices.world > 1:
            raise SettingsError(
                "auxiliary: a step uses one head or the other, which several processes cannot train together; take one process"
            )
        stage = settings.pretraining.for_model(parent.family)
        reading: Reading[Objective] = (masked_reading if stage.masks else next_reading)(stage, parent, context)
        learned, planned = reading.learned(seed_of(context.seed, "auxiliary"))  # a pretraining before it has another order
        words, _ = load_mlm(parent, context.seed, dropout)
        share_body(words, trainer.model)
        packed = Packed(words, context.runtime.fast).to(trainer.devices.device)
        network = reading.network(packed)
        trainer.module = TwoHeads(trainer.module, network)
        heldout = reading.heldout(trainer.micro)
        trainer.notes += [*reading.text.notes(), *heldout.notes()]

        def measured() -> float:
            return heldout.score(network, trainer.devices)["heldout_loss"]

        before = trainer.remember("words before", measured) if heldout.judges else None
        return cls(settings, trainer, parent, words, network, reading, learned, planned, heldout, before)

    def beside(self, labels: Objective, course: Course) -> tuple[Objective, Course]:
        """What is learned of both, and how long that is: as many steps from labels as without text."""
        turns = Turns(course.steps, self.planned.steps)
        self.turns = turns
        patience_from = turns.whole(course.patience_from) if course.patience_from else 0
        whole = Course(turns.steps, turns.whole(course.evaluate_every), course.patience, patience_from)
        return Alternating(labels, self.learned, turns, self.settings.weight), whole

    def labelled(self, steps: int) -> int:
        """How many of the first steps learned from labels."""
        assert self.turns is not None
        return steps - self.turns.read(steps)

    def finish(self, result: TrainResult) -> dict[str, Any]:
        """Let the trainer save over the head for words as it is now; and, for the stage's metrics, what was read and what that changed."""
        self.trainer.goes_on_from(save_model(self.trainer.context.work / "words", self.parent, self.words))
        return self._measured(result)

    def operations(self, tokens: int) -> float:
        """Floating-point operations of the product with the vocabulary, which a task does not ask for; `tokens` of text were read."""
        share = self.reading.asked_share or (1.0 if self.words.config.tie_word_embeddings else 0.0)
        embeddings = sum(each.numel() for each in self.words.get_input_embeddings().parameters())
        return 6 * share * tokens * embeddings

    def _measured(self, result: TrainResult) -> dict[str, Any]:
        assert self.turns is not None
        read = self.turns.read(result.steps)
        tokens = sum(self._tokens(step) for step in range(read))
        found = self.heldout.score(self.network, self.trainer.devices) if self.heldout.judges else {}
        text = self.reading.text.after(self.planned.order, self.reading.special, tokens) if read else self.reading.text
        return {
            "text_steps": read,
            "text_tokens": tokens,
            "heldout_loss_before": self.before,
            "heldout_loss_after": found.get("heldout_loss"),
            "heldout_accuracy": found.get("heldout_accuracy"),
            "heldout_tokens": self.heldout.tokens,
            **text.measured(found, self.heldout.batches.keys()),
        }

    def _tokens(self, step: int) -> int:
        windows = self.planned.order.batch(step)
        return int(self.reading.text.training.length[windows].sum()) + self.reading.special * len(windows)
