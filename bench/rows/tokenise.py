"""From a file of raw text to tokens that are ready to train on: `TokenStore.build` against `datasets`, as run_mlm.py uses it.

The peer loads the file with load_dataset("text"), tokenises with map(batched=True) and joins to blocks with a second map. It has both of
its ways: worker processes (num_proc=2, or what the machine has), and one process with the tokenizer's own threads. Fresh caches each
time, fresh processes, imports not counted.
"""

import time
from itertools import chain
from pathlib import Path
from shutil import rmtree
from typing import Any

from acclimate.data.corpus import Corpus, CorpusSettings
from acclimate.data.tokens import TokenStore
from bench import models, texts
from bench.child import in_child
from bench.measure import OURS, Bar, Bench, Cell, Row, interleave, versus

PROCESSES, THREADS = "datasets, num_proc=2", "datasets, one process with threads"
BLOCK = 512


def source(bench: Bench, characters: int) -> Path:
    """A file of so many characters, a document a line; real texts, again and again where they do not suffice."""
    path = bench.work / f"corpus-{characters}.txt"
    if not path.is_file():
        texts.write_text(path, texts.documents(bench.options.data, min(characters, 20_000_000)), characters)
    return path


def child(bench: Bench, spec: dict[str, Any]) -> dict[str, Any]:
    """One side, in a process of its own."""
    base = models.base(bench, models.names(bench)[0])
    cache = bench.work / "tokenise"
    rmtree(cache, ignore_errors=True)
    seconds = build(Path(spec["file"]), cache, base) if spec["side"] == OURS else _map(Path(spec["file"]), cache, base, spec["processes"])
    rmtree(cache)
    return {"seconds": seconds}


def build(file: Path, cache: Path, base: models.Base) -> float:
    """Seconds of our side, with a cache that is not there yet."""
    words = base.folder.tokenizer()
    cache.mkdir()
    began = time.perf_counter()
    corpus = Corpus.open("bench", CorpusSettings(path=str(file), documents="line"), Path("/"))
    TokenStore.build(cache / "store", corpus.documents(), words, "bench")
    return time.perf_counter() - began


def _map(file: Path, cache: Path, base: models.Base, processes: int | None) -> float:
    from datasets import load_dataset
    from transformers import AutoTokenizer

    words = AutoTokenizer.from_pretrained(base.path)
    words.model_max_length = 10**9  # or it warns of each long document; run_mlm.py cuts them after joining, too

    def tokenised(examples: dict[str, list[str]]) -> Any:
        return words(examples["text"], return_special_tokens_mask=True)

    def joined(examples: dict[str, list[list[int]]]) -> dict[str, list[list[int]]]:
        streams = {name: list(chain.from_iterable(rows)) for name, rows in examples.items()}
        total = len(next(iter(streams.values()))) // BLOCK * BLOCK
        return {name: [stream[begin : begin + BLOCK] for begin in range(0, total, BLOCK)] for name, stream in streams.items()}

    began = time.perf_counter()
    rows = load_dataset("text", data_files={"train": str(file)}, split="train", cache_dir=str(cache))
    rows = rows.map(tokenised, batched=True, num_proc=processes, remove_columns=["text"])
    rows.map(joined, batched=True, num_proc=processes)
    return time.perf_counter() - began


def _tokenise(bench: Bench) -> list[Cell]:
    file = source(bench, bench.options.sized(20_000_000, 1_000_000))
    models.base(bench, models.names(bench)[0])

    def side(name: str, processes: int | None, parallel: bool) -> Any:
        spec = {"file": str(file), "side": name, "processes": processes}
        # Forked workers of a tokenizer that runs threads could wait for ever, hence one or the other.
        environment = {"TOKENIZERS_PARALLELISM": str(parallel).lower()}
        return lambda _: float(in_child(bench, "tokenise", spec, environment)["seconds"])

    sides = {OURS: side(OURS, None, True), PROCESSES: side(PROCESSES, 2, False), THREADS: side(THREADS, None, True)}
    rounds = interleave(sides, bench.options.rounds)
    note = f"{file.stat().st_size / 1e6:.0f} MB of text"
    return [versus(f"against {peer}", rounds, peer, "s", note=note) for peer in (PROCESSES, THREADS)]


ROWS = (Row("tokenise", "seconds from a text file to stored tokens, fresh caches", _tokenise, {"cpu": {f"against {PROCESSES}": Bar(3)}}),)
