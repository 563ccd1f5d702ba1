"""What `pretrain` does on next words (`objective: clm`): what decoders are made for, and encoders can do on the way."""

from functools import partial

from acclimate.data.ended import joined_stretches
from acclimate.data.held_out import Stretches
from acclimate.data.mixture import in_words
from acclimate.errors import DataError
from acclimate.evaluation.heldout_loss import Heldout
from acclimate.evaluation.heldout_texts import next_words
from acclimate.modeling.adapters import add_adapters
from acclimate.modeling.folder import ModelFolder
from acclimate.modeling.heads import load_mlm
from acclimate.modeling.longest import sequence_length
from acclimate.objectives.clm import Borders, FollowingText, NextTokens, heldout_windows
from acclimate.stages.base import Context, Outcome
from acclimate.stages.pretrain import Pretrain
from acclimate.stages.pretraining_kept import Before, course_of, learn_fresh_head
from acclimate.stages.pretraining_reading import Reading
from acclimate.stages.pretraining_steps import Steps
from acclimate.stages.pretraining_text import PretrainingText, notes_on, read_text
from acclimate.stages.trainer import EncoderTrainer

SPECIAL = 1  # the token that every window begins with
UNASKED = "every token of their batches is unknown to the vocabulary"


def pretrain_next(stage: Pretrain, parent: ModelFolder, context: Context) -> Outcome:
    """Train on next words, as the stage says.

    Raises:
        DataError: no token of all that is read is known to the vocabulary.
    """
    reading = next_reading(stage, parent, context)
    text = reading.text
    objective, planned = reading.learned(context.seed)
    frozen = stage.lora is not None and stage.lora.keeps_half(parent.config)
    model, fresh = load_mlm(parent, context.seed, stage.dropout, frozen)
    if stage.lora is not None:
        add_adapters(model, stage.lora, context.seed, head=fresh)
    tied = model.config.tie_word_embeddings
    with EncoderTrainer.of(context, parent, model, stage) as trainer:
        trainer.module = reading.network(trainer.packed)
        heldout = reading.heldout(trainer.micro)
        trainer.notes += [*notes_on(stage, planned, text), *text.notes()]
        if fresh:  # of an encoder that comes without one
            learn_fresh_head(stage, trainer, reading.learned, context.seed, planned.steps)
        judge, before = heldout.judge(trainer.devices), Before(trainer, heldout, UNASKED)
        result = trainer.fit(objective, judge, course_of(stage, planned, heldout.tokens))
        if result.passed_over == result.steps:
            raise DataError(f"objective: clm: every token of {in_words(stage.corpus)} is unknown to this vocabulary")
        best = before.best(result)
        trainer.notes += before.notes(result)
        text = text.after(planned.order, SPECIAL, result.tokens)
        trainer.notes += text.replayed(stage.replays())
        trainer.save()
    metrics = {
        "heldout_loss_before": before.loss,
        "heldout_loss_after": best.get("heldout_loss"),
        "heldout_accuracy": best.get("heldout_accuracy"),
        "heldout_tokens": heldout.tokens,
        **text.measured(best, heldout.batches.keys()),
        "windows": len(text.training),
        "steps_passed_over": result.passed_over,
        **result.measured(),
        **before.kept(result),
        "tokens": trainer.tokens,
        "micro_tokens": trainer.micro,
        "epochs": round(result.tokens / planned.epoch, 3),
        "fresh_mlm_head": fresh,
    }
    # A head of its own is among the parameters already.
    return trainer.outcome(metrics, trainer.flops(float(text.training.length.mean()) + SPECIAL, masked_share=1.0 if tied else 0.0))


def next_reading(stage: Pretrain, parent: ModelFolder, context: Context) -> Reading[FollowingText]:
    """The text of such a stage, every token asked for from those before it."""
    borders, length = Borders.of(parent), sequence_length(stage.max_length, parent)
    text = _read(stage, parent, context, borders, length - SPECIAL)
    lengths = text.lengths(SPECIAL)

    def following(seed: int) -> tuple[FollowingText, Steps]:
        steps = Steps.of(stage, lengths, length, seed)
        return FollowingText(text.store, text.training, steps.order, borders), steps

    def heldout(micro: int) -> Heldout:
        windows = partial(heldout_windows, text.store, borders=borders, max_tokens=micro)
        return Heldout({name: windows(each) for name, each in text.heldout.items()}, (), stage.replays(), next_words)

    return Reading(text, SPECIAL, 0.0, following, heldout, NextTokens)


def _read(stage: Pretrain, parent: ModelFolder, context: Context, borders: Borders, room: int) -> PretrainingText:
    def cut(_: str, stretches: Stretches) -> Stretches:
        return joined_stretches(stretches) if stage.windows == "across" else stretches

    corpora, held = stage.documents(context.data), (stage.heldout_share, stage.heldout_tokens)
    text = read_text(corpora, stage.shares(), parent, context, room, held, cut, borders.end)
    return text.replaying(stage.replays(), stage.replay)
