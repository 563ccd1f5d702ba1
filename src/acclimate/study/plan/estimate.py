"""What a plan will roughly cost, before anything is spent: tokens, time and disk of every stage, from its texts in its vocabulary.

Training may end earlier than planned (`patience`), never later.
"""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from acclimate.data.batches import RampedOrder
from acclimate.data.mixture import shares
from acclimate.files import digest_json
from acclimate.modeling.base_files import has_mlm_head
from acclimate.modeling.baselines.word_list import WordList
from acclimate.modeling.families import divisible, pools_mean
from acclimate.modeling.longest import LONGEST_DEFAULT, longest
from acclimate.modeling.source import Source
from acclimate.stages.base import task_at
from acclimate.stages.bilstm import Bilstm
from acclimate.stages.cut import Cut
from acclimate.stages.finetune import Finetune
from acclimate.stages.pretrain import RAMP_PARTS, Pretrain
from acclimate.stages.prune import Prune
from acclimate.stages.start import Start
from acclimate.study.plan.graph import Node
from acclimate.study.plan.prepared import Prepared
from acclimate.study.plan.readings import Part, source_of
from acclimate.tasks.task import Task

SHARE_OF_PEAK = 0.4  # of the measured matrix-product rate that training reaches on short batches


@dataclass(frozen=True)
class Estimate:
    """Of one stage; zeros where it is cached."""

    tokens: int
    seconds: float
    disk_bytes: int  # of the artifact
    cache_bytes: int = 0  # of the tokens of corpora, or of what frozen layers give
    cache_key: str = ""  # stages with the same key share it


def estimates(prepared: Prepared, rate: float) -> dict[str, Estimate]:
    """The cost of each stage by key; `rate` in floating-point operations a second."""
    return {
        key: Estimate(0, 0.0, 0) if key in prepared.cached else estimate(node, prepared, rate) for key, node in prepared.plan.nodes.items()
    }


def product_rate(precision: str = "auto", size: int = 512, seconds: float = 0.3) -> float:
    """Matrix products of this machine's CPU, operations a second: in bfloat16 where that is asked for, else in float32.

    The quickest product counts: the others say what else the machine does at this moment, not what it can do in the hours to come.
    """
    matrix = _square(precision, size)
    quickest, began = np.inf, time.monotonic()
    while time.monotonic() - began < seconds:
        before = time.perf_counter()
        matrix @ matrix
        quickest = min(quickest, time.perf_counter() - before)
    return float(2 * size**3 / quickest)


def _square(precision: str, size: int) -> Any:
    if precision != "bf16":
        return np.ones((size, size), dtype=np.float32)
    import torch  # only here: a plan in float32 answers without it

    return torch.ones(size, size, dtype=torch.bfloat16)


def estimate(node: Node, prepared: Prepared, rate: float) -> Estimate:
    """The cost of one stage that is to be carried out; `rate` in floating-point operations a second."""
    data = prepared.data
    if isinstance(node.stage, Bilstm) and data.task is not None:
        return _bilstm(node.stage, task_at(data, node.labels, node.seed), rate)
    source = source_of(node, prepared.plan)
    if source is None:
        return Estimate(0, 5.0, 0)  # another plain baseline: seconds
    model = _Model.at(node, prepared, source)
    if isinstance(node.stage, Pretrain):
        return _pretraining(node.stage, node, model, prepared, rate)
    if isinstance(node.stage, Finetune) and data.task is not None:
        return _finetuning(node.stage, node, model, prepared, rate)
    return Estimate(0, 1.0, model.disk)


@dataclass(frozen=True)
class _Model:
    """What a stage has at hand, as far as its base's configuration tells."""

    source: Source
    config: dict[str, Any]
    body: int  # parameters that every token goes through: embeddings are looked up, not multiplied
    embeddings: int
    fresh_head: bool  # no pretraining before this stage, and no head for one in the base

    @property
    def disk(self) -> int:
        return 4 * (self.body + self.embeddings)

    @property
    def head(self) -> int:
        return int(self.config.get("vocab_size", 0) * (self.config.get("hidden_size") or self.config.get("dim") or 0))

    @staticmethod
    def at(node: Node, prepared: Prepared, source: Source) -> "_Model":
        chain = [each.stage for each in (node, *prepared.plan.ancestors(node.key))]
        config: dict[str, Any] = source.config
        embeddings = config.get("vocab_size", 0) * (config.get("embedding_size") or config.get("hidden_size") or config.get("dim") or 0)
        body = source.parameters - embeddings
        kept = next((len(stage.keep) for stage in chain if isinstance(stage, Cut)), None)
        if kept is not None:
            body = round(body * kept / _layers(config))
            config = config | {"num_hidden_layers": kept}
        entries = next((stage.size for stage in chain if isinstance(stage, Prune)), None)
        if entries is not None:
            embeddings = embeddings * entries // (config.get("vocab_size") or entries)
            config = config | {"vocab_size": entries}
        drawn = any(isinstance(stage, Start) and stage.random for stage in chain)
        learned = drawn or any(isinstance(stage, Pretrain) for stage in chain[1:])
        return _Model(source, config, body, embeddings, not learned and not has_mlm_head(source.name, source.folder))


def _pretraining(stage: Pretrain, node: Node, model: _Model, prepared: Prepared, rate: float) -> Estimate:
    readings, source = prepared.readings, model.source
    special = readings.special(source)
    length = stage.max_length or min(longest(source.config), LONGEST_DEFAULT)
    read = stored = epoch = 0.0  # tokens of the text, bytes of it in the cache, tokens of an epoch with special ones
    wide = 2 if model.config.get("vocab_size", 0) <= 1 << 16 else 4
    parts = readings.parts(stage)
    for name, share in shares(stage.corpus).items():
        found = [readings.of(source, part) for part in parts[name]]
        tokens = sum(each.tokens for each in found)
        windows = sum(each.windows(max(1, length - special)) for each in found)
        held = min(stage.heldout_tokens, stage.heldout_share * tokens)
        epoch += share * (tokens + special * windows) * (1 - held / max(tokens, 1.0))
        read += tokens
        stored += wide * tokens + 8 * sum(each.sample.documents for each in found)
    trained, warm = _course(stage, epoch, length)
    if not model.fresh_head or not stage.head_warmup:
        warm = 0.0
    head = (stage.mask_rate or 0.15) * model.head
    # A fresh head learns alone first: the body runs forward only.
    work = 6 * (model.body + head) * trained + (2 * model.body + 6 * head) * warm
    cache = round(stored * (2 if len(parts) > 1 else 1))  # several corpora are also kept as one
    shared = digest_json(["tokens", source.digest, model.config.get("vocab_size"), node.fingerprints])
    return Estimate(round(trained + warm), work / (rate * SHARE_OF_PEAK), model.disk, cache, shared)


def _course(stage: Pretrain, epoch: float, longest_window: int) -> tuple[float, float]:
    """(tokens of all steps, tokens of those that a fresh head would learn alone), where an epoch has so many; `Pretrain` counts alike."""
    whole = max(stage.batch_tokens, longest_window)
    parts = min(RAMP_PARTS, whole // longest_window) if stage.batch_ramp else 1
    batches = max(1, int(epoch // (whole // parts)))
    steps, ramp = stage.steps(max(1, round(epoch)), batches), 0
    if parts > 1:
        steps = RampedOrder.steps(steps, parts, stage.batch_ramp)
        ramp = round(stage.batch_ramp * steps)
    sizes = RampedOrder.sizes(parts, ramp)
    alone = max(1, round(steps * stage.head_warmup))
    taken, first = (int(sizes[:step].sum()) + parts * max(0, step - ramp) for step in (steps, alone))
    return taken * epoch / batches, first * epoch / batches


def _finetuning(stage: Finetune, node: Node, model: _Model, prepared: Prepared, rate: float) -> Estimate:
    readings, config = prepared.readings, model.config
    task = task_at(prepared.data, node.labels, node.seed)
    special = readings.special(model.source)
    most = stage.max_length or min(longest(model.source.config), LONGEST_DEFAULT)
    train, dev, test = (
        sum(min(length + special, most) for length in readings.of(model.source, Part(name, of_task=True)).lengths(split.texts))
        for name, split in (("train", task.train), ("dev", task.dev), ("test", task.test))
    )
    batches = -(-len(task.train.texts) // stage.batch_size)
    whole, rest = divmod(stage.steps(batches), batches)
    epochs = whole + min(1.0, rest * stage.batch_size / len(task.train.texts))
    tokens = round(train * epochs)
    # What is frozen runs forward once over every text where its outputs are kept, what is trained in every epoch.
    fast = prepared.study.fast_paths
    once = fast.packed and fast.frozen_cache and divisible(str(config["model_type"]))
    trained = _trained_share(stage, config)
    passes = 1.0 if once else epochs
    frozen = (1 - trained) * 2 * model.body * (train * passes + dev * (passes if once else 1 + passes) + test)
    training = trained * model.body * (6 * train * epochs + 2 * (dev * (1 + epochs) + test))
    width = int(config.get("hidden_size") or config.get("dim") or 0) * np.dtype(stage.frozen_precision).itemsize
    texts = sum(len(split.texts) for split in (task.train, task.dev, task.test))
    rows = texts if stage.train == "head" and not pools_mean(config) else train + dev + test
    cache = round(rows * width) if once and trained < 1 else 0
    shared = digest_json([node.parent, str(stage.train), node.fingerprints, stage.frozen_precision]) if cache else ""
    return Estimate(tokens, (frozen + training) / (rate * SHARE_OF_PEAK), model.disk, cache, shared)


def _bilstm(stage: Bilstm, task: Task, rate: float) -> Estimate:
    splits = (task.train, task.dev, task.test)
    train, dev, test = (sum(min(text.count(" ") + 1, stage.max_length) for text in split.texts) for split in splits)
    batches = -(-len(task.train.texts) // stage.batch_size)
    epochs = stage.steps(batches) / batches
    # Four gates in each of two directions, over what is below and over themselves.
    widths = [stage.embedding, *[2 * stage.hidden] * (stage.layers - 1)]
    body = sum(2 * 4 * stage.hidden * (width + stage.hidden + 2) for width in widths)
    work = body * (6 * train * epochs + 2 * (dev * (1 + epochs) + test))
    vectors = len(WordList.of(task.train.texts, stage.most_words, stage.min_count)) * stage.embedding
    return Estimate(round(train * epochs), work / (rate * SHARE_OF_PEAK), 4 * (vectors + body))


def _trained_share(stage: Finetune, config: dict[str, Any]) -> float:
    return 1.0 if stage.train == "all" else 0.0 if stage.train == "head" else min(1.0, stage.train / _layers(config))


def _layers(config: dict[str, Any]) -> int:
    return int(config.get("num_hidden_layers") or config.get("n_layers") or 12)
