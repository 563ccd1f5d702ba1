"""How fast a trained model's folder answers, from texts to answers: one text alone, which is what somebody waits for, and batches of 32."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from acclimate.data.ragged import Ragged
from acclimate.errors import ModelError
from acclimate.evaluation.encoder import load_encoder
from acclimate.evaluation.predictor import load_predictor
from acclimate.evaluation.trained_folder import checked_files, model_config
from acclimate.evaluation.word_ranking import WordRanking
from acclimate.modeling.base_files import KIND, POOL, TEMPLATE, VECTORS, ZERO_SHOT
from acclimate.modeling.baselines.table import BASELINES, BILSTM
from acclimate.owned import CARD, MARK
from acclimate.tasks.retrieve import Retrieve

RULES = 1  # raise it when the same model and texts would now be timed in another way
ALONE = 50  # texts that are answered one by one
BATCH, BATCHES = 32, 8
WARM_UP = 3  # texts that are answered before anything is timed
LIMIT_SECONDS = 2.0  # no further answer is begun after these: of texts alone once there are LEAST, of batches once there is one
LEAST = 5
LOOK_SECONDS = 0.1  # at what else the machine does
BUSY = 0.2  # of all processors, from which on it is told
OWN_WAYS = (POOL, TEMPLATE, VECTORS, ZERO_SHOT)  # in config.json: plain transformers does not answer as this model does
BY_TRANSFORMERS, BY_ACCLIMATE, BY_ONNX = "transformers", "acclimate", "onnxruntime"


class Items(NamedTuple):
    """What a model is asked about: N items."""

    columns: tuple[tuple[str, ...], ...]
    """[N] texts: one column, or the two of pairs."""
    words: Ragged | None = None
    """Where every word is asked about, as in `Split.words`."""

    def take(self, rows: Iterable[int]) -> "Items":
        """These, in this order."""
        chosen = list(rows)
        columns = tuple(tuple(column[row] for row in chosen) for column in self.columns)
        return Items(columns, None if self.words is None else self.words.take(np.array(chosen)))


Ask = Callable[[Items], object]


def doubt(busy: float) -> str:
    """What to say of numbers that were measured while this share of the processors was at work; empty where it was none to speak of."""
    said = f"the machine was busy with other work ({100 * busy:.0f} % of its processors), so how fast models are is known roughly"
    return said if busy >= BUSY else ""


def busy_now() -> float:
    """The share of all processors that is at work, 0 to 1."""
    import psutil

    return float(psutil.cpu_percent(LOOK_SECONDS)) / 100


class Way(NamedTuple):
    """Who answers, where, by how many threads, and how."""

    by: str
    device: str
    threads: int | None
    ask: Ask


@dataclass(frozen=True)
class AnswerSpeed:
    """From texts to answers, loading left out: each is the median of what was timed."""

    latency_seconds: float  # of one text
    texts_per_second: float  # in batches of BATCH, as the texts come: not sorted by length
    texts: int  # that were answered alone
    batches: int
    by: str  # who answered: BY_TRANSFORMERS, BY_ACCLIMATE or BY_ONNX
    device: str
    threads: int | None  # of the CPU that it was given; None where a model does not ask for any
    busy: float  # share of all processors that was at work before anything was timed, 0 to 1

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def answer_speed(folder: Path, items: Items, threads: int | None = None, baselines: Mapping[str, str] = BASELINES) -> AnswerSpeed:
    """Time a model on items of its kind, spread over all of `items`; it takes some four seconds at most, but for one batch of a slow model.

    A transformer's own classifier or tagger runs as plain transformers would run it: tokens by its tokenizer, cut to the length that it was
    trained with, padded to the longest of a batch, one forward pass in float32 (eager kernels of torch, the attention that transformers
    takes). What plain transformers cannot ask (plain baselines, heads on vectors, hypotheses, label words, windows of long texts, encoders
    of queries) answers as `load_predictor` or `load_encoder` do.

    Raises:
        ModelError: the model is damaged, or gives no answer to a text alone.
    """
    return speed_of(lambda: _way_of(folder, threads, baselines), items)


def speed_of(load: Callable[[], Way], items: Items) -> AnswerSpeed:
    """Time whatever `load` gives on items that it answers, as `answer_speed` does."""
    count, busy = len(items.columns[0]), busy_now()
    way = load()
    ask = way.ask
    chosen = np.linspace(0, count - 1, min(count, ALONE)).astype(np.int64).tolist()
    alone = [items.take([row]) for row in chosen]
    for item in alone[:WARM_UP]:
        ask(item)
    latencies = _timed(ask, alone, LEAST)
    spread = np.linspace(0, count - 1, min(count, BATCH * BATCHES)).astype(np.int64)
    # Of fewer texts than a batch holds some are in it several times.
    rows = np.resize(spread, max(BATCH, len(spread) // BATCH * BATCH)).reshape(-1, BATCH).tolist()
    batches = [items.take(each) for each in rows]
    if median(latencies) * BATCH < LIMIT_SECONDS:  # what takes longer is warm by then
        ask(batches[0])
    seconds = _timed(ask, batches, 1)
    return AnswerSpeed(median(latencies), BATCH / median(seconds), len(latencies), len(seconds), way.by, way.device, way.threads, busy)


def model_bytes(folder: Path) -> int:
    """Bytes of all that a model needs to answer, weights, tokenizer, settings: of its folder without card, mark and hidden files."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.relative_to(folder).parts[0].startswith("."))
    return sum(path.stat().st_size for path in files if path.name not in (CARD, MARK))


def _timed(ask: Ask, parts: list[Items], least: int) -> list[float]:
    """Seconds of each part, of `least` of them however long they take."""
    found: list[float] = []
    began = time.perf_counter()
    for part in parts:
        if len(found) >= least and time.perf_counter() - began > LIMIT_SECONDS:
            break
        at = time.perf_counter()
        ask(part)
        found.append(max(time.perf_counter() - at, 1e-9))
    return found


def _way_of(folder: Path, threads: int | None, baselines: Mapping[str, str]) -> Way:
    config = model_config(folder)
    kind = config.get("model_type")
    if WordRanking.of(folder) is not None:
        raise ModelError(f"{folder}: ranks documents by words that are counted over them, and has nothing to say of a text alone")
    if kind in baselines and kind != BILSTM:
        return Way(BY_ACCLIMATE, "cpu", None, _asked(folder, config, baselines))
    from acclimate.training.devices import Devices

    devices = Devices("float32", threads)
    if kind not in baselines and not any(config.get(name) for name in OWN_WAYS):
        from acclimate.evaluation.padded import PaddedModel
        from acclimate.modeling.folder import ModelFolder

        model = ModelFolder(folder)
        if checked_files(folder, lambda: model.learnt) is not None:
            padded = checked_files(folder, lambda: PaddedModel(model, devices.device))
            return Way(BY_TRANSFORMERS, devices.name, devices.threads, lambda items: padded.probabilities(*items.columns))
        if config.get(KIND) != Retrieve.model_fields["kind"].default:
            raise ModelError(f"{folder}: has no trained classifier, and answers no text by itself")
    return Way(BY_ACCLIMATE, devices.name, devices.threads, _asked(folder, config, baselines))


def _asked(folder: Path, config: Mapping[str, Any], baselines: Mapping[str, str]) -> Ask:
    """As acclimate itself answers."""
    if config.get(KIND) == Retrieve.model_fields["kind"].default:
        encoder = load_encoder(folder)
        return lambda items: encoder.encode(items.columns[0], "query")
    predictor = load_predictor(folder, baselines=baselines)
    return lambda items: predictor.probabilities(*items.columns, **({} if items.words is None else {"words": items.words}))
