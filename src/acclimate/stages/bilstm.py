"""The neural plain baseline stage: a bidirectional LSTM over words, from scratch; what a network learns from the labelled texts alone."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from acclimate.evaluation.cost import training_flops
from acclimate.modeling.baselines.word_list import UNKNOWN, WordList
from acclimate.objectives.class_weights import ClassWeights
from acclimate.objectives.loss_settings import Loss
from acclimate.objectives.sampler import Sampler, order_of
from acclimate.settings import MOST_EPOCHS
from acclimate.stages.base import USUAL_SCORE, Context, Outcome, Role, Serves
from acclimate.stages.by_loss import LearnsByLoss
from acclimate.stages.long_texts import told_of_cut
from acclimate.stages.pace import Course, Pace
from acclimate.stages.planned import BYTES, Reads, Sizes, Work
from acclimate.stages.words_read import WordsRead, told_of_marks
from acclimate.tasks.kind import many
from acclimate.tasks.task import Task
from acclimate.tasks.thresholds import Choice

if TYPE_CHECKING:
    from acclimate.data.sequences import Sequences
    from acclimate.modeling.baselines.bilstm_model import BilstmClassifier


class Bilstm(Pace, LearnsByLoss):
    """Word vectors and a bidirectional LSTM with max pooling (Conneau et al. 2017), from scratch: what no pretraining at all comes to."""

    libraries: ClassVar[tuple[str, ...]] = ("torch", "numpy")
    role: ClassVar[Role] = "baseline"
    serves: ClassVar[Serves] = {"sequence": ("softmax", "sigmoid")}
    silent: ClassVar[Mapping[str, Any]] = {"thresholds": "half", "loss": None, "sampler": "none", "words": "letters"}
    stage: Literal["bilstm"] = "bilstm"
    embedding: int = Field(default=200, gt=0)
    """Width of a word's vector."""
    hidden: int = Field(default=200, gt=0)
    """Units of each of the two directions."""
    layers: int = Field(default=1, ge=1, le=2)
    """LSTM layers, one on the other."""
    words: WordsRead = "letters"
    """What a word is: a run of `letters` and digits, in lower case; with `marks` also every run of another sign, as `<<`, `!!!` or `@`."""
    most_words: int = Field(default=30_000, gt=0)
    """Keep the most frequent words of the training texts only; the others share the entry of unknown words."""
    min_count: int = Field(default=1, ge=1)
    """A word must stand in the training texts so often to be kept."""
    max_length: int = Field(default=400, gt=0)
    """Words per text. The rest is cut off, and counted."""
    dropout: float = Field(default=0.3, ge=0, lt=1)
    """Dropout of word vectors, between layers and of the pooled features."""
    word_dropout: float = Field(default=0.05, ge=0, lt=1)
    """Share of the words that are read as unknown while training, so that unknown words of dev and test mean something."""
    lr: float = Field(default=1e-3, gt=0)
    """Peak learning rate of AdamW (its usual one for networks from scratch, Kingma & Ba 2015)."""
    warmup: float = Field(default=0.0, ge=0, le=1)
    """Share of the steps in which the rate rises."""
    schedule: Literal["linear", "cosine", "constant"] = "constant"
    """How the rate falls after warm-up; dev ends the training long before the last step, so by default it does not."""
    clip: float = Field(default=5.0, gt=0)
    """Largest norm of the gradient."""
    epochs: float = Field(default=40.0, gt=0, le=MOST_EPOCHS)
    """Passes over the labelled texts, at most."""
    min_steps: int = Field(default=200, ge=0)
    """At least so many optimiser steps, however few the labels are."""
    batch_size: int = Field(default=32, gt=0)
    """Texts per optimiser step, over all devices."""
    loss: Loss | None = None
    """What a wrong answer costs while training; default `cross_entropy` (where numbers are answered squared error, and nothing else)."""
    class_weights: ClassWeights = "none"
    """`balanced` (N / (L x count of the class); of labels each by itself (N - n) / n), its square root (`sqrt`), by the effective number of
    examples (`{effective: 0.999}`: (1 - beta) / (1 - beta^n), the mean over classes 1), or the weight of every label."""
    sampler: Sampler = "none"
    """Which texts an epoch holds, as many as there are: each once, or drawn so that classes are met equally often (`balanced`) or as the
    square root of their counts (`square_root`, Mahajan et al. 2018). A text counts by its rarest label."""
    thresholds: Choice = "half"
    """How probabilities become answers: `half`, the most likely name, of several labels those above one half; or by a threshold a name,
    `tuned` on dev for the highest macro F1, of several labels each for its own F1 (docs/rare-classes.md)."""
    patience: int | None = Field(default=5, gt=0)
    """Epochs without a better dev score before it stops (never before `min_steps`); null: never."""
    select_by: str | None = None
    """The dev score that decides which epoch's weights are kept; the task's own first one (macro F1) when not given."""

    def reads(self) -> tuple[str, ...]:
        return ("labels",)

    def keyed(self) -> dict[str, Any]:
        return super().keyed() | {"select_by": self.select_by or USUAL_SCORE}

    def check(self, given: Sizes, task: Task | None) -> Sizes:
        if task is not None:
            self.check_learning(task)
        return given

    def notes(self, given: Sizes, reads: Callable[[], Reads]) -> tuple[str, ...]:
        task = reads().task
        assert task is not None
        words = {name: [text.count(" ") + 1 for text in split.documents()] for name, split in task.splits.items()}
        cut = {name: sum(max(0, each - self.max_length) for each in counts) / max(1, sum(counts)) for name, counts in words.items()}
        return (*told_of_marks(self.words, task), *self._told_of_cut(task, cut))

    def _told_of_cut(self, task: Task, cut: Mapping[str, float]) -> tuple[str, ...]:
        return told_of_cut(cut, many(task.kind.item), f"{self.max_length:,} words")

    def _words(self, task: Task) -> WordList:
        return WordList.of(task.train.inputs[0], self.most_words, self.min_count, self.words == "marks")

    def work(self, given: Sizes, reads: Reads) -> Work:
        assert reads.task is not None
        splits = (reads.task.train, reads.task.dev, reads.task.test)
        train, dev, test = (sum(min(text.count(" ") + 1, self.max_length) for text in split.documents()) for split in splits)
        batches = -(-len(splits[0]) // self.batch_size)
        epochs = self.steps(batches) / batches
        # Four gates in each of two directions, over what is below and over themselves.
        widths = [self.embedding, *[2 * self.hidden] * (self.layers - 1)]
        body = sum(2 * 4 * self.hidden * (width + self.hidden + 2) for width in widths)
        vectors = len(self._words(reads.task)) * self.embedding
        operations = body * (6 * train * epochs + 2 * (dev * (1 + epochs) + test))
        return Work(BYTES * (vectors + body), tokens=round(train * epochs), operations=operations)

    def run(self, parent: object, context: Context) -> Outcome:
        from acclimate.modeling.baselines.bilstm_model import BilstmClassifier, BilstmConfig
        from acclimate.objectives.losses.chosen import chosen_loss
        from acclimate.objectives.supervised import Supervised
        from acclimate.objectives.word_dropout import WordDropout
        from acclimate.stages.exam import Exam
        from acclimate.stages.trainer import Trainer
        from acclimate.training.groups import in_two
        from acclimate.training.memory import MOST

        task, device = context.task(), context.runtime.devices.device
        head = task.kind.head(task.names, "sequence")
        words = self._words(task)
        config = BilstmConfig(task.names, words, self.embedding, self.hidden, self.layers, self.max_length, head.link)
        model = BilstmClassifier(config, self.dropout, context.seed).to(device)
        # A word takes a few kilobytes here, so what is of use also fits; the loop halves it where it does not.
        micro = context.runtime.micro_tokens or MOST.get(device.type, MOST["cpu"])
        with Trainer(context, model, micro, self, lambda pace: in_two(model.parameters(), pace.weight_decay)) as trainer:
            texts = {name: model.sequences(split.inputs[0]) for name, split in task.splits.items()}
            order = order_of(self.sampler, task, texts["train"], self.batch_size, context.seed, trainer.notes.append)
            loss = chosen_loss(self.losses(), self.loss, self.class_weights, head, task.train)
            items = Supervised(texts["train"], task.train, order, loss)
            trainer.notes += told_of_marks(self.words, task)
            trainer.notes += () if self.loss is None else self.loss.notes()
            trainer.notes += self._told_of_cut(task, {name: read.cut_tokens / max(1, read.tokens) for name, read in texts.items()})
            exam = Exam(task, head, texts, trainer, self.thresholds, self.select_by)
            epoch = order.batches_per_epoch
            trainer.notes += self.told_of_least(epoch)
            course = Course(self.steps(epoch), epoch, self.patience, self.min_steps)
            result = trainer.fit(WordDropout(items, self.word_dropout, context.seed), exam.judge, course)
            scores = exam.taken()
            if trainer.devices.is_main:
                model.save(context.output / "model")
        metrics = {
            **scores,
            **result.measured(),
            "epochs": round(result.steps / epoch, 3),
            "words": len(words) - 1,
            **{f"unknown_share_{name}": _unknown_share(texts[name]) for name in ("dev", "test")},
            **{f"cut_words_{name}": read.windows.cut_tokens for name, read in texts.items()},
        }
        return trainer.outcome(metrics, _flops(model, result.tokens, float(texts["train"].lengths.mean())))


def _flops(model: "BilstmClassifier", tokens: int, mean_length: float) -> float:
    read_once = sum(parameter.numel() for parameter in model.out.parameters())  # a text, not a word
    body = sum(parameter.numel() for parameter in model.lstms.parameters())
    return training_flops(parameters=body, tokens=tokens, width=0, length=0, head_parameters=read_once, head_share=1 / mean_length)


def _unknown_share(texts: "Sequences") -> float:
    """Of all words of the texts, also those that are cut off."""
    return float((texts.store.tokens == UNKNOWN).mean())
