"""The peers: transformers' Trainer with its own collators, set up as the examples run_mlm.py and run_classification.py do.

It has its best settings: sdpa attention, fused AdamW (its default), bf16 autocast and worker processes that prepare batches on a GPU.
"""

import math
import time
from collections.abc import Callable
from itertools import chain
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
import transformers
from datasets import Dataset, concatenate_datasets
from torch import Tensor

from acclimate.modeling.heads import freeze
from bench.measure import Bench, synchronise, usual_allocator
from bench.models import Base
from bench.ours import LR, RATE, WARMUP, WEIGHT_DECAY, Text, Trained

TRAINER = "Trainer"


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


def labelled_rows(base: Base, rows: list[tuple[str, str]], labels: list[str], length: int) -> Dataset:
    """Tokenised texts with labels, as run_classification.py makes them without padding; `length` spares the Trainer counting."""
    encoded = tokenizer(base)([text for text, _ in rows], truncation=True, max_length=length)
    columns = {"input_ids": encoded["input_ids"], "attention_mask": encoded["attention_mask"]}
    numbers = [labels.index(label) for _, label in rows]
    return Dataset.from_dict({**columns, "labels": numbers, "length": [len(ids) for ids in encoded["input_ids"]]})


def finetune(
    bench: Bench, base: Base, splits: dict[str, Dataset], labels: list[str], *, train: Any, epochs: float, batch_size: int, lr: float,
    dropout: float | None, by_length: bool, seed: int,
) -> tuple[float, float]:  # fmt: skip
    """Seconds from the loaded model and tokenised texts to the trained, evaluated model, and its best dev accuracy.

    Dev is evaluated after each epoch, the best epoch's weights are kept and loaded at the end, test is predicted once: what the stage
    `finetune` does too.
    """
    usual_allocator()
    transformers.set_seed(seed)
    named = {"num_labels": len(labels)}
    trained = model(transformers.AutoModelForSequenceClassification, base, dropout, **named)
    freeze(trained, train)
    words = tokenizer(base)
    synchronise()
    began = time.perf_counter()
    with TemporaryDirectory() as work:
        steps = math.ceil(len(splits["train"]) / batch_size) * epochs
        chosen = arguments(
            bench, work, num_train_epochs=epochs, per_device_train_batch_size=batch_size, per_device_eval_batch_size=64, learning_rate=lr,
            warmup_steps=math.ceil(0.1 * steps), seed=seed, eval_strategy="epoch", save_strategy="epoch", save_total_limit=1,
            save_only_model=True, load_best_model_at_end=True, metric_for_best_model="accuracy",
            train_sampling_strategy="group_by_length" if by_length else "random",
        )  # fmt: skip
        trainer = transformers.Trainer(
            trained, chosen, data_collator=transformers.DataCollatorWithPadding(words), processing_class=words,
            train_dataset=splits["train"], eval_dataset=splits["dev"], compute_metrics=_accuracy,
        )  # fmt: skip
        trainer.remove_callback(transformers.PrinterCallback)
        trainer.train()
        trainer.predict(splits["test"])
        synchronise()
        seconds = time.perf_counter() - began
        best = trainer.state.best_metric
    return seconds, float(best or 0.0)


def _accuracy(prediction: Any) -> dict[str, float]:
    return {"accuracy": float(np.mean(np.argmax(prediction.predictions, axis=-1) == prediction.label_ids))}


def joined(*rows: Dataset) -> Dataset:
    """One set of rows after the other."""
    return concatenate_datasets(list(rows))
