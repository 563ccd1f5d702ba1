"""Pretraining on text of the domain or the task: on masked words (Gururangan et al. 2020: DAPT, TAPT), next ones, or for vectors."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from acclimate.data.corpus import Corpus
from acclimate.data.deleted_words import marked_words
from acclimate.data.mixture import Mixture, in_words, reads_of, shares
from acclimate.data.tokens import word_starts
from acclimate.errors import SettingsError
from acclimate.files import digest_json
from acclimate.modeling.adapter_settings import ADAPTER_LR, AdapterTraining
from acclimate.modeling.base_files import NEW_FROM, TOKENIZER, read_tokenizer
from acclimate.modeling.families import MASK_RATES
from acclimate.modeling.longest import LONGEST_DEFAULT
from acclimate.settings import MOST_EPOCHS
from acclimate.stages.adapting import Adapting, adapters_of, told_of_adapters
from acclimate.stages.base import Context, Outcome, Role, Stage
from acclimate.stages.pace import EncoderPace
from acclimate.stages.planned import Reads, Sizes, Work
from acclimate.stages.pretraining_steps import RAMP_PARTS
from acclimate.stages.pretraining_work import notes_of, work_of
from acclimate.stages.without_labels import WithoutLabels, check_dropout
from acclimate.stages.word_teacher import WordTeacher
from acclimate.tasks.opened import Data
from acclimate.tasks.split import with_groups
from acclimate.tasks.task import Task

if TYPE_CHECKING:
    from acclimate.modeling.folder import ModelFolder


GENERAL = "general"  # the corpus that is replayed
EPOCHS, TASK_EPOCHS = 1.0, 10.0  # where nothing is said


class Pretrain(Adapting, WithoutLabels, EncoderPace, Stage):
    """Continue pretraining on unlabelled text: to predict masked words (of a decoder, next ones), or (`objective`) for vectors of texts."""

    version: ClassVar[int] = 7
    silent: ClassVar[Mapping[str, Any]] = {
        "new_rows_first": 0.0, "replay": 0.0, "order": "mixed", "masking": None, "mask_rate_end": None,
        "objective": "mlm", "windows": None, "texts": None, "pooling": None, "delete": None, "temperature": None, "teacher": None,
        "train": "all",
    }  # fmt: skip
    role: ClassVar[Role] = "pretrains"
    reads_decoders: ClassVar[bool] = True
    beside_models: ClassVar[Literal["none", "bare", "trained"]] = "bare"
    stage: Literal["pretrain"] = "pretrain"
    corpus: Mixture = "domain"
    """A corpus of `data`, or `task`: the texts of the whole training split and of the task's unlabelled files. Several at once with how
    often each is read in an epoch: `{wiki: 1, speeches: 0.25}` takes all of the one and a fixed quarter of the other."""
    order: Literal["mixed", "one after another"] = "mixed"
    """Several corpora: texts of all of them in every step, or all that the budget has of the first, then of the second, as they are
    written; one schedule of the learning rate goes over them all, and it does not stop early before the last."""
    replay: float = Field(default=0.0, ge=0, lt=1)
    """Share of the tokens read that are text of `general`, against forgetting; each epoch takes other text of it, until all was read.
    Without a `general` in `data` it is the text that comes with acclimate."""
    include: tuple[Literal["dev", "test"], ...] = ()
    """With `corpus: task`, also read the texts (never the labels) of these splits; the results say so."""
    tokens: int | None = Field(default=None, gt=0)
    """Budget in tokens (not with `epochs`)."""
    epochs: float | None = Field(default=None, gt=0, le=MOST_EPOCHS)
    """Budget in passes over the corpus; default 1, or at most 10 for `task`, stopped early on held-out loss."""
    seeds: Literal["first", "all"] | None = None
    """Train once with the study's first seed, or once per seed; default `all` for `task`, else `first`."""
    train: Literal["all"] | AdapterTraining = "all"
    """`all` weights, or `lora`: adapters beside frozen ones, with their settings as in `{lora: {rank: 8}}`, and a fresh head where the base
    has none; where words are learned (docs/adapters.md)."""
    lr: float = Field(default=1e-4, gt=0)
    """Peak learning rate: re-warmed, then decayed (Ibrahim et al. 2024); default 5e-4 with adapters."""
    warmup: float = Field(default=0.06, ge=0, le=1)
    """Share of the steps in which the rate rises (RoBERTa)."""
    schedule: Literal["linear", "cosine", "constant"] = "cosine"
    """How the rate falls after warm-up."""
    batch_tokens: int = Field(default=8192, gt=0)
    """Tokens per optimiser step, over all devices."""
    batch_ramp: float = Field(default=0.0, ge=0, lt=1)
    """Share of the steps over which batches grow from an eighth of `batch_tokens` (or one window) to all of it; 0: none."""
    max_length: int | None = Field(default=None, ge=8)
    """Tokens per window, special ones included; default the model's limit, at most 512. Longer documents are cut into windows."""
    mask_rate: float | None = Field(default=None, gt=0, lt=1)
    """Share of tokens masked in training; default .15 (BERT, RoBERTa), .30 for ModernBERT. Evaluation is always at .15."""
    mask_rate_end: float | None = Field(default=None, gt=0, lt=1)
    """What the share of masked tokens comes to at the last step, in equal steps from `mask_rate` (Yang et al. 2023); null: it stays."""
    masking: Literal["tokens", "words", "spans"] | None = None
    """What is masked: single pieces, whole words, or spans of one to ten whole words (SpanBERT: Joshi et al. 2020); default `tokens`."""
    whole_word: bool = False
    """The same as `masking: words`."""
    dropout: float | None = Field(default=0.0, ge=0, lt=1)
    """Dropout while pretraining (none: Geiping & Goldstein 2022); null keeps the model's own."""
    heldout_share: float = Field(default=0.02, gt=0, lt=1)
    """Share of each corpus's tokens held out, in whole documents where they are short enough, to measure the loss with fixed masks."""
    heldout_tokens: int = Field(default=50_000, gt=0)
    """At most so many tokens of each corpus are held out."""
    evaluations: int = Field(default=10, gt=0)
    """How often the held-out loss is measured at most (less often where that would take a tenth of the time); the best weights are kept."""
    patience: int | None = Field(default=3, gt=0)
    """Evaluations without improvement before it stops; null: never."""
    new_rows_first: float = Field(default=0.0, ge=0, le=1)
    """Share of the steps in which the rows of new entries learn alone (after `extend`), before all weights do; 1: they alone learn."""
    head_warmup: float = Field(default=0.1, ge=0, lt=1)
    """A fresh MLM head is first trained alone for this share of the budget, on top of it (only for a base that comes without one)."""
    head_lr: float = Field(default=1e-3, gt=0)
    """Peak learning rate of that warm-up."""

    teacher: WordTeacher | None = None
    """A model whose answers for masked words are learned beside the words (Sanh et al. 2019), such as a large one of the domain: a
    recipe, a model by name, or `{model: NAME, weight: 0.5}`. It reads every batch, for masks are others in each."""

    @model_validator(mode="before")
    @classmethod
    def _rate_of_adapters(cls, value: Any) -> Any:
        adapted = isinstance(value, Mapping) and value.get("train", "all") != "all" and "lr" not in value
        return {**value, "lr": ADAPTER_LR} if adapted else value

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.lora is not None and self.new_rows_first:
            raise ValueError("`new_rows_first` trains rows of embeddings, which `train: lora` freezes; leave one of them out")
        if self.lora is not None and not self.learns_words:
            raise ValueError(f"`train: lora` goes with objectives of words (mlm, clm), and this is {self.objective}; leave one of them out")
        if self.tokens is not None and self.epochs is not None:
            raise ValueError("give `tokens` or `epochs`, not both")
        if self.include and self.corpus != "task":
            raise ValueError("`include` goes with `corpus: task`")
        if self.whole_word and self.masking not in (None, "words"):
            raise ValueError(f"`whole_word` masks words, and `masking: {self.masking}` something else; leave one of them out")
        if self.in_turn and len(shares(self.corpus)) == 1:
            raise ValueError("`order: one after another` goes with several corpora, such as `corpus: {wiki: 1, speeches: 0.25}`")
        if self.replay and GENERAL in shares(self.corpus):
            raise ValueError(f"`replay` mixes `{GENERAL}` in, which `corpus` reads already; leave one of them out")
        return self

    @property
    def in_turn(self) -> bool:
        """Whether corpora are read one after another."""
        return self.order != "mixed"

    def title(self) -> str:
        by = "" if self.masks else f" by {self.objective}"
        taught = "" if self.teacher is None else f", taught by {self.teacher.model}"
        adapted = "" if self.lora is None else f" ({self.lora.told()})"
        return f"{self.word()}{by} on {in_words(self.corpus)}{taught}" + (f", replay {self.replay:g}" if self.replay else "") + adapted

    def teaches_words(self) -> bool:
        return self.learns_words

    def settled(self, given: Sizes) -> Self:
        return self.for_model(given.family)

    def reads(self) -> tuple[str, ...]:
        return (*reads_of(self.corpus), *(f"{split} text" for split in self.include), *self.replays())

    def beside(self) -> tuple[str, ...]:
        return () if self.teacher is None else (self.teacher.model,)

    def replays(self) -> tuple[str, ...]:
        return (GENERAL,) if self.replay else ()

    def shares(self) -> dict[str, float]:
        """How often each corpus is read in an epoch; what is replayed comes last, and once."""
        return {**shares(self.corpus), **dict.fromkeys(self.replays(), 1.0)}

    def seeds_apart(self) -> bool:
        return (self.seeds or ("all" if self.corpus == "task" else "first")) == "all"

    def keyed(self) -> dict[str, Any]:
        if self.objective is None:
            return self.model_copy(update={"objective": "mlm"}).keyed()
        # `seeds` only chooses seeds, which stand in the key themselves; words are masked however that is said.
        apart = {"seeds", *self.others_own(), *(() if self.masking == "spans" else ("masking",))}
        settings = {name: value for name, value in super().keyed().items() if name not in apart}
        masks = {"mask_rate": self.mask_rate or MASK_RATES, "whole_word": self.whole_word or self.masking == "words"}
        return settings | {
            "epochs": None if self.tokens is not None else self.passes(),
            "max_length": self.max_length or LONGEST_DEFAULT,
            "ramp_parts": RAMP_PARTS if self.batch_ramp else None,
            **(masks if self.masks else self.keyed_objective()),
            **({} if self.teacher is None else {"teacher": self.teacher.keyed()}),
            **({} if self.lora is None else {"train": {"lora": self.lora.keyed()}}),
            # The order of a mapping is no part of a key.
            **({"in_turn": list(shares(self.corpus))} if self.in_turn else {}),
        }

    def sliver(self) -> Self:
        budget = {"tokens": 2 * min(self.batch_tokens, 1024), "epochs": None, "batch_tokens": min(self.batch_tokens, 1024)}
        return self.model_copy(update={**budget, "evaluations": 1, "heldout_tokens": 1000})

    def steps(self, tokens_per_epoch: int, batches_per_epoch: int) -> int:
        """Batches of the order that the budget buys, at least one."""
        if self.tokens is not None:
            return max(1, round(self.tokens * batches_per_epoch / tokens_per_epoch))
        return max(1, math.ceil(self.passes() * batches_per_epoch))

    def passes(self) -> float:
        """Passes over the corpus where no budget in tokens is given, with their default."""
        return self.epochs or (TASK_EPOCHS if self.corpus == "task" else EPOCHS)

    def evaluate_every(self, steps: int, tokens: int, heldout_tokens: int) -> int:
        """Steps between two measurements of the held-out loss in a training of `steps` steps and `tokens` tokens."""
        # Measuring a token costs a third of training on it; 0.3 times as many tokens are a tenth of the time.
        affordable = int(0.3 * tokens / heldout_tokens) if heldout_tokens else self.evaluations
        return math.ceil(steps / min(self.evaluations, max(1, affordable)))

    def check(self, given: Sizes, task: Task | None) -> Sizes:
        if given.source is not None and self.objective is not None:
            self.check_objective(given.family, given.source.name)
        given.check_training(self.max_length, self.gradient_checkpointing)
        if self.new_rows_first and NEW_FROM not in given.config:
            raise SettingsError("new_rows_first: no `extend` stands before it, so no row is new; leave it out")
        held = dict.fromkeys(self.shares(), (self.heldout_share, self.heldout_tokens))
        if any(given.heldout[name] != held[name] for name in held.keys() & given.heldout.keys()):
            raise SettingsError(
                "two pretrainings read the same corpus and hold out different parts of it: the second would be "
                "judged on what the first has learned; give both the same heldout_share and heldout_tokens"
            )
        if self.objective == "simcse":
            check_dropout(given, self.dropout)
        if self.teacher is not None:
            self.teacher.check(given, self.max_length)
        if self.lora is not None:
            adapters_of(self.lora, given)
        return replace(given, pretrained=given.pretrained or self.learns_words, heldout={**given.heldout, **held})

    def check_texts(self, given: Sizes, reads: Callable[[], Reads]) -> None:
        if self.whole_word or self.masking in ("words", "spans"):
            assert given.source is not None
            word_starts(read_tokenizer(given.source.folder / TOKENIZER))  # which refuses vocabularies that do not mark them
        if self.objective == "tsdae":
            assert given.source is not None
            marked_words(read_tokenizer(given.source.folder / TOKENIZER))

    def work(self, given: Sizes, reads: Reads) -> Work:
        return work_of(self, given, reads)

    def notes(self, given: Sizes, reads: Callable[[], Reads]) -> tuple[str, ...]:
        adapted = () if self.lora is None else (told_of_adapters(self.lora, given, ", with a fresh head" if given.fresh_head else ""),)
        return (*adapted, *(notes_of(self, given, reads()) if self.replay else ()))

    def run(self, parent: "ModelFolder | None", context: Context) -> Outcome:
        assert parent is not None
        stage = self.for_model(parent.family)
        if stage.masks:
            from acclimate.stages.pretraining_masks import pretrain_masks as pretrain
        elif stage.learns_words:
            from acclimate.stages.pretraining_next import pretrain_next as pretrain
        else:
            from acclimate.stages.pretraining_vectors import pretrain_vectors as pretrain
        return pretrain(stage, parent, context)

    def documents(self, data: Data) -> dict[str, Corpus]:
        """The corpora this stage reads, by name, with the texts of dev or test only where the settings ask for them."""
        corpora = {name: data.documents(name) for name in self.shares()}
        if self.include:
            assert data.task is not None
            splits = [data.task.splits[split] for split in self.include]
            extra = [text for split in splits for text in split.documents()]
            groups = [group for split in splits for group in split.document_groups or ()] or None
            task = corpora["task"]
            corpora["task"] = Corpus.of_texts("task", extra, with_groups(digest_json([task.fingerprint, extra]), groups), task, groups)
        return corpora
