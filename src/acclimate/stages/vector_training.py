"""How the stage that trains vectors runs: texts become sequences, an encoder learns by them, dev chooses its weights."""

from functools import cache, partial
from typing import TYPE_CHECKING, Any

from acclimate.data.even_order import CoupledOrder, EvenOrder
from acclimate.data.sequences import Sequences
from acclimate.data.unknown import unknown_words
from acclimate.errors import DataError
from acclimate.modeling.embedding_form import EmbeddingForm
from acclimate.modeling.families import dimensions_of
from acclimate.modeling.folder import ModelFolder
from acclimate.objectives.losses.of_vectors import VECTOR_LOSSES
from acclimate.objectives.related_texts import RelatedTexts
from acclimate.stages.base import Context, Outcome
from acclimate.stages.long_texts import told_of_cut
from acclimate.stages.pace import Course
from acclimate.stages.vector_judges import DevLoss, DevScore, judge_of
from acclimate.stages.vector_trainer import EmbeddingTrainer
from acclimate.tasks.relations import Examples

if TYPE_CHECKING:
    from acclimate.stages.embed import Embed


def trained(stage: "Embed", parent: ModelFolder, context: Context) -> Outcome:
    """Run the stage.

    Raises:
        DataError: there is nothing to learn from.
        TrainingError: the loss is not finite, or memory does not hold a single text.
        Interrupted: a stop was asked for.
    """
    task = context.task()
    own = EmbeddingForm.of(parent.config)
    form = stage.made_form(own, dimensions_of(parent.config).width)
    loss, sided = stage.by(task), stage.relation(task).sided
    prompts = (form.prompt("query"), form.prompt("document")) if sided else ("", "")
    train = stage.examples(task, task.train)
    try:
        dev: Examples | None = stage.examples(task, task.dev)
    except DataError as error:
        dev, why = None, str(error)
    with EmbeddingTrainer.of(context, parent, stage, form) as trainer:
        by = VECTOR_LOSSES[loss.loss].of(loss)
        widths = tuple(dict.fromkeys((*stage.dimensions, trainer.embedder.width)))

        def objective(examples: Examples, name: str) -> RelatedTexts:
            led = examples.led(*prompts)
            texts = trainer.read(led, name)
            order = (
                CoupledOrder(led.gold, stage.batch_size, context.seed)
                if loss.shape == "classes"
                else EvenOrder(len(led), stage.batch_size, context.seed)
            )
            return RelatedTexts(texts, led, order, by, widths)

        learned = objective(train, "train")
        judged = None if dev is None else objective(dev, "dev")
        trainer.notes += train.notes
        if judged is None:
            trainer.notes.append(f"dev cannot choose the weights, and the last ones are kept: {why}")
        read = {"train": learned.texts} | ({} if judged is None else {"dev": judged.texts})
        trainer.notes += _told(read, trainer.embedder.length)
        epoch = stage.batches(len(train))
        steps = stage.steps(epoch)
        trainer.notes += stage.told_of_least(epoch)
        course = Course(steps, max(1, -(-steps // stage.evaluations)), stage.patience)
        judge = None if judged is None else judge_of(stage, task, trainer, learned, judged, prompts, context.seed)
        before = {} if judge is None else _before(judge, trainer)
        result = trainer.fit(learned, None if judge is None else judge.judge, course)
        if result.passed_over == result.steps:
            raise DataError(f"no batch of {stage.batch_size} examples has anything that {loss.loss} could compare; raise batch_size")
        trainer.time(learned.texts)
        trainer.save()
    lengths = learned.texts.lengths
    metrics: dict[str, Any] = {
        "loss": loss.loss,
        **before,
        **{name: value for name, value in result.best.items() if name.startswith("dev_")},
        "examples": len(train),
        "texts": len(learned.texts),
        "dimensions": trainer.embedder.width,
        "steps_passed_over": result.passed_over,
        **result.measured(),
        "epochs": round(result.steps / learned.order.batches_per_epoch, 3),
        "micro_tokens": trainer.micro,
        **{f"cut_tokens_{name}": texts.cut_tokens for name, texts in read.items()},
        **{f"unknown_share_{name}": texts.unknown_share for name, texts in read.items()},
    }
    return trainer.outcome(metrics, trainer.flops(float(lengths.mean()), int(lengths.sum()) if learned.texts.hidden is not None else None))


def _before(judge: DevLoss | DevScore, trainer: EmbeddingTrainer) -> dict[str, float]:
    """What the untrained vectors come to on dev, measured once, also when the stage is stopped and goes on."""
    measured = cache(lambda: judge.judge(trainer.module))
    return {f"{name}_before": trainer.remember(f"{name} before", partial(lambda at: measured()[at], name)) for name in judge.tells}


def _told(read: dict[str, Sequences], length: int) -> list[str]:
    """What of the texts the model does not read."""
    cut = {name: texts.cut_tokens / max(1, texts.tokens) for name, texts in read.items()}
    unknown = unknown_words({f"the {name} texts": texts.unknown_share for name, texts in read.items()})
    return [*told_of_cut(cut, "texts", f"{length:,} tokens"), *([unknown] if unknown else [])]
