"""The peers: transformers' Trainer with its own collators, set up as the examples run_mlm.py and run_classification.py do.

It has its best settings: sdpa attention, fused AdamW (its default), bf16 autocast and worker processes that prepare batches on a GPU.
"""

import math
import time
from collections.abc import Callable
from itertools import chain
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import torch
import transformers
from datasets import Dataset, concatenate_datasets
from torch import Tensor
from torch.nn.functional import kl_div, log_softmax

from acclimate.data.ragged import Ragged
from acclimate.modeling.heads import freeze
from acclimate.tasks.metrics.spans import ENTITY_F1
from acclimate.tasks.split import Split
from bench.measure import Bench, synchronise, usual_allocator
from bench.models import Base
from bench.ours import LR, RATE, WARMUP, WEIGHT_DECAY, Text, Trained
from bench.texts import Record

TRAINER = "Trainer"
NO_TAG = -100  # what transformers' losses pass over


def model(auto: Any, base: Base, dropout: float | None, **named: Any) -> Any:
    """A model as `from_pretrained` loads it; `dropout` replaces all of the architecture's."""
    config = transformers.AutoConfig.from_pretrained(base.path, **named)
    if dropout is not None:
        for name, value in config.to_dict().items():
            if "dropout" in name and isinstance(value, int | float):
                setattr(config, name, dropout)
    return auto.from_pretrained(base.path, config=config, attn_implementation="sdpa", dtype=torch.float32)


def arguments(bench: Bench, work: str, **named: Any) -> transformers.TrainingArguments:
    """What all of the Trainer's runs share."""
    gpu = bench.kind == "gpu"
    shared: dict[str, Any] = {
        "output_dir": work, "save_strategy": "no", "logging_strategy": "no", "report_to": [], "disable_tqdm": True,
        "weight_decay": WEIGHT_DECAY, "max_grad_norm": 1.0, "bf16": bench.precision == "bf16",
        "dataloader_pin_memory": gpu, "dataloader_num_workers": 4 if gpu else 0,
    }  # fmt: skip
    return transformers.TrainingArguments(**{**shared, **named})


class Marks(transformers.TrainerCallback):
    """The time at the end of two steps: what lies between is measured."""

    def __init__(self, begin: int, end: int) -> None:
        self._begin, self._end = begin, end
        self.times: dict[int, float] = {}

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step in (self._begin, self._end):
            synchronise()
            self.times[state.global_step] = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Between the two."""
        return self.times[self._end] - self.times[self._begin]


class Counting(transformers.Trainer):
    """Notes how many real tokens each step had, without waiting for the device."""

    real: list[Tensor]

    def training_step(self, model: Any, inputs: Any, *rest: Any, **named: Any) -> Tensor:
        self.real.append(inputs["attention_mask"].sum())
        return super().training_step(model, inputs, *rest, **named)


class Taught(transformers.Trainer):
    """The Trainer, which with a teacher learns from that, asked in each step (Hinton et al. 2015)."""

    teacher: Any = None
    temperature: float = 1.0

    def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, *rest: Any, **named: Any) -> Any:
        if self.teacher is None or not model.training:
            return super().compute_loss(model, inputs, return_outputs, *rest, **named)
        inputs.pop("labels")
        with torch.no_grad():
            said = log_softmax(self.teacher(**inputs).logits / self.temperature, dim=-1)
        outputs = model(**inputs)
        student = log_softmax(outputs.logits / self.temperature, dim=-1)
        loss = self.temperature**2 * kl_div(student, said, reduction="batchmean", log_target=True)
        return (loss, outputs) if return_outputs else loss


def tokenizer(base: Base) -> Any:
    """The model's own, as transformers loads it."""
    return transformers.AutoTokenizer.from_pretrained(base.path)


def line_by_line(base: Base, text: Text) -> Dataset:
    """What run_mlm.py --line_by_line tokenises: a document a row, cut, padded only when a batch is made."""
    return _dataset(base, text.sequences())


def grouped(base: Base, text: Text, length: int) -> Dataset:
    """What run_mlm.py's group_texts makes: all documents one after the other, cut into blocks of one length, the rest dropped."""
    stream = list(chain.from_iterable(text.sequences()))
    return _dataset(base, [stream[begin : begin + length] for begin in range(0, len(stream) // length * length, length)])


def _dataset(base: Base, rows: list[list[int]]) -> Dataset:
    # With the mask of special tokens, as run_mlm.py asks for it, so that the collator need not find them again in each batch.
    special = set(tokenizer(base).all_special_ids)
    masks = [[int(token in special) for token in row] for row in rows]
    attention = [[1] * len(row) for row in rows]
    return Dataset.from_dict({"input_ids": rows, "attention_mask": attention, "special_tokens_mask": masks})


def texts_per_step(rows: Dataset, batch_tokens: int) -> int:
    """Rows of a batch so that it holds about so many real tokens."""
    mean = sum(len(ids) for ids in rows["input_ids"]) / len(rows)
    return max(1, round(batch_tokens / mean))


def collator(bench: Bench, base: Base) -> Callable[[list[Any]], Any]:
    """Masking and padding of run_mlm.py; to multiples of 8 where mixed precision gains from it."""
    multiple = 8 if bench.kind == "gpu" else None
    return transformers.DataCollatorForLanguageModeling(tokenizer(base), mlm_probability=RATE, pad_to_multiple_of=multiple)


def mlm(
    bench: Bench,
    base: Base,
    rows: Dataset,
    *,
    steps: int,
    skipped: int,
    dropout: float,
    seed: int,
    warmup: float = WARMUP,
    processes: int = 1,
) -> Trained:
    """Masked language modelling, measured over the steps after the first `skipped`; several processes share the texts of a step."""
    usual_allocator()
    transformers.set_seed(seed)
    trained = model(transformers.AutoModelForMaskedLM, base, dropout)
    marks = Marks(skipped, steps)
    with TemporaryDirectory() as work:
        chosen = arguments(
            bench, work, max_steps=steps, per_device_train_batch_size=texts_per_step(rows, bench.batch_tokens // processes),
            learning_rate=LR, warmup_steps=math.ceil(warmup * steps), seed=seed,
        )  # fmt: skip
        trainer = Counting(trained, chosen, data_collator=collator(bench, base), train_dataset=rows, callbacks=[marks])
        trainer.real = []
        trainer.remove_callback(transformers.PrinterCallback)
        trainer.train()
    return Trained(trained, marks.seconds, processes * int(sum(int(count) for count in trainer.real[skipped:])))


def labelled_rows(base: Base, rows: list[Record], labels: list[str], length: int) -> Dataset:
    """Tokenised texts, or pairs of texts, with labels, as run_classification.py makes them without padding."""
    second = [row["text_b"] for row in rows] if "text_b" in rows[0] else None
    encoded = tokenizer(base)([row["text"] for row in rows], second, truncation=True, max_length=length)
    return _rows(encoded, [labels.index(row["label"]) for row in rows])


def tagged_rows(base: Base, rows: list[Record], labels: list[str], length: int) -> Dataset:
    """Tokenised sentences as run_ner.py makes them without padding: the first piece of each word has its tag, the others have none."""
    encoded = tokenizer(base)([row["tokens"] for row in rows], truncation=True, max_length=length, is_split_into_words=True)
    tags = []
    for number, row in enumerate(rows):
        words = encoded.word_ids(number)
        first = [word is not None and word != before for before, word in zip([None, *words], words, strict=False)]
        tags.append([labels.index(row["tags"][word]) if begins else NO_TAG for begins, word in zip(first, words, strict=True)])
    return _rows(encoded, tags)


def _rows(encoded: Any, labels: list[Any]) -> Dataset:
    # `length` spares the Trainer counting.
    columns = {name: encoded[name] for name in ("input_ids", "attention_mask", "token_type_ids") if name in encoded}
    return Dataset.from_dict({**columns, "labels": labels, "length": [len(ids) for ids in encoded["input_ids"]]})


class Learns(NamedTuple):
    """What is learned from labelled rows, as the examples of transformers do it."""

    auto: Any
    rows: Callable[[Base, list[Record], list[str], int], Dataset]
    collator: Any
    scores: Callable[[list[str]], Callable[[Any], dict[str, float]]]
    """From the labels what judges a prediction."""
    score: str
    """The one that chooses the epoch."""


class Tuned(NamedTuple):
    """A fine-tuning that was measured."""

    seconds: float
    dev: float
    test: float


def finetune(
    bench: Bench, base: Base, splits: dict[str, Dataset], labels: list[str], *, train: Any, epochs: float, batch_size: int, lr: float,
    dropout: float | None, by_length: bool, seed: int, learns: Learns, teacher: Base | None = None, temperature: float = 1.0,
) -> Tuned:  # fmt: skip
    """Seconds from the loaded model and tokenised texts to the trained, evaluated model, its best dev score, and that of test.

    With a `teacher` what that says is learned, and no label.

    Dev is evaluated after each epoch, the best epoch's weights are kept and loaded at the end, test is predicted once: what the stage
    `finetune` does too.
    """
    usual_allocator()
    transformers.set_seed(seed)
    named = {"num_labels": len(labels)}
    trained = model(learns.auto, base, dropout, **named)
    freeze(trained, train)
    asked = None if teacher is None else model(learns.auto, teacher, None, **named).eval()
    words = tokenizer(base)
    synchronise()
    began = time.perf_counter()
    with TemporaryDirectory() as work:
        steps = math.ceil(len(splits["train"]) / batch_size) * epochs
        chosen = arguments(
            bench, work, num_train_epochs=epochs, per_device_train_batch_size=batch_size, per_device_eval_batch_size=64, learning_rate=lr,
            warmup_steps=math.ceil(0.1 * steps), seed=seed, eval_strategy="epoch", save_strategy="epoch", save_total_limit=1,
            save_only_model=True, load_best_model_at_end=True, metric_for_best_model=learns.score,
            train_sampling_strategy="group_by_length" if by_length else "random",
        )  # fmt: skip
        trainer = Taught(
            trained, chosen, data_collator=learns.collator(words), processing_class=words,
            train_dataset=splits["train"], eval_dataset=splits["dev"], compute_metrics=learns.scores(labels),
        )  # fmt: skip
        trainer.teacher, trainer.temperature = asked, temperature
        trainer.remove_callback(transformers.PrinterCallback)
        trainer.train()
        test = trainer.predict(splits["test"])
        synchronise()
        seconds = time.perf_counter() - began
        best = trainer.state.best_metric
    return Tuned(seconds, float(best or 0.0), float((test.metrics or {})[f"test_{learns.score}"]))


def _accuracy(labels: list[str]) -> Callable[[Any], dict[str, float]]:
    def scores(prediction: Any) -> dict[str, float]:
        return {"accuracy": float(np.mean(np.argmax(prediction.predictions, axis=-1) == prediction.label_ids))}

    return scores


def _entity_f1(labels: list[str]) -> Callable[[Any], dict[str, float]]:
    """As run_ner.py judges: the entities of the words that have a tag; counted by our own function, which nervaluate's tests hold."""

    def scores(prediction: Any) -> dict[str, float]:
        asked = prediction.label_ids != NO_TAG
        said, right = np.argmax(prediction.predictions, axis=-1), prediction.label_ids
        rows = [(gold[here], tags[here]) for gold, tags, here in zip(right, said, asked, strict=True)]
        gold, predicted = (Ragged.of([row[side].tolist() for row in rows]) for side in (0, 1))
        count = len(gold)
        split = Split(((" ",) * count,), gold, np.arange(count), (), None, tuple(labels))
        return {"entity_f1": ENTITY_F1.score(split, {"predicted": predicted})}

    return scores


CLASSIFICATION = Learns(
    transformers.AutoModelForSequenceClassification, labelled_rows, transformers.DataCollatorWithPadding, _accuracy, "accuracy"
)
TAGGING = Learns(
    transformers.AutoModelForTokenClassification, tagged_rows, transformers.DataCollatorForTokenClassification, _entity_f1, "entity_f1"
)


def joined(*rows: Dataset) -> Dataset:
    """One set of rows after the other."""
    return concatenate_datasets(list(rows))
