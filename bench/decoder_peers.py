"""The peers of the rows about decoders: transformers' Trainer as its example run_clm.py sets it up, and TRL's SFTTrainer.

Both have sdpa attention and the fused AdamW that are their defaults, and stay in float32 (TRL's default is bf16). TRL checkpoints
activations unless it is told not to, which takes time and saves memory: it is measured both ways.
"""

from itertools import chain
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import transformers
from datasets import Dataset
from torch import Tensor
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from acclimate.data.batches import TARGET_INDEX, Batch
from acclimate.data.ragged import offsets_of
from bench.decoder_ours import Course, Documents, Learned
from bench.measure import Bench, usual_allocator
from bench.models import Base
from bench.ours import LENGTH, LR, WEIGHT_DECAY, Trained
from bench.peers import NO_TAG, Marks, arguments, model, texts_per_step, tokenizer
from bench.rows.decoders import BEGUN, BLOCKS, PADDED, TRL_CHECKPOINTS, TRL_PACKED


class _Noting:
    """Keeps the batch of every step, without what only attention kernels ask for."""

    seen: list[dict[str, Tensor]]

    def training_step(self, model: Any, inputs: Any, *rest: Any, **named: Any) -> Tensor:
        kept = ("input_ids", "labels", "attention_mask", "position_ids")
        self.seen.append({name: inputs[name].clone() for name in kept if name in inputs})
        step: Tensor = super().training_step(model, inputs, *rest, **named)  # type: ignore[misc]
        return step


class _Trainer(_Noting, transformers.Trainer):
    pass


class _SFTTrainer(_Noting, SFTTrainer):  # type: ignore[misc, unused-ignore]
    pass


class Taught(NamedTuple):
    """A training by a peer, and the batches that it saw."""

    trained: Trained
    batches: list[Batch]


def learn(bench: Bench, base: Base, read: Learned, course: Course, side: str) -> Taught:
    """Train on next words, or answers, by one of the peers; measured over the steps after the first `skipped`."""
    usual_allocator()
    transformers.set_seed(course.seed)
    learned = model(transformers.AutoModelForCausalLM, base, 0.0)
    if side == BEGUN:
        assert isinstance(read, Documents)
        read = read.across()
    marks, batch = Marks(course.skipped, course.steps), read.batch(np.arange(len(read.lengths)))
    with TemporaryDirectory() as work:
        if side in (PADDED, BLOCKS, BEGUN):
            trainer = _plain(bench, base, learned, batch, course, side, work)
        else:
            trainer = _trl(base, learned, batch, course, side, work)
        trainer.seen = []
        trainer.add_callback(marks)
        trainer.remove_callback(transformers.PrinterCallback)
        trainer.train()
    batches = [flat(given) for given in trainer.seen]
    return Taught(Trained(learned, marks.seconds, sum(each.tokens for each in batches[course.skipped :])), batches)


def flat(given: dict[str, Tensor]) -> Batch:
    """A batch without its padding; one that is packed says by its positions where texts begin."""
    ids, labels = given["input_ids"].numpy(), given["labels"].numpy()
    if "attention_mask" in given:
        real = given["attention_mask"].bool().numpy()
        lengths = real.sum(axis=1)
    else:
        begins = np.flatnonzero(given["position_ids"].numpy().ravel() == 0)
        real, lengths = np.ones(ids.shape, dtype=np.bool_), np.diff(np.append(begins, ids.size))
    offsets, after = offsets_of(lengths), np.append(labels[real][1:], NO_TAG)
    after[offsets[1:] - 1] = NO_TAG
    index = np.flatnonzero(after != NO_TAG)
    positions = np.concatenate([np.arange(length) for length in lengths])
    return Batch(ids[real], positions, offsets, targets={TARGET_INDEX: index, "target_ids": after[index]})


def _plain(bench: Bench, base: Base, learned: Any, batch: Batch, course: Course, side: str, work: str) -> Any:
    sequences = [ids.tolist() for ids in np.split(batch.input_ids, batch.offsets[1:-1])]
    collate: Any
    if side == PADDED:
        rows = Dataset.from_dict({"input_ids": sequences, "attention_mask": [[1] * len(ids) for ids in sequences]})
        collate = transformers.DataCollatorForLanguageModeling(tokenizer(base), mlm=False)
    else:
        # As its group_texts: all documents one after the other, blocks of one length, what is left over dropped. Behind begins they are
        # blocks already.
        stream = list(chain.from_iterable(sequences))
        blocks = [stream[at : at + LENGTH] for at in range(0, len(stream) // LENGTH * LENGTH, LENGTH)]
        rows = Dataset.from_dict({"input_ids": blocks, "attention_mask": [[1] * LENGTH] * len(blocks), "labels": blocks})
        collate = transformers.default_data_collator
    chosen = arguments(
        bench, work, max_steps=course.steps, per_device_train_batch_size=texts_per_step(rows, course.tokens), learning_rate=LR,
        warmup_steps=0, seed=course.seed,
    )  # fmt: skip
    return _Trainer(learned, chosen, data_collator=collate, train_dataset=rows)


def _trl(base: Base, learned: Any, batch: Batch, course: Course, side: str, work: str) -> Any:
    asked = np.zeros(batch.tokens, dtype=np.int64)
    asked[batch.targets[TARGET_INDEX] + 1] = 1
    ids, masks = ([each.tolist() for each in np.split(values, batch.offsets[1:-1])] for values in (batch.input_ids, asked))
    rows = Dataset.from_dict({"input_ids": ids, "completion_mask": masks})
    packing = side == TRL_PACKED
    # Packed, a row is a block that is nearly full.
    size = max(1, round(course.tokens / LENGTH)) if packing else texts_per_step(rows, course.tokens)
    words = tokenizer(base)
    words.eos_token = words.sep_token  # which ends documents here
    chosen = SFTConfig(
        output_dir=work, max_steps=course.steps, per_device_train_batch_size=size, learning_rate=LR, warmup_steps=0,
        lr_scheduler_type="linear", weight_decay=WEIGHT_DECAY, max_grad_norm=1.0, seed=course.seed, packing=packing, max_length=LENGTH,
        completion_only_loss=True, gradient_checkpointing=side == TRL_CHECKPOINTS, bf16=False, save_strategy="no", logging_strategy="no",
        report_to=[], disable_tqdm=True, dataloader_pin_memory=False,
    )  # fmt: skip
    return _SFTTrainer(learned, chosen, train_dataset=rows, processing_class=words)
