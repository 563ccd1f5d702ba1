"""What a plan will roughly cost, before anything is spent: tokens, time and disk of every stage, from sizes alone."""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from acclimate.data.mixture import shares
from acclimate.data.opened import Data
from acclimate.data.task import Task
from acclimate.files import digest_json
from acclimate.modeling.families import divisible, pools_mean
from acclimate.modeling.word_list import WordList
from acclimate.stages.base import task_at
from acclimate.stages.bilstm import Bilstm
from acclimate.stages.cut import Cut
from acclimate.stages.finetune import Finetune
from acclimate.stages.pretrain import Pretrain
from acclimate.stages.prune import Prune
from acclimate.stages.start import Start
from acclimate.study.plan import Node
from acclimate.study.run import Prepared

TOKENS_PER_WORD = 1.4  # English text in a vocabulary of 30,000; domain words cost more
SHARE_OF_PEAK = 0.4  # of the measured matrix-product rate that training reaches on short batches


@dataclass(frozen=True)
class Estimate:
    """Of one stage; zeros where it is cached."""

    tokens: int
    seconds: float
    disk_bytes: int  # of the artifact
    cache_bytes: int = 0  # of what frozen layers give, kept beside the token stores
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
    plan, data = prepared.plan, prepared.data
    chain = [each.stage for each in (node, *plan.ancestors(node.key))]
    start = next((stage for stage in chain if isinstance(stage, Start)), None)
    if isinstance(node.stage, Bilstm) and data.task is not None:
        return _bilstm(node.stage, task_at(data, node.labels, node.seed), rate)
    if start is None:
        return Estimate(0, 5.0, 0)  # another plain baseline: seconds
    source = plan.sources[start.digest]
    config: dict[str, Any] = source.config
    embeddings = config.get("vocab_size", 0) * (config.get("embedding_size") or config.get("hidden_size", 0))
    # Parameters that every token goes through: embeddings are looked up, not multiplied.
    body = source.parameters - embeddings
    kept = next((len(stage.keep) for stage in chain if isinstance(stage, Cut)), None)
    if kept is not None:
        body = round(body * kept / (config.get("num_hidden_layers") or config["n_layers"]))
        config = config | {"num_hidden_layers": kept}
    entries = next((stage.size for stage in chain if isinstance(stage, Prune)), None)
    if entries is not None:
        embeddings = embeddings * entries // config["vocab_size"]
        config = config | {"vocab_size": entries}
    disk = 4 * (body + embeddings)
    stage = node.stage
    if isinstance(stage, Pretrain):
        tokens = stage.tokens or round((stage.epochs or (10 if stage.corpus == "task" else 1)) * _corpus_tokens(stage, data))
        head = (stage.mask_rate or 0.15) * config.get("vocab_size", 0) * config.get("hidden_size", 0)
        return Estimate(tokens, 6 * (body + head) * tokens / (rate * SHARE_OF_PEAK), disk)
    if isinstance(stage, Finetune) and data.task is not None:
        task = task_at(data, node.labels, node.seed)
        most = stage.max_length or 512
        train, dev, test = (_tokens(split.texts, most) for split in (task.train, task.dev, task.test))
        batches = -(-len(task.train.texts) // stage.batch_size)
        steps = stage.steps(batches)
        epochs = steps / batches
        tokens = round(train * epochs)
        # What is frozen runs forward once over every text where its outputs are kept, what is trained in every epoch.
        fast = prepared.study.fast_paths
        once = fast.packed and fast.frozen_cache and divisible(str(config["model_type"]))
        trained = _trained_share(stage, config)
        passes = 1.0 if once else epochs
        frozen = (1 - trained) * 2 * body * (train * passes + dev * (passes if once else 1 + passes) + test)
        training = trained * body * (6 * train * epochs + 2 * (dev * (1 + epochs) + test))
        width = int(config.get("hidden_size") or config.get("dim") or 0) * np.dtype(stage.frozen_precision).itemsize
        texts = sum(len(split.texts) for split in (task.train, task.dev, task.test))
        rows = texts if stage.train == "head" and not pools_mean(config) else train + dev + test
        cache = round(rows * width) if once and trained < 1 else 0
        shared = digest_json([node.parent, str(stage.train), node.fingerprints, stage.frozen_precision]) if cache else ""
        return Estimate(tokens, (frozen + training) / (rate * SHARE_OF_PEAK), disk, cache, shared)
    return Estimate(0, 1.0, disk)


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
    layers = int(config.get("num_hidden_layers") or config.get("n_layers") or 12)
    return 1.0 if stage.train == "all" else 0.0 if stage.train == "head" else min(1.0, stage.train / layers)


def _corpus_tokens(stage: Pretrain, data: Data) -> float:
    return TOKENS_PER_WORD * sum(share * _words(name, data) for name, share in shares(stage.corpus).items())


def _words(name: str, data: Data) -> int:
    if name != "task":
        return data.documents(name).facts.words
    assert data.task is not None
    unlabelled = data.task.unlabeled.facts.words if data.task.unlabeled else 0
    return sum(len(text.split()) for text in data.task.train.texts) + unlabelled


def _tokens(texts: tuple[str, ...], most: int) -> float:
    return sum(min(TOKENS_PER_WORD * (text.count(" ") + 1) + 2, most) for text in texts)
