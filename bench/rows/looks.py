"""What one types to look: `acclimate --help`, and `acclimate plan` of a study whose base and texts are here.

Timed is the wall clock of a fresh process, Python's start included; the first, which fills the disk's cache, does not count. The tests
count what these load instead (tests/test_light_imports.py): seconds depend on what else the machine does.
"""

import sys
import time

from bench import texts
from bench.child import run
from bench.measure import Bar, Bench, Cell, Row, single

HELP, PLAN = "acclimate --help", "acclimate plan"
STUDY = """
base: acclimate-tiny
data:
  task: { train: train.jsonl, dev: dev.jsonl, test: test.jsonl }
recipes:
  fine-tune: [finetune]
  TAPT: [pretrain: { corpus: task }, finetune]
"""


def _looks(bench: Bench) -> list[Cell]:
    size = bench.options.sized(1000, 200)
    folder = bench.work / "looks"
    folder.mkdir(exist_ok=True)
    rows = texts.labelled(bench.options.data, size, size, size)
    for split in ("train", "dev", "test"):
        texts.write_rows(folder / f"{split}.jsonl", getattr(rows, split))
    (folder / "study.yaml").write_text(STUDY, encoding="utf-8")
    looks = {HELP: ["--help"], PLAN: ["plan", str(folder / "study.yaml"), "--store", str(folder / "store")]}
    return [single(name, [_seconds(words) for _ in range(bench.options.rounds + 1)][1:], "s") for name, words in looks.items()]


def _seconds(words: list[str]) -> float:
    begin = time.perf_counter()
    run([sys.executable, "-m", "acclimate", *words])
    return time.perf_counter() - begin


ROWS = [Row("looks", "a fresh process, from its start to its end", _looks, {"cpu": {HELP: Bar(0.6, "at most", "s")}})]
