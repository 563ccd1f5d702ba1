"""What `pretrain` does on masked words (`objective: mlm`)."""

from collections.abc import Callable

from acclimate.data.mixture import in_words
from acclimate.data.unknown import nothing_to_mask
from acclimate.errors import DataError, SettingsError
from acclimate.evaluation.heldout_loss import Heldout
from acclimate.modeling.adapters import add_adapters
from acclimate.modeling.execution import Packed
from acclimate.modeling.families import MASK_RATES
from acclimate.modeling.folder import ModelFolder
from acclimate.modeling.heads import load_mlm
from acclimate.modeling.longest import sequence_length
from acclimate.objectives.mlm import MaskedText, Vocabulary
from acclimate.objectives.taught_words import TaughtWords
from acclimate.stages.base import Context, Outcome
from acclimate.stages.new_rows import fit_rows_first, watch_new_rows
from acclimate.stages.pretrain import Pretrain
from acclimate.stages.pretraining_kept import Before, course_of, learn_fresh_head
from acclimate.stages.pretraining_reading import Reading
from acclimate.stages.pretraining_steps import Steps
from acclimate.stages.pretraining_text import notes_on, read_text
from acclimate.stages.trainer import EncoderTrainer
from acclimate.training.loop import Objective


def pretrain_masks(stage: Pretrain, parent: ModelFolder, context: Context) -> Outcome:
    """Train on masked words, as the stage says.

    Raises:
        DataError: no token of all that is read can be masked.
    """
    reading = masked_reading(stage, parent, context)
    text, special, rate = reading.text, reading.special, mask_rate_of(stage, parent)
    objective, planned = reading.learned(context.seed)
    model, fresh = load_mlm(parent, context.seed, stage.dropout)
    if stage.lora is not None:
        add_adapters(model, stage.lora, context.seed, head=fresh)
    rows_moved = watch_new_rows(model, parent)
    taught = _taught(stage, parent, context)
    # A teacher's logits are there beside the student's.
    asked_share = reading.asked_share * (1 if stage.teacher is None else 2)
    with EncoderTrainer.of(context, parent, model, stage, masked_share=asked_share) as trainer:
        heldout = reading.heldout(trainer.micro)
        trainer.notes += [*notes_on(stage, planned, text), *text.notes(), *heldout.notes()]
        if fresh:
            learn_fresh_head(stage, trainer, reading.learned, context.seed, planned.steps)
        judge, before = heldout.judge(trainer.devices), Before(trainer, heldout)
        course = course_of(stage, planned, heldout.tokens)
        if stage.new_rows_first:
            result = fit_rows_first(trainer, parent, taught(objective), judge, course, stage.new_rows_first)
        else:
            result = trainer.fit(taught(objective), judge, course)
        if result.passed_over == result.steps:
            raise DataError(nothing_to_mask(in_words(stage.corpus)))
        best = before.best(result)
        trainer.notes += before.notes(result)
        text = text.after(planned.order, special, result.tokens)
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
        **rows_moved(),
    }
    return trainer.outcome(
        metrics, trainer.flops(float(text.training.length.mean()) + special, masked_share=(rate + (stage.mask_rate_end or rate)) / 2)
    )


def mask_rate_of(stage: Pretrain, parent: ModelFolder) -> float:
    """The share of tokens that are masked at first."""
    return stage.mask_rate or MASK_RATES.get(parent.config["model_type"], MASK_RATES["others"])


def masked_reading(stage: Pretrain, parent: ModelFolder, context: Context) -> Reading[MaskedText]:
    """The text of such a stage, and how it is masked."""
    words = Vocabulary.of(parent.tokenizer(), stage.whole_word or stage.masking == "words", stage.masking == "spans")
    length, special = sequence_length(stage.max_length, parent), len(words.prefix) + len(words.suffix)
    corpora, held = stage.documents(context.data), (stage.heldout_share, stage.heldout_tokens)
    text = read_text(corpora, stage.shares(), parent, context, length - special, held).replaying(stage.replays(), stage.replay)
    lengths, rate = text.lengths(special), mask_rate_of(stage, parent)

    def masked(seed: int) -> tuple[MaskedText, Steps]:
        steps = Steps.of(stage, lengths, length, seed)
        return MaskedText(text.store, text.training, steps.order, words, rate, seed, stage.mask_rate_end, steps.steps), steps

    def heldout(micro: int) -> Heldout:
        return Heldout.of(text.store, text.heldout, words, micro, stage.replays())

    return Reading(text, special, max(rate, stage.mask_rate_end or 0), masked, heldout, lambda packed: packed)


def _taught(stage: Pretrain, student: ModelFolder, context: Context) -> Callable[[MaskedText], Objective]:
    """What is learned of masked text: its words, or these as a teacher would fill them in, too.

    Raises:
        SettingsError: the teacher has another vocabulary, or no head for masked words.
    """
    settings = stage.teacher
    if settings is None:
        return lambda text: text
    folder = context.beside[settings.model]
    if folder.tokenizer().get_vocab(with_added_tokens=True) != student.tokenizer().get_vocab(with_added_tokens=True):
        raise SettingsError(f"teacher: {settings.model} has another vocabulary than the student")
    model, fresh = load_mlm(folder, context.seed)
    if fresh:
        raise SettingsError(f"teacher: {settings.model} has no whole head for masked words; let it learn one first, in a recipe of its own")
    teacher = Packed(model, context.runtime.fast).to(context.runtime.devices.device).requires_grad_(False).eval()
    return lambda text: TaughtWords(text, teacher, settings.weight, settings.likeliest)
