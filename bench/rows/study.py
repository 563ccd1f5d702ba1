"""A whole study, nine recipes by three seeds on 64 labels: `acclimate study` against a script for each step of each run.

The peer is what people do without a tool (bench/peer_scripts): for every recipe and seed a chain of fresh processes, pretraining with the
Trainer, then fine-tuning with the Trainer, dev after each epoch, test at the end; nothing is shared between runs. They pretrain on blocks
of joined texts (run_mlm.py's default), or on each text by itself (`--line_by_line`). Both sides have the same texts, epochs, steps and
tokens a step; our early stopping and warm-up of fresh heads are off. Timed is the wall clock from the command to the results, processes
and imports included. The scripts of one seed are run and their time is multiplied by the seeds (with --full all are run): no seed shares
anything with another there. tf-idf is scikit-learn on both sides, with the same strengths to try.
"""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree
from typing import Any

from acclimate.files import read_json
from bench import models, texts
from bench.child import run
from bench.measure import OURS, Bar, Bench, Cell, Row, interleave, versus
from bench.root import ROOT

BLOCKS, LINES = "separate scripts, blocks", "separate scripts, line by line"
LENGTH, BLOCK, BATCH_TOKENS, BATCH, EPOCHS = 64, 128, 2048, 16, 3
LR, HEAD_LR, MLM_LR = 2e-4, 1e-3, 3e-4
STRENGTHS = (0.1, 1.0, 10.0, 100.0, 1000.0)
TASK, CORPORA = "chemprot", ("biomed_plos_fulltext", "biomed_pubmed_sentences_tokenized")
# What is fine-tuned in each recipe: the base, what is trained, layers of the head, on which texts it is pretrained before.
RECIPES: dict[str, dict[str, Any]] = {
    "fine-tune": {},
    "tfidf": {"tfidf": True},
    "scratch": {"scratch": True},
    "head only": {"train": "head"},
    "deep head": {"train": "head", "head_layers": 2},
    "top 2": {"train": 2},
    "TAPT": {"pretrain": ("task",)},
    "DAPT": {"pretrain": ("domain",)},
    "DAPT + TAPT": {"pretrain": ("domain", "task")},
}


def sizes(bench: Bench) -> dict[str, Any]:
    """Labelled texts, steps of pretraining, seeds."""
    if bench.options.quick:
        return {"train": 32, "dev": 16, "test": 16, "domain": 2, "task": 2, "seeds": 1}
    return {"train": 64, "dev": 32, "test": 64, "domain": 30, "task": 6, "seeds": 3}


def _study(bench: Bench) -> list[Cell]:
    size = sizes(bench)
    base = models.base(bench, models.names(bench)[0])
    folder = bench.work / "study"
    folder.mkdir(exist_ok=True)
    rows = texts.labelled(bench.options.data, size["train"], size["dev"], size["test"], TASK)
    for split in ("train", "dev", "test"):
        texts.write_rows(folder / f"{split}.jsonl", getattr(rows, split))
    domain = texts.documents(bench.options.data, 400_000 if not bench.options.quick else 60_000, CORPORA)
    (folder / "domain.txt").write_text("\n".join(domain) + "\n", encoding="utf-8")
    (folder / "task.txt").write_text("\n".join(row["text"] for row in rows.train) + "\n", encoding="utf-8")
    steps: dict[str, int] = {}

    def our(number: int) -> float:
        home = folder / f"ours-{number}"
        rmtree(home, ignore_errors=True)
        home.mkdir()
        (home / "study.yaml").write_text(json.dumps(_file(base, size)), encoding="utf-8")  # JSON is YAML
        seconds = _timed([[sys.executable, "-m", "acclimate", "study", str(home / "study.yaml")]])
        steps.update(_our_steps(home))
        return seconds

    def their(number: int, lines: bool) -> float:
        home = folder / f"theirs-{number}"
        rmtree(home, ignore_errors=True)
        home.mkdir()
        seeds = size["seeds"] if bench.options.full else 1
        return float(_timed(list(_commands(base, size, folder, home, seeds, lines))) * size["seeds"] / seeds)

    sides = {OURS: our, BLOCKS: lambda number: their(number, False), LINES: lambda number: their(number, True)}
    rounds = interleave(sides, bench.options.rounds if bench.options.full else 1)
    note = f"{len(RECIPES)} recipes x {size['seeds']} seeds, {size['train']} labels; one round unless --full"
    return [versus(f"against {peer}", rounds, peer, "s", model=base.name, note=note, our_steps=steps) for peer in (BLOCKS, LINES)]


def _timed(commands: list[list[str]]) -> float:
    began = time.perf_counter()
    for command in commands:
        run(command)
    return time.perf_counter() - began


def _file(base: models.Base, size: dict[str, Any]) -> dict[str, Any]:
    """The study file."""
    recipes: dict[str, Any] = {}
    for name, recipe in RECIPES.items():
        if recipe.get("tfidf"):
            recipes[name] = {"base": {"tfidf": {"strengths": STRENGTHS, "select_by": "accuracy"}}}
            continue
        tune: dict[str, Any] = {"epochs": EPOCHS, "min_steps": 0, "patience": None, "max_length": LENGTH, "batch_size": BATCH}
        tune |= {"train": recipe.get("train", "all"), "lr": _rate(recipe), "select_by": "accuracy"}
        if "head_layers" in recipe:
            tune["head"] = {"layers": recipe["head_layers"], "hidden": 256}
        stages: list[Any] = [{"pretrain": _pretrain(corpus, size)} for corpus in recipe.get("pretrain", ())]
        stages.append({"finetune": tune})
        recipes[name] = {"base": "random" if recipe.get("scratch") else str(base.path), "stages": stages}
    splits = {split: f"../{split}.jsonl" for split in ("train", "dev", "test")}
    return {
        "base": str(base.path),
        "data": {"domain": {"path": "../domain.txt", "documents": "line"}, "task": {**splits, "duplicates": "keep"}},
        "seeds": size["seeds"],
        "recipes": recipes,
    }


def _pretrain(corpus: str, size: dict[str, Any]) -> dict[str, Any]:
    budget = {"tokens": size[corpus] * BATCH_TOKENS, "batch_tokens": BATCH_TOKENS, "max_length": BLOCK, "lr": MLM_LR, "dropout": None}
    return {"corpus": corpus, **budget, "head_warmup": 0.0, "evaluations": 1, "patience": None}


def _rate(recipe: dict[str, Any]) -> float:
    return HEAD_LR if recipe.get("train") == "head" else LR


def _our_steps(home: Path) -> dict[str, int]:
    """Steps that each stage took, by its title: that both sides did the same amount of work can be checked in the JSON."""
    found = {}
    for path in sorted(home.glob(".acclimate/artifacts/*/metrics.json")):
        record = read_json(path.with_name("stage.json"))
        found[record["title"]] = read_json(path)["metrics"].get("steps", 0)
    return found


def _commands(base: models.Base, size: dict[str, Any], data: Path, home: Path, seeds: int, lines: bool) -> Iterator[list[str]]:
    """The peer's chain of processes, of the first so many seeds."""
    scripts = ROOT / "bench" / "peer_scripts"
    for seed in range(seeds):
        for name, recipe in RECIPES.items():
            place = home / f"{name.replace(' ', '-')}-{seed}"
            shared = ["--data", str(data), "--seed", str(seed)]
            if recipe.get("tfidf"):
                yield [sys.executable, str(scripts / "tfidf.py"), *shared, "--out", str(place)]
                continue
            start = str(base.path)
            for corpus in recipe.get("pretrain", ()):
                out = str(place / corpus)
                budget = ["--steps", str(size[corpus]), "--block", str(BLOCK), "--batch-tokens", str(BATCH_TOKENS)]
                budget += ["--line-by-line"] if lines else []
                yield [sys.executable, str(scripts / "pretrain.py"), *shared, "--corpus", corpus, "--model", start, *budget, "--out", out]
                start = out
            tune = ["--model", start, "--train", str(recipe.get("train", "all")), "--head-layers", str(recipe.get("head_layers", 1))]
            tune += ["--lr", str(_rate(recipe)), "--epochs", str(EPOCHS), "--batch-size", str(BATCH), "--max-length", str(LENGTH)]
            tune += ["--scratch"] if recipe.get("scratch") else []
            yield [sys.executable, str(scripts / "finetune.py"), *shared, *tune, "--out", str(place / "finetune")]


BARS = {f"against {peer}": Bar(5) for peer in (BLOCKS, LINES)}
ROWS = (Row("study", "seconds of wall clock from the command to the results", _study, {"cpu": BARS}),)
