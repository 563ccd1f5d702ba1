"""What a run costs: time, tokens, operations, memory, size; of stages alone, and of runs that share stages."""

import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

SAMPLE_EVERY = 0.05  # seconds between two looks at this process's memory


@dataclass(frozen=True)
class Cost:
    """What one stage cost; None where a figure makes no sense for it."""

    seconds: float = 0.0
    tokens: int = 0  # seen in training
    flops: float = 0.0  # floating-point operations of training
    peak_memory_bytes: int | None = None  # of the process on a CPU, of the device on a GPU
    parameters: int | None = None
    trained_parameters: int | None = None
    disk_bytes: int | None = None  # of the model's folder
    inference_texts_per_second: float | None = None
    # Of a model whose vocabulary was changed, in masked-language-model training: it, and what it was made of, on the same text in turn.
    characters_per_second: float | None = None
    characters_per_second_before: float | None = None

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """What `to_json` gave."""
        return cls(**value)


def total(costs: Sequence[Cost]) -> Cost:
    """A chain of stages as if it ran alone: time, tokens and operations add up, the peak is the highest, the model is the last one's."""
    peaks = [cost.peak_memory_bytes for cost in costs if cost.peak_memory_bytes is not None]
    last = costs[-1]
    return Cost(
        seconds=sum(cost.seconds for cost in costs),
        tokens=sum(cost.tokens for cost in costs),
        flops=sum(cost.flops for cost in costs),
        peak_memory_bytes=max(peaks, default=None),
        parameters=last.parameters,
        trained_parameters=last.trained_parameters,
        disk_bytes=last.disk_bytes,
        inference_texts_per_second=last.inference_texts_per_second,
    )


def shared_costs(runs: Mapping[str, Sequence[tuple[str, Cost]]]) -> dict[str, tuple[float, float]]:
    """Seconds of each run, with shared stages charged once (to the first run that used them) and pro rata (split over all that did).

    `runs` maps a run to its stages as (key, cost). Either column adds up to what the whole study took.
    """
    users: dict[str, int] = {}
    for stages in runs.values():
        for key, _ in stages:
            users[key] = users.get(key, 0) + 1
    charged: set[str] = set()
    shares = {}
    for run, stages in runs.items():
        once = sum(cost.seconds for key, cost in stages if key not in charged)
        charged |= {key for key, _ in stages}
        shares[run] = (once, sum(cost.seconds / users[key] for key, cost in stages))
    return shares


def training_flops(
    *,
    parameters: int,
    tokens: int,
    width: int,
    length: float,
    head_parameters: int = 0,
    head_share: float = 0.0,
    trained_share: float = 1.0,
    frozen_tokens: int | None = None,
) -> float:
    """Floating-point operations of training, 6 a parameter and token: 2 forward, 4 backward (Kaplan et al. 2020, section 2.1).

    `parameters` without embeddings, which are looked up. Attention adds 12 x `width` (layers x hidden) x `length` a token (Chowdhery et al.
    2022, appendix B), `length` being the mean number of tokens that one token sees. `head_parameters` are used at `head_share` of the
    tokens only (masked positions). What is frozen costs its forward pass alone: `trained_share` of the parameters goes backward, and the
    rest sees `frozen_tokens`, fewer than `tokens` where it ran once for all epochs.
    """
    per_token = 2 * parameters + 2 * head_parameters * head_share + 4 * width * length
    seen_by_frozen = tokens if frozen_tokens is None else frozen_tokens
    return float(per_token * (3 * trained_share * tokens + (1 - trained_share) * seen_by_frozen))


def disk_bytes(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


class PeakMemory:
    """Measures the highest memory use within a `with` block: of the GPU where the block used one, else of this process."""

    bytes: int = 0

    def __enter__(self) -> Self:
        import psutil

        # torch is asked only where somebody else imported it; a plain baseline does without.
        torch = sys.modules.get("torch")
        self._cuda = torch.cuda if torch is not None and torch.cuda.is_available() else None
        if self._cuda is not None:
            self._cuda.reset_peak_memory_stats()
        self._process = psutil.Process()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        # A block that left the GPU alone (a plain baseline beside a GPU) reports the process's memory, not 0.
        on_device = int(self._cuda.max_memory_allocated()) if self._cuda is not None else 0
        self.bytes = on_device or self.bytes

    def _sample(self) -> None:
        while True:
            self.bytes = max(self.bytes, self._process.memory_info().rss)
            if self._stop.wait(SAMPLE_EVERY):
                return
