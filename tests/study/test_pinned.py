"""What must not move by accident: keys, and with them every store; predictions as they are kept; the numbers of verdicts.

`pinned.json` was written by the code of 26 November 2026. Who moves a key on purpose says so in the CHANGELOG, with the reason, and pins it
anew: `PIN=1 python -m pytest tests/study/test_pinned.py`. Weights depend on the processor and are not pinned here.
"""

import hashlib
import json
import os
import runpy
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from acclimate.data.corpus import Corpus
from acclimate.evaluation.predictions import write_predictions
from acclimate.evaluation.statistics import compare
from acclimate.study.language.study import parse_study
from acclimate.study.plan import graph
from acclimate.tasks import opened
from acclimate.tasks.classify import Classify
from acclimate.tasks.looked_through import LookedThrough
from acclimate.tasks.one_name import highest
from acclimate.tasks.opened import Data
from acclimate.tasks.split import Split
from acclimate.tasks.task import Task

pytestmark = pytest.mark.measured(1)

ROOT = Path(__file__).resolve().parents[2]
PINNED = Path(__file__).with_name("pinned.json")
# Those that read IMDB are left out: opening it takes as long as all others together; and those that ask a model which another study makes.
LEFT_OUT = ("imdb", "zero-shot")
PUBLISHED = [
    path.name for path in sorted((ROOT / "docs/results").glob("*.resolved.yaml")) if not any(name in path.name for name in LEFT_OUT)
]

TYPES = "conll-types"  # a folder of sentences that a script writes
NEWS = "bbc.jsonl"  # articles that another one writes
TITLES = "path: acl-titles"  # and titles with their abstracts, a third

WEIGHTS = {"a": 1.0, "b": 2.0, "c": 1.0}
SHORT: dict[str, Any] = {"epochs": 2, "max_length": 48}
STUDY: dict[str, Any] = {
    "base": "acclimate-tiny",
    "seeds": 2,
    "labels": ["all", 20],
    "data": {"task": {split: f"{split}.jsonl" for split in ("train", "dev", "test")}, "domain": "domain.txt", "general": "general.txt"},
    "recipes": {
        "fine-tune": ["finetune"],
        "short": [{"finetune": SHORT}],
        "head": [{"finetune": {"train": "head"}}],
        "top": [{"finetune": {"train": 1, "layer_decay": 0.9, "class_weights": "balanced", "frozen_precision": "float16"}}],
        "deep": [{"finetune": {"head": {"layers": 2}, "class_weights": WEIGHTS, "schedule": "cosine", "select_by": "accuracy"}}],
        "dapt": ["pretrain", "finetune"],
        "both": [
            {"pretrain": {"corpus": {"domain": 1, "general": 0.5}, "batch_ramp": 0.5}},
            {"pretrain": {"corpus": "task", "include": ["test"]}},
            "finetune",
        ],
        "twice": [{"pretrain": {"tokens": 5000, "whole_word": True}}, {"pretrain": {"lr": 5e-5}}, "finetune"],
        "random": {"base": "random", "stages": ["pretrain", "finetune"]},
        "new": {"base": {"random": {"layers": 1, "hidden": 64, "heads": 2}}, "stages": [{"pretrain": {"mask_rate": 0.3}}, "finetune"]},
        "cut": {"base": {"layers_of": "dapt", "keep": 1}, "stages": ["finetune"]},
        "pruned": [{"prune": {"size": 2500}}, "finetune"],
        "again": {"stages": ["finetune"], "draw": 1},
        "majority": {"base": "majority"},
        "tfidf": {"base": {"tfidf": {"ngrams": 1}}},
        "bilstm": {"base": "bilstm"},
    },
}


def pinned(name: str, found: Any) -> Any:
    """What is kept under this name; written anew where that is asked for."""
    kept = json.loads(PINNED.read_text()) if PINNED.is_file() else {}
    if os.environ.get("PIN"):
        kept[name] = found
        PINNED.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
    return kept.get(name)


def keys(study: Any, root: Path) -> dict[str, str]:
    """A key's first letters by recipe, seed, budget and place in the chain."""
    plan = graph.Plan.of(study, Data.open(study.data, root), root)
    return {
        f"{run.recipe}, seed {run.seed}, {run.labels} labels, stage {place}": key[:16]
        for run in plan.runs
        for place, key in enumerate(run.nodes)
    }


def not_looked_through(task: object, corpora: dict[str, Corpus], *_: object) -> tuple[LookedThrough, dict[str, Corpus]]:
    """What a corpus shares with the test texts is counted beside reading it, decides no key, and takes as long as all the rest."""
    return LookedThrough(), dict(corpora)


@pytest.fixture(scope="module")
def read_once() -> Iterator[None]:
    """A task that several studies read in the same way is read for the first of them."""
    read: dict[object, Task] = {}
    opened_anew = Task.open

    def opened_once(kind: Any, root: Path, *more: Any) -> Task:
        asked = (type(kind), kind.model_dump_json(), root, repr(more))
        if asked not in read:
            read[asked] = opened_anew(kind, root, *more)
        return read[asked]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Task, "open", opened_once)
        yield


@pytest.fixture(autouse=True)
def fixed_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "version", lambda name: f"the version of {name}")
    monkeypatch.setattr(opened, "look_through", not_looked_through)


def test_keys_of_a_study_of_every_stage_are_what_they_were(tmp_path: Path) -> None:
    for split, count in (("train", 40), ("dev", 12), ("test", 16)):
        rows = [{"text": f"{split} text number {number} about {'abc'[number % 3]}", "label": "abc"[number % 3]} for number in range(count)]
        (tmp_path / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for name in ("domain", "general"):
        (tmp_path / f"{name}.txt").write_text("\n\n".join(f"A {name} document, number {number}, with a few words." for number in range(30)))
    found = keys(parse_study(STUDY), tmp_path)
    assert found == pinned("keys of a study of every stage", found)


@pytest.mark.measured(0)
@pytest.mark.usefixtures("read_once")
@pytest.mark.parametrize("file", PUBLISHED)
def test_keys_of_published_studies_are_what_they_were(file: str, shared: Path, tmp_path: Path) -> None:
    path = ROOT / "docs/results" / file
    written = path.read_text().replace("../../../shared/", f"{shared.parent}/")
    if TYPES in written:
        make = runpy.run_path(str(ROOT / "docs/results/make_conll_types.py"))["main"]
        make(shared / "tasks" / "ner_conll2003", tmp_path / TYPES)
        written = written.replace(TYPES, str(tmp_path / TYPES))
    if NEWS in written:
        runpy.run_path(str(ROOT / "docs/results/make_bbc.py"))["main"](tmp_path / NEWS)
        written = written.replace(NEWS, str(tmp_path / NEWS))
    if TITLES in written:
        make = runpy.run_path(str(ROOT / "docs/results/make_acl_titles.py"))["main"]
        make(shared / "corpora/cs_acl_anthology_abstracts.txt.zst", tmp_path / "acl-titles")
        written = written.replace(TITLES, f"path: {tmp_path}/acl-titles")
    study = parse_study({"name": path.name.removesuffix(".resolved.yaml"), **yaml.safe_load(written)})
    whole = hashlib.sha256(json.dumps(keys(study, path.parent)).encode()).hexdigest()[:16]
    assert whole == pinned(file, whole)


def test_predictions_are_kept_as_they_were(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    splits = {}
    for name, count in (("dev", 7), ("test", 11)):
        gold = rng.integers(0, 3, count)
        split = Split((tuple(map(str, range(count))),), gold, np.arange(count) + 5, (), None, ("a", "b", "c"))
        splits[name] = (split, highest(rng.dirichlet(np.ones(3), count), split))
    write_predictions(tmp_path / "predictions.parquet", splits)
    table = pq.read_table(tmp_path / "predictions.parquet")
    found = {"schema": str(table.schema), "rows": hashlib.sha256(json.dumps(table.to_pylist()).encode()).hexdigest()}
    assert found == pinned("predictions", found)


def test_verdicts_are_what_they_were() -> None:
    rng = np.random.default_rng(1)
    gold = rng.integers(0, 3, 150)
    split = Split((("",) * 150,), gold, np.arange(150), (), None, ("a", "b", "c"))
    found = {}
    for name in ("macro_f1", "accuracy", "micro_f1", "mcc"):
        metric, each = Classify.metric(name), {}
        for recipe, right in (("reference", 0.6), ("good", 0.8), ("bad", 0.5)):
            said = {seed: np.where(rng.random(150) < right, gold, rng.integers(0, 3, 150)) for seed in range(3)}
            each[recipe] = {seed: metric.each(split, {"predicted": answers}) for seed, answers in said.items()}
        found[name] = [asdict(verdict) for verdict in compare(each, "reference", metric, seeds=range(3))]
    kept = pinned("verdicts", found)
    for name, verdicts in found.items():
        for verdict, wanted in zip(verdicts, kept[name], strict=True):
            words = {key: value for key, value in verdict.items() if not isinstance(value, float)}
            assert words == {key: wanted[key] for key in words}
            numbers = {key: value for key, value in verdict.items() if isinstance(value, float)}
            # scipy 1.14 and 1.17 are 3e-9 apart.
            assert numbers == pytest.approx({key: wanted[key] for key in numbers}, rel=1e-8, abs=1e-11)
