"""Supervised fine-tuning of a classifier, or of a tagger, on the task's labels: all layers, the top few, or the head alone."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from acclimate.data.mixture import reads_of
from acclimate.data.unknown import unknown_words
from acclimate.errors import SettingsError
from acclimate.evaluation.pooling import Pool
from acclimate.modeling.adapter_settings import ADAPTER_LR, AdapterTraining
from acclimate.modeling.base_files import DISTILLED
from acclimate.modeling.embedding_form import EMBEDDING, EmbeddingForm
from acclimate.modeling.head_settings import MLM, HeadSettings
from acclimate.modeling.longest import LONGEST_DEFAULT
from acclimate.objectives.class_weights import ClassWeights
from acclimate.objectives.loss_settings import Loss
from acclimate.objectives.sampler import Sampler, order_of
from acclimate.settings import MOST_EPOCHS
from acclimate.stages import learning_answers
from acclimate.stages.adapting import FORWARD_AND_BACK, Adapting, adapter_bytes, adapters_of, told_of_adapters
from acclimate.stages.asking import Asked, check_asking, cloze_of, template_tokens, told_of_asking
from acclimate.stages.auxiliary import Auxiliary
from acclimate.stages.base import LABELS_OF, USUAL_SCORE, Context, Outcome, Role, Serves
from acclimate.stages.by_loss import LearnsByLoss
from acclimate.stages.long_texts import Long, LongTexts, lengths
from acclimate.stages.pace import Course, EncoderPace
from acclimate.stages.planned import Classifier, Reads, Sizes, Work
from acclimate.stages.vector_head import check_on_vector, told_of_head
from acclimate.stages.writing import check_nothing_written, told_of_room
from acclimate.tasks.generate import MOST_NEW
from acclimate.tasks.kind import Head
from acclimate.tasks.task import Task
from acclimate.tasks.thresholds import Choice

if TYPE_CHECKING:
    from acclimate.modeling.folder import ModelFolder
    from acclimate.stages.auxiliary_text import AuxiliaryText
    from acclimate.stages.trainer import EncoderTrainer
    from acclimate.stages.vector_trainer import ClassifierTrainer
    from acclimate.training.loop import Objective

HEAD_LR = 1e-3  # a fresh head on frozen features needs far larger steps than pretrained layers
LR = 5e-5
ASKED = "head: mlm"  # in messages


class Finetune(Adapting, EncoderPace, LearnsByLoss):
    """Train a classifier, a tagger of words, or a decoder that writes answers; dev decides when to stop, test is evaluated once."""

    version: ClassVar[int] = 3
    role: ClassVar[Role] = "learns"
    serves: ClassVar[Serves] = {"sequence": ("softmax", "sigmoid", "none"), "tokens": ("softmax",), "text": ("none",)}
    most_texts: ClassVar[int] = 2
    reads_decoders: ClassVar[bool] = True
    silent: ClassVar[Mapping[str, Any]] = {
        "thresholds": "half", "subwords": "all", "stride": None, "sampler": "none", "loss": None, "long": None, "pool": None,
        "max_new_tokens": None, "auxiliary": None,
    }  # fmt: skip
    stage: Literal["finetune"] = "finetune"
    task: str | None = None
    """The task that it learns, by its name among `data: tasks:`; the study's when not given."""
    train: Literal["all", "head"] | Annotated[int, Field(ge=1)] | AdapterTraining = "all"
    """`all` layers, the `head` alone (pooler and classifier), the top N layers with the head, or `lora`: adapters with the head, beside
    frozen layers, with their settings as in `{lora: {rank: 8}}` (docs/adapters.md)."""
    head: HeadSettings = HeadSettings()
    """The classifier: one linear layer, or a deeper one; or `mlm`, the base's own head for masked words, which is asked for the words of
    the labels (kinds `classify` and `pair`)."""
    lr: float | None = Field(default=None, gt=0)
    """Peak learning rate; default 5e-5 (Devlin et al. 2019 searched 2e-5 to 5e-5), 1e-3 where the head alone is trained, 5e-4 with
    adapters."""
    layer_decay: float = Field(default=1.0, gt=0, le=1)
    """Each layer's learning rate is this times that of the layer above (.65 to .95 is usual; 1: no decay)."""
    epochs: float = Field(default=5.0, gt=0, le=MOST_EPOCHS)
    """Passes over the labelled texts."""
    min_steps: int = Field(default=200, ge=0)
    """At least so many optimiser steps, however few the labels are (Mosbach et al. 2021; Zhang et al. 2021)."""
    batch_size: int = Field(default=16, gt=0)
    """Texts per optimiser step, over all devices, whole ones with `long: windows`; where every word is answered, windows of texts."""
    dropout: float | None = Field(default=None, ge=0, lt=1)
    """Dropout while training; default the model's own. Frozen layers have none: what they give is computed once."""
    frozen_precision: Literal["float32", "float16"] = "float32"
    """How the outputs of frozen layers are kept on disk; float16 takes half the room."""
    loss: Loss | None = None
    """What a wrong answer costs while training; default `cross_entropy` (where numbers are answered squared error, and nothing else)."""
    class_weights: ClassWeights = "none"
    """`balanced` (N / (L x count of the class); of labels each by itself (N - n) / n), its square root (`sqrt`), by the effective number of
    examples (`{effective: 0.999}`: (1 - beta) / (1 - beta^n), the mean over classes 1), or the weight of every label."""
    sampler: Sampler = "none"
    """Which texts an epoch holds, as many as there are: each once, or drawn so that classes are met equally often (`balanced`) or as the
    square root of their counts (`square_root`, Mahajan et al. 2018). A text counts by its rarest label, or by its rarest type of entity."""
    thresholds: Choice = "half"
    """How probabilities become answers: `half`, the most likely name, of several labels those above one half; or by a threshold a name,
    `tuned` on dev for the highest macro F1, of several labels each for its own F1 (docs/rare-classes.md)."""
    subwords: Literal["all", "first", "last"] = "all"
    """Where every word is answered, which of its pieces learn: `all` (a later one goes on, I-x, with what the first begins, B-x), or the
    `first` alone, which answers for the word. Of a decoder the last piece does, which alone has seen all of it: `all` (each learns the
    word's own tag), or the `last` alone."""
    stride: int | None = Field(default=None, ge=0)
    """By how many tokens the windows overlap in which texts longer than `max_length` are read whole; default a quarter of `max_length`."""
    long: Long | None = None
    """What is done with texts longer than `max_length`: `cut` (the rest is not read, and counted), read whole in overlapping `windows`, or
    an `error` before anything is trained. Default `cut`; where every word is answered `windows`, and nothing is ever cut there."""
    pool: Pool | None = None
    """With `long: windows`, how the answers to the windows of a text become one: their `mean`, or the `max` of each label; null: the one
    that dev has the higher score with."""
    patience: int | None = Field(default=3, gt=0)
    """Epochs without a better dev score before it stops (never before `min_steps`); null: never."""
    select_by: str | None = None
    """The dev score that decides which epoch's weights are kept; the task's own first one (macro F1) when not given."""

    max_new_tokens: int | None = Field(default=None, ge=1, le=4096)
    """Where answers are written (`generate`), at most so many tokens of each; default 64."""

    auxiliary: Auxiliary | None = None
    """Text whose words are learned in the same stage, in steps between those that learn from labels (docs/auxiliary.md)."""

    def title(self) -> str:
        what = self.word() if self.task is None else f"{self.word()} on {self.task}"
        parts = [] if self.head.mlm is None else [MLM]
        parts += [] if self.head.vector is None else ["vector" if self.head.vector else "architecture"]
        top = self.searches["train"].told() if "train" in self.searches else self.train
        if self.lora is not None:
            parts.append(self.lora.told())
        else:
            parts += [] if top == "all" else ["head" if top == "head" else f"top {top}"]
        parts += [] if self.auxiliary is None else [self.auxiliary.told()]
        return f"{what} ({', '.join(parts)})" if parts else what

    def reads(self) -> tuple[str, ...]:
        labels = "labels" if self.task is None else f"{LABELS_OF}{self.task}"
        return (labels, *(() if self.auxiliary is None else reads_of(self.auxiliary.corpus)))

    def sliver(self) -> Self:
        less = super().sliver()
        return less if self.auxiliary is None else less.model_copy(update={"auxiliary": self.auxiliary.sliver()})

    def about(self) -> str | None:
        return self.task

    def teaches_words(self) -> bool:
        return self.auxiliary is not None

    def keyed(self) -> dict[str, Any]:
        # What a task is called decides nothing: what it holds is part of the key as data.
        left_out = {"task", "long"} if self.long == "cut" else {"task"}
        settings = {name: value for name, value in super().keyed().items() if name not in left_out}
        return settings | {
            "select_by": self.select_by or USUAL_SCORE,
            "lr": self.peak_lr(),
            "max_length": self.max_length or LONGEST_DEFAULT,
            **({} if self.head.mlm is None else {"head": {MLM: self.head.mlm.asked()}}),
            **({} if self.lora is None else {"train": {"lora": self.lora.keyed()}}),
            **({} if self.auxiliary is None else {"auxiliary": self.auxiliary.keyed()}),
        }

    def peak_lr(self) -> float:
        """The peak learning rate, with its default for what is trained."""
        return self.lr or (HEAD_LR if self.train == "head" else LR if self.lora is None else ADAPTER_LR)

    def check(self, given: Sizes, task: Task | None) -> Sizes:
        if task is not None and self._writes(task):
            return learning_answers.check_learning(self, given, task)
        check_nothing_written(self.max_new_tokens)
        if task is not None:
            self.check_learning(task)
            self._check_words(task)
            if self._on_vector(given.config, task):
                check_on_vector(self, task.kind)
            self._long(task, self._length(given, task)).check()
        given.check_training(self.max_length, self.gradient_checkpointing)
        if given.family.decoder:
            self._check_decoder(given, task)
        elif self.subwords == "last":
            raise SettingsError("subwords: last: an encoder answers for a word by its first piece; say `first`, or leave it out")
        if self.head.mlm is not None:
            check_asking(self.head.mlm, given, task, self.max_length, ASKED)
        if self.lora is not None:
            adapters_of(self.lora, given)
        if self.auxiliary is not None:
            given = self._check_auxiliary(self.auxiliary, given, task)
        if isinstance(self.train, int):
            assert given.source is not None
            if given.family.shares_layers:
                raise SettingsError(f"train: {given.source.name}'s layers share their weights, so it is `all` or `head`")
            if self.train > given.layers:
                raise SettingsError(f"train: {self.train} layers were asked for, and {given.source.name} has {given.layers}")
        if task is None:
            return given
        if self.head.mlm is not None:
            return replace(given, classifier=None)
        if self._on_vector(given.config, task):
            form = EmbeddingForm.of(given.config).model_dump(mode="json")
            return replace(given, classifier=None, config={**given.config, EMBEDDING: form})
        head, long = task.kind.head(task.names, self.form(task.kind)), self._long(task, self._length(given, task))
        learned = Classifier(head.names, task.kind.texts(), long.length, head.form, head.link, long.pooled)
        return replace(given, classifier=learned)

    def check_texts(self, given: Sizes, reads: Callable[[], Reads]) -> None:
        if self.long == "error":
            counted = reads()
            assert counted.task is not None
            if self._apart(given, counted.task):
                return  # lengths are those of both texts together, and each is cut by itself: the run refuses them
            self._long(counted.task, self._length(given, counted.task)).refuse(counted, self._special(given, counted))

    def _writes(self, task: Task) -> bool:
        """Whether the task's answers are written."""
        return self.form(task.kind) == "text"

    def notes(self, given: Sizes, reads: Callable[[], Reads]) -> tuple[str, ...]:
        read = reads()
        assert read.task is not None
        if self._writes(read.task):
            room = told_of_room(self.word(), read, given.length(self.max_length), self.max_new_tokens or MOST_NEW)
            return room if self.lora is None else (told_of_adapters(self.lora, given), *room)
        asked = () if self.head.mlm is None else told_of_asking(self.head.mlm, given, read.task, ASKED)
        asked += () if self.lora is None else (told_of_adapters(self.lora, given, ", with the head"),)
        if self._apart(given, read.task):
            return ()
        cut = self._long(read.task, self._length(given, read.task)).notes(read, self._special(given, read))
        return (*told_of_head(self, given.config, read.task.kind), *asked, *cut)

    def _apart(self, given: Sizes, task: Task) -> bool:
        """Whether items have several texts of which each is read by itself."""
        return task.kind.texts() > 1 and self._on_vector(given.config, task)

    def _length(self, given: Sizes, task: Task) -> int:
        """Tokens of a text, or of a window, that are read."""
        own = EmbeddingForm.of(given.config).max_length if self._on_vector(given.config, task) else None
        return given.length(self.max_length or own)

    def _special(self, given: Sizes, reads: Reads) -> int:
        """Tokens around an item's texts: special ones, or those of the template."""
        if self.head.mlm is None:
            return reads.special
        assert reads.task is not None
        return template_tokens(self.head.mlm, given, reads.task, ASKED)

    def _check_auxiliary(self, auxiliary: Auxiliary, given: Sizes, task: Task | None) -> Sizes:
        if self.train != "all":
            raise SettingsError("auxiliary: all layers learn its words; leave `train` out, or let a `pretrain` read the text before")
        if self.head.mlm is not None or (task is not None and self._on_vector(given.config, task)):
            raise SettingsError("auxiliary: this head is not one of its own beside that for words; leave `head` or `auxiliary` out")
        return auxiliary.check(given)

    def _check_decoder(self, given: Sizes, task: Task | None) -> None:
        assert given.source is not None
        what = f"{given.source.name} is a decoder ({given.family.model_type})"
        if self.head.mlm is not None:
            raise SettingsError(f"{ASKED}: {what}, which has no head for masked words; leave `head` out")
        if task is not None and self.form(task.kind) == "tokens" and not given.family.tagger_linear:
            raise SettingsError(f"finetune: {what}, for which transformers has no class that answers every word; take another base")
        if self.subwords == "first":
            raise SettingsError(f"subwords: {what}: the first piece of a word has not seen the rest of it; say `last`, or leave it out")

    def _check_words(self, task: Task) -> None:
        if self.subwords != "all" and self.form(task.kind) != "tokens":
            raise SettingsError(f"subwords: {task.kind.kind} has one answer a text, not one a word; leave `subwords` out")

    def _long(self, task: Task, length: int) -> LongTexts:
        return LongTexts(task.kind, self.form(task.kind), length, self.long, self.stride, self.pool, self.head.mlm is not None)

    def work(self, given: Sizes, reads: Reads) -> Work:
        assert reads.task is not None
        if self._writes(reads.task):
            return learning_answers.work_of_learning(self, given, reads)
        long = self._long(reads.task, self._length(given, reads.task))
        sequences = {name: long.sequences(texts, self._special(given, reads)) for name, texts in lengths(reads).items()}
        train, dev, test = (float(sequences[name].sum()) for name in ("train", "dev", "test"))
        texts = len(sequences["train"]) if long.form == "tokens" else len(reads.task.train)
        batches = -(-texts // self.batch_size)
        whole, rest = divmod(self.steps(batches), batches)
        epochs = whole + min(1.0, rest * self.batch_size / texts)
        # What is frozen runs forward once over every text where its outputs are kept, what is trained in every epoch.
        vector = self._on_vector(given.config, reads.task)
        divided = reads.fast.packed and given.family.divisible
        kept = reads.fast.frozen_cache and (divided or (vector and self.train == "head"))
        once = kept or (vector and self.train == "head")
        trained = self._trained_share(given.layers)
        passes = 1.0 if once else epochs
        frozen = (1 - trained) * 2 * given.body * (train * passes + dev * (passes if once else 1 + passes) + test)
        once_a_token = 6 if self.lora is None else 6 * FORWARD_AND_BACK
        training = trained * given.body * (once_a_token * train * epochs + 2 * (dev * (1 + epochs) + test))
        one_row = long.form == "sequence" and self.head.mlm is None and self.train == "head"
        one_row = one_row and (vector or not given.family.pools_mean(given.config))
        rows = sum(map(len, sequences.values())) * (reads.task.kind.texts() if vector else 1) if one_row else train + dev + test
        cache = round(rows * given.hidden * np.dtype(self.frozen_precision).itemsize) if once and kept and trained < 1 else 0
        beside = Work(0) if self.auxiliary is None else self.auxiliary.work(given, reads)
        return Work(
            given.bytes if self.lora is None else adapter_bytes(self.lora, given),
            tokens=round(train * epochs) + beside.tokens,
            operations=frozen + training + beside.operations,
            cache_bytes=cache or beside.cache_bytes,  # what is frozen, or the tokens of text: never both
            cache_key=(reads.parent, self.train, self.frozen_precision, reads.fingerprints) if cache else beside.cache_key,
        )

    def _trained_share(self, layers: int) -> float:
        return min(1.0, self.train / layers) if isinstance(self.train, int) else 0.0 if self.train == "head" else 1.0

    def run(self, parent: "ModelFolder | None", context: Context) -> Outcome:
        from acclimate.objectives.losses.chosen import chosen_loss
        from acclimate.objectives.supervised import Supervised
        from acclimate.objectives.whole_texts import WholeTexts
        from acclimate.stages.exam import Exam

        assert parent is not None
        task = context.task()
        if self._writes(task):
            return learning_answers.learn(self, parent, context)
        head = task.kind.head(task.names, self.form(task.kind))
        asked = None if self.head.mlm is None else Asked.of(cloze_of(self.head.mlm, task, ASKED), parent)
        with self._trainer(parent, context, head, asked) as trainer:
            long = self._long(task, trainer.length)
            texts = {name: trainer.read(split, long.overlap, asked) for name, split in task.splits.items()}
            trained = texts["train"] if self.subwords == "all" else texts["train"].answering()
            if self.long == "error":
                long.refuse_cut(texts)
            trainer.notes += [*told_of_head(self, parent.config, task.kind), *(() if asked is None else asked.notes), *long.told(texts)]
            unknown = {name: read.unknown_share for name, read in texts.items()}
            if told := unknown_words({f"the {name} texts": share for name, share in unknown.items()}):
                trainer.notes.append(told)
            order = order_of(self.sampler, task, trained, self.batch_size, context.seed, trainer.notes.append)
            items = Supervised(trained, task.train, order, chosen_loss(self.losses(), self.loss, self.class_weights, head, task.train))
            trainer.notes += () if self.loss is None else self.loss.notes()
            exam = Exam(task, head, texts, trainer, self.thresholds, self.select_by, self.pool)
            epoch = order.batches_per_epoch
            trainer.notes += self.told_of_least(epoch)
            course = Course(self.steps(epoch), epoch, self.patience, self.min_steps)
            labels: Objective = WholeTexts(items) if long.pooled else items
            text = self._beside(trainer, parent, context)
            learned, whole = (labels, course) if text is None else text.beside(labels, course)
            result = trainer.fit(learned, exam.judge, whole)
            scores = exam.taken()
            if text is not None:
                scores |= text.finish(result)
            written = None if asked is None else asked.written
            trainer.save(max_length=trainer.length, stride=long.overlap, pool=scores.get("pool"), asked=written)
        metrics = {
            **scores,
            **result.measured(),
            "epochs": round((result.steps if text is None else text.labelled(result.steps)) / epoch, 3),
            "micro_tokens": trainer.micro,
            **({"head": "vector"} if self._on_vector(parent.config, task) else {}),
            **{name: count for split, read in texts.items() for name, count in read.counted(split).items()},
            **{f"cut_tokens_{name}": read.cut_tokens for name, read in texts.items()},
            **{f"unknown_share_{name}": share for name, share in unknown.items()},
        }
        lengths = texts["train"].lengths
        once = None if texts["train"].hidden is None else int(lengths.sum())
        flops = trainer.flops(float(lengths.mean()), frozen_tokens=once)
        return trainer.outcome(metrics, flops + (0.0 if text is None else text.operations(scores["text_tokens"])))

    def _trainer(self, parent: "ModelFolder", context: Context, head: Head, asked: Asked | None) -> "EncoderTrainer | ClassifierTrainer":
        """The model with its head, what is not trained of it frozen, and what trains it."""
        from acclimate.modeling.adapters import add_adapters
        from acclimate.modeling.heads import (
            freeze,
            load_asked,
            load_classifier,
            load_tagger,
            load_trained_classifier,
            load_trained_tagger,
        )
        from acclimate.stages.trainer import EncoderTrainer
        from acclimate.stages.vector_trainer import ClassifierTrainer

        if self._on_vector(parent.config, context.task()):
            return ClassifierTrainer(context, parent, self, head, context.task().kind.texts())
        goes_on, frozen = False, self.lora is not None and self.lora.keeps_half(parent.config)
        if asked is not None:
            model = load_asked(parent, asked.tokens.words, self.dropout)
        elif goes_on := self._goes_on(parent, head):
            model = (load_trained_tagger if head.form == "tokens" else load_trained_classifier)(parent, self.dropout)
        elif head.form == "tokens":
            model = load_tagger(parent, head.names, self.head, context.seed, self.dropout, frozen)
        else:
            model = load_classifier(parent, head.names, self.head, context.seed, self.dropout, head.link, frozen)
        if isinstance(self.train, AdapterTraining):
            add_adapters(model, self.train.lora, context.seed, head=True)
        else:
            freeze(model, self.train)
        share = 0.0
        if self.auxiliary is not None:
            from acclimate.stages.auxiliary_text import whole_vocabulary_share

            share = whole_vocabulary_share(self.auxiliary, parent)
        kept, decay = self.frozen_precision, self.layer_decay
        trainer = EncoderTrainer.of(context, parent, model, self, masked_share=share, kept=kept, layer_decay=decay)
        trainer.notes += ["the head goes on from what the teacher made of it"] if goes_on else []
        return trainer

    def _beside(self, trainer: "EncoderTrainer | ClassifierTrainer", parent: "ModelFolder", context: Context) -> "AuxiliaryText | None":
        """Text that is read between the labelled ones, if any is."""
        if self.auxiliary is None:
            return None
        from acclimate.stages.auxiliary_text import AuxiliaryText
        from acclimate.stages.trainer import EncoderTrainer

        assert isinstance(trainer, EncoderTrainer)
        return AuxiliaryText.of(self.auxiliary, trainer, parent, context, self.dropout)

    def _goes_on(self, parent: "ModelFolder", head: Head) -> bool:
        """Whether it goes on from the classifier that a teacher trained for this task; all others begin with a fresh one."""
        same = parent.labels == head.names and (parent.learnt == "tagger") == (head.form == "tokens")
        return same and bool(parent.config.get(DISTILLED)) and self.task is None and self.head.layers == 1

    def _on_vector(self, config: Mapping[str, Any], task: Task) -> bool:
        """Whether the head stands on the vectors that the model of a config.json makes of texts."""
        return self.head.on_vector(config, self.form(task.kind), task.kind.texts(), self.train == "head")
