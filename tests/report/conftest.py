"""Result folders as a study writes them, small and believable, with text in them that would like to be more than text."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from acclimate.report.charts import svg
from acclimate.report.results.finished import Results

HOSTILE = "<script>alert(1)</script>"
TEMPLATE = "{{ 7*7 }} {% raw %}"
OVERRIDE = "\u202egnp.exe\u2066"
BREAKOUT = "</script></pre></style><img src=http://evil.example/x.png onerror=alert(1)>"
MARKUP = "[bold red]DAPT[/] | `x`"
ERROR = f"out of memory\n{BREAKOUT}\x1b[31m"
LABELS = ("pos", HOSTILE, f"neg {OVERRIDE}")
COSTS = {
    "seconds": 61.5, "seconds_shared_once": 50.25, "seconds_pro_rata": 40.5, "tokens": 120_000, "flops": 3.2e13,
    "peak_memory_bytes": 910_000_000, "parameters": 22_713_216, "trained_parameters": 22_713_216, "disk_bytes": 90_900_000,
    "inference_texts_per_second": 145.2,
}  # fmt: skip

CURVES = pa.schema([("key", pa.string()), ("curve", pa.string()), ("step", pa.float64()), ("value", pa.float64())])

# By recipe and budget, a score for each seed; a text is the error of a run that failed.
Scores = Mapping[str, Mapping[str, Sequence[float | str]]]
# By recipe and budget: difference, low, high, verdict.
Verdicts = Mapping[tuple[str, str], tuple[float | None, float | None, float | None, str]]

_drawn: dict[str, str] = {}


@pytest.fixture(autouse=True, scope="module")
def each_chart_is_drawn_once() -> Iterator[None]:
    """Most pages here are of the same folder; its charts are drawn for the first of them."""
    draw = svg._svg

    def remembered(specification: dict[str, Any]) -> str:
        key = json.dumps(specification)
        if key not in _drawn:
            _drawn[key] = draw(specification)
        return _drawn[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(svg, "_svg", remembered)
        yield


def stage(kind: str, *recipes: str, seed: int = 0, labels: str = "all", **more: Any) -> dict[str, Any]:
    """A stage as `study.json` tells it."""
    facts = {
        "key": f"{kind}-{seed}",
        "stage": kind,
        "recipes": list(recipes),
        "seed": seed,
        "labels": labels,
        "cached": False,
        "status": "done",
    }
    return {**facts, "seconds": 30.0, "metrics": {}, "notes": [], "cost": {"seconds": 30.0, "tokens": 50_000}, **more}


def write_folder(
    folder: Path,
    scores: Scores,
    verdicts: Verdicts,
    *,
    reference: str = "fine-tune",
    stages: Sequence[Mapping[str, Any]] = (),
    detectable: float | None = 0.031,
    seconds: Mapping[str, float] | None = None,
    **study: Any,
) -> Path:
    """Write the five files; dev scores are the test scores and a hundredth."""
    rows: list[dict[str, Any]] = []
    predictions: list[dict[str, Any]] = []
    for recipe, budgets in scores.items():
        costs = COSTS | ({"seconds": seconds[recipe]} if seconds and recipe in seconds else {})
        for labels, values in budgets.items():
            for seed, value in enumerate(values):
                done = not isinstance(value, str)
                row = {
                    "recipe": recipe,
                    "seed": seed,
                    "labels": labels,
                    "status": "done" if done else "failed",
                    "reference": recipe == reference,
                }
                row |= {
                    "error": "" if done else value,
                    "dev_macro_f1": value + 0.01 if done else None,
                    "test_macro_f1": value if done else None,
                }
                row |= {"dev_accuracy": 0.9 if done else None, "test_accuracy": 0.875 if done else None}
                rows.append(row | {name: cost if done else None for name, cost in costs.items()} | {"key": f"{recipe}-{seed}"})
                for index in range(6 if done else 0):
                    about = {"recipe": recipe, "seed": seed, "labels": labels, "split": "dev" if index == 5 else "test", "index": index}
                    predictions.append({**about, "gold": LABELS[index % 3], "predicted": LABELS[0], "probabilities": [0.5, 0.3, 0.2]})
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), folder / "results.parquet")
    # Like the study itself: no columns to speak of where every run failed.
    pq.write_table(
        pa.Table.from_pylist(predictions) if predictions else pa.table({"recipe": pa.array([], pa.string())}),
        folder / "predictions.parquet",
    )
    compared = [
        {
            "recipe": recipe, "reference": reference, "labels": labels, "metric": "macro_f1", "mean": 0.8, "difference": difference,
            "low": low, "high": high, "p": 0.004, "p_holm": 0.012, "detectable": detectable, "verdict": word,
            "seeds": sum(not isinstance(value, str) for value in scores[recipe][labels]), "failed_seeds": 0,
        }
        for (recipe, labels), (difference, low, high, word) in verdicts.items()
    ]  # fmt: skip
    facts = {"study": "s", "metric": "test_macro_f1", "reference": reference, "verdicts": compared}
    (folder / "verdicts.json").write_text(json.dumps(facts), encoding="utf-8")
    about = {"name": "contracts", "version": "0.1.0", "stages": list(stages), "data": {}, "best": None, "notes": [], **study}
    (folder / "study.json").write_text(json.dumps(about), encoding="utf-8")
    (folder / "study.yaml").write_text("base: model\n# " + BREAKOUT + "\n", encoding="utf-8")
    curves = [
        {"key": each.get("key", "k"), "curve": name, "step": step, "value": 1.0 / (1 + step + (each.get("seed") or 0))}
        for each in stages
        for name in ("loss", "dev_macro_f1")
        for step in (1.0, 2.0, 3.0)
    ]
    pq.write_table(pa.Table.from_pylist(curves, CURVES), folder / "curves.parquet")
    disagreements = [
        {
            "index": 7, "text": f"{BREAKOUT} $x^2$ {TEMPLATE} {OVERRIDE}\x00", "cut": 12, "gold": LABELS[0],
            "recipes": {recipe: {"said": LABELS[number % 3], "right": 1.0 - number / 3} for number, recipe in enumerate(scores)},
        }
    ]  # fmt: skip
    (folder / "disagreements.json").write_text(json.dumps(disagreements), encoding="utf-8")
    return folder


@pytest.fixture
def results_of(tmp_path: Path) -> Callable[..., Results]:
    """Write a folder with these scores and verdicts and load it."""

    def make(scores: Scores, verdicts: Verdicts | None = None, **more: Any) -> Results:
        return Results.load(write_folder(tmp_path / "results", scores, verdicts or {}, **more))

    return make


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as `folder` is, with its report, for those who only read."""
    from acclimate.report.pages.page import write_report

    made = hostile(tmp_path_factory.mktemp("written"))
    write_report(made)
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of the results of `hostile` that a test may change."""
    return hostile(tmp_path)


def hostile(where: Path) -> Path:
    """Three recipes, three seeds, two budgets, one failed run, and hostile text wherever a user's text can stand."""
    evil = HOSTILE + TEMPLATE
    scores: Scores = {
        "fine-tune": {"50": [0.611, 0.634, 0.602], "500": [0.801, 0.812, 0.795]},
        evil: {
            "50": [0.655, 0.671, ERROR],
            "500": [0.847, 0.851, 0.839],
        },
        f"tfidf {OVERRIDE}": {"50": [0.582, 0.571, 0.59], "500": [0.811, 0.811, 0.811]},
    }
    verdicts: Verdicts = {
        (evil, "50"): (0.0405, -0.012, 0.093, "cannot tell"),
        (f"tfidf {OVERRIDE}", "50"): (-0.0347, -0.061, -0.0084, "worse"),
        (evil, "500"): (0.0430, 0.0194, 0.0666, "better"),
        (f"tfidf {OVERRIDE}", "500"): (0.0083, -0.0211, 0.0377, "cannot tell"),
    }
    heldout = {"heldout_loss_before": 3.214, "heldout_loss_after": 2.487, "dropped_tokens": 120, "fresh_mlm_head": True}
    cut, runs = {"cut_tokens_train": 17}, [(labels, seed) for labels in ("50", "500") for seed in range(3)]
    stages = [
        stage("pretrain", evil, metrics=heldout, notes=[f"a fresh MLM head was made {BREAKOUT}"], cached=True, runs=6),
        *(stage("finetune", name, seed=seed, labels=labels, metrics=cut) for name in ("fine-tune", evil) for labels, seed in runs),
        *(stage("tfidf", f"tfidf {OVERRIDE}", seed=seed, labels=labels) for labels, seed in runs),
    ]  # fmt: skip
    return write_folder(where / "results", scores, verdicts, stages=stages, **_facts(evil))


def _facts(evil: str) -> dict[str, Any]:
    return {
        "name": f"contracts {HOSTILE}\ud800",
        "created": "2026-01-02T03:04:05+00:00",
        "command": f"acclimate study study.yaml {BREAKOUT}",
        "machine": {"system": "Linux x86_64", "python": "3.11.9", "cpus": 2, "memory_bytes": 8_000_000_000},
        "versions": {"acclimate": "0.1.0", "torch": "2.13.0"},
        "labels": list(LABELS),
        "best": {"recipe": evil, "seed": 0, "labels": "500", "dev_macro_f1": 0.857, "transformer": {"recipe": "fine-tune", "seed": 1}},
        "notes": [f"{evil}: a fresh MLM head was made {BREAKOUT}"],
        "data": {
            "task": {
                "labels": list(LABELS),
                "examples": {"train": 2503, "dev": 312, "test": 1043},
                "label_counts": {split: dict.fromkeys(LABELS, 41) for split in ("train", "dev", "test")},
                "words": {split: {"mean": 24.1, "median": 22.0, "p95": 61.0, "max": 188} for split in ("train", "dev", "test")},
                "files": {"train": [f"/home/me/{BREAKOUT}.jsonl"], "dev": ["/home/me/d.jsonl"], "test": ["/home/me/t.jsonl"]},
                "duplicates": {"within": {"train": 4, "dev": 0, "test": 1}, "across": {"train/test": 3}, "conflicting_texts": 2},
                "dropped": {"train": 3, "dev": 0, "test": 0},
                "rejected": 2,
                "problems": {f"bad JSON {HOSTILE}": 2},
                "rejects_file": "task.jsonl",
                "detected": {"format": "jsonl", "text": HOSTILE},
                "made": ["dev"],
                "split_seed": 0,
                "shared_groups": {},
                "unlabeled": None,
            },
            "corpora": {
                f"domain {OVERRIDE}": {
                    "paths": ["/data/a.jsonl", "/data/b.jsonl"], "files": 2, "documents": 41_000, "words": 5_300_000, "bytes": 33_000_000,
                    "rejected": 0, "problems": {}, "detected": {"text": "abstract"}, "rejects_file": None,
                }
            },
            "overlap": {f"domain {OVERRIDE}": 0.0125},
        },
    }  # fmt: skip
