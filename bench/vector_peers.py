"""The peer of the rows about vectors of texts: sentence-transformers' own trainer, as the examples in its documentation set it up.

It has sdpa attention and the fused AdamW that are its defaults; texts are tokenised when a batch is made, as it always does.
"""

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import transformers
from datasets import Dataset
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.base.sampler import DefaultBatchSampler
from sentence_transformers.sentence_transformer import losses
from torch.utils.data import SequentialSampler

from bench.measure import usual_allocator
from bench.models import Base
from bench.ours import WEIGHT_DECAY
from bench.peers import Marks
from bench.vector_ours import DELETED, LR, Course, Learned, order

Loss = Callable[[SentenceTransformer], torch.nn.Module]


def model(path: Path, dropout: float | None = None) -> SentenceTransformer:
    """A model as sentence-transformers loads it; `dropout` replaces all of the architecture's."""
    config = {} if dropout is None else {"hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout}
    return SentenceTransformer(str(path), config_kwargs=config)


class Noting(SentenceTransformerTrainer):
    """Notes the loss of every step, and how many real tokens each of its columns had."""

    losses: list[float]
    real: list[dict[str, int]]

    def compute_loss(self, model: Any, inputs: Any, *rest: Any, **named: Any) -> Any:
        self.real.append({name: int(values.sum()) for name, values in inputs.items() if name.endswith("attention_mask")})
        loss: Any = super().compute_loss(model, inputs, *rest, **named)
        self.losses.append(float(loss.detach()))
        return loss


def ranked(base: Base, pairs: Sequence[tuple[str, str]], course: Course, cached: int | None) -> Learned:
    """MultipleNegativesRankingLoss, or the cached one in passes of so many texts."""
    made = _columns(pairs, course, ("anchor", "positive"))

    def loss(chosen: SentenceTransformer) -> torch.nn.Module:
        if cached is None:
            return losses.MultipleNegativesRankingLoss(chosen)
        return losses.CachedMultipleNegativesRankingLoss(chosen, mini_batch_size=cached)

    return _learned(base, made, course, loss, lambda real: sum(real.values()))


def denoised(base: Base, texts: Sequence[str], course: Course, decoder: Path | None) -> Learned:
    """DenoisingAutoEncoderLoss: the decoder is the encoder once more, with the same weights, or another one that stands in a folder."""
    draw = random.Random(course.seed)
    made = _columns([(_without(text, draw), text) for text in texts], course, ("damaged", "text"))

    def loss(chosen: SentenceTransformer) -> torch.nn.Module:
        tied = decoder is None
        return losses.DenoisingAutoEncoderLoss(chosen, None if decoder is None else str(decoder), tie_encoder_decoder=tied)

    # The first token of a text is given to the decoder, and not asked for.
    return _learned(base, made, course, loss, lambda real: real["text_attention_mask"] - course.texts)


def _without(text: str, draw: random.Random) -> str:
    words = text.split()
    return " ".join(word for word in words if draw.random() >= DELETED) or draw.choice(words)


def _columns(rows: Sequence[tuple[str, str]], course: Course, names: tuple[str, str]) -> Dataset:
    chosen = [rows[row] for step in range(course.steps) for row in order(course).batch(step)]
    return Dataset.from_dict(dict(zip(names, map(list, zip(*chosen, strict=True)), strict=True)))


def _in_order(dataset: Any, **named: Any) -> DefaultBatchSampler:
    return DefaultBatchSampler(SequentialSampler(dataset), **named)


def _learned(base: Base, rows: Dataset, course: Course, loss: Loss, tokens: Callable[[dict[str, int]], int]) -> Learned:
    usual_allocator()
    transformers.set_seed(course.seed)
    trained = model(base.path, course.dropout)
    marks = Marks(course.skipped, course.steps)
    with TemporaryDirectory() as work:
        chosen = SentenceTransformerTrainingArguments(
            output_dir=work, max_steps=course.steps, per_device_train_batch_size=course.texts, learning_rate=LR, warmup_steps=0,
            weight_decay=WEIGHT_DECAY, max_grad_norm=1.0, seed=course.seed, batch_sampler=_in_order, save_strategy="no",
            logging_strategy="no", report_to=[], disable_tqdm=True, dataloader_pin_memory=False,
        )  # fmt: skip
        trainer = Noting(trained, chosen, train_dataset=rows, loss=loss(trained), callbacks=[marks])
        trainer.losses, trainer.real = [], []
        trainer.remove_callback(transformers.PrinterCallback)
        trainer.train()
    return Learned(marks.seconds, trainer.losses, [tokens(real) for real in trainer.real])
