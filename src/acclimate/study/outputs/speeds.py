"""How large and how fast the models are that the recipes hand over: timed once all runs are done, by one process, and kept in the store.

What decides how fast a model is, is its form and not its weights: models whose config.json, tokenizer and sizes of files agree, as those
of all seeds of a recipe do, are timed once together. The numbers stand in the cache, so another run of the study shows the same ones.
"""

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from acclimate.errors import StoreError
from acclimate.files import digest_json, read_json, write_json
from acclimate.modeling.base_files import CONFIG, THRESHOLDS, TOKENIZER
from acclimate.study.engines.local import gpu_count
from acclimate.study.outputs.outcomes import Outcomes
from acclimate.study.plan.graph import Run
from acclimate.study.plan.prepared import Prepared
from acclimate.study.store.whole import whole_model
from acclimate.versions import version

FOLDER = "speeds"  # in the store's cache
MOST_SECONDS = 120.0  # of a study: no further model is timed after these
DIFFERENT = 1.1  # times the parameters: a deeper head or some more words are no other size
COLUMNS = {"latency_seconds": "latency_seconds", "batch_texts_per_second": "texts_per_second"}  # of the results: of `AnswerSpeed`
SAME = ("_name_or_path", "transformers_version", THRESHOLDS)  # in config.json: changes nothing of how fast a model is
LIBRARIES = ("acclimate", "torch", "transformers", "tokenizers", "scikit-learn")


@dataclass(frozen=True)
class Speeds:
    """What was timed, by the key of a run's last stage."""

    by_end: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)  # recipe: why its models could not be timed
    batch: int = 0


def is_asked(prepared: Prepared, outcomes: Outcomes) -> bool:
    """Whether models are timed: where the study says so, or says nothing and its transformers differ in size; never in a smoke run."""
    if prepared.smoke or prepared.study.speed is False:
        return False
    plan = outcomes.plan
    ends = [run.end for run in plan.runs if run.end in outcomes.measured and plan.nodes[run.end].stage.role != "baseline"]
    sizes = [size for end in ends if (size := outcomes.measured[end]["cost"]["parameters"])]
    return bool(prepared.study.speed) or max(sizes, default=0) > DIFFERENT * min(sizes, default=0)


def answer_speeds(prepared: Prepared, outcomes: Outcomes, threads: int | None, say: Callable[[str], None]) -> Speeds | None:
    """Time the model of each recipe on test at the largest budget, the first seed that was done; None where nobody asked.

    What was timed on a busy machine is timed again once it is quiet. A model that cannot be timed is no reason to lose results: `failed`
    says why.
    """
    from acclimate.evaluation.answer_speed import busy_now, doubt

    if not is_asked(prepared, outcomes):
        return None
    largest = [*prepared.budget_sizes][-1]
    done = [run for run in outcomes.plan.runs if outcomes.error(run) is None]
    keys = {run.end: _key(prepared, outcomes, run.end, threads) for run in done}
    firsts: dict[str, Run] = {}
    for run in done:
        if run.labels == largest:
            firsts.setdefault(run.recipe, run)
    forms: dict[str, Run] = {}
    for run in firsts.values():
        forms.setdefault(keys[run.end], run)
    known = {key: kept for key in forms if (kept := _kept(prepared.store.cache / FOLDER / f"{key}.json")) is not None}
    doubtful = [key for key, kept in known.items() if doubt(kept["busy"])]
    if doubtful and not doubt(busy_now()):
        known = {key: kept for key, kept in known.items() if key not in doubtful}
    failed: dict[str, str] = {}
    if missing := {key: run for key, run in forms.items() if key not in known}:
        say(f"timing {len(missing)} models on test, one after the other")
        found, failed = _timed(prepared, outcomes, missing, threads)
        known |= found
    # Plain baselines have some words more with one seed than with another: at the largest budget a recipe's first seed stands for all.
    of = keys | {run.end: keys[firsts[run.recipe].end] for run in done if run.labels == largest}
    told = {recipe: failed[key] for recipe, run in firsts.items() if (key := keys[run.end]) in failed}
    return Speeds({end: known[key] for end, key in of.items() if key in known}, told, _batch())


def with_speeds(table: list[dict[str, Any]], speeds: Speeds | None) -> list[dict[str, Any]]:
    """The rows of the results with what was timed of their models; as they are where nothing was."""
    if speeds is None:
        return table
    nothing = dict.fromkeys(COLUMNS)
    found = ((row, speeds.by_end.get(row["key"]) if row["status"] == "done" else None) for row in table)
    return [row | ({name: told[of] for name, of in COLUMNS.items()} if told else nothing) for row, told in found]


def speed_facts(speeds: Speeds, outcomes: Outcomes, largest: str) -> dict[str, Any]:
    """The block of `study.json`: for each recipe who answered, where, and how many texts; why others were not timed; what is in doubt."""
    from acclimate.evaluation.answer_speed import doubt

    recipes: dict[str, Any] = {}
    for run in outcomes.plan.runs:
        if run.labels == largest and run.end in speeds.by_end:
            recipes.setdefault(run.recipe, speeds.by_end[run.end])
    told = doubt(max((float(each["busy"]) for each in recipes.values()), default=0.0))
    return {"batch": speeds.batch, "labels": largest, "recipes": recipes, "failed": dict(speeds.failed), "doubt": told}


def speed_notes(speeds: Speeds | None) -> list[str]:
    """What whoever reads the numbers should know of them."""
    return [] if speeds is None else [f"{recipe} was not timed: {why}" for recipe, why in speeds.failed.items()]


def _timed(
    prepared: Prepared, outcomes: Outcomes, runs: Mapping[str, Run], threads: int | None
) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:  # fmt: skip
    """What was timed now, and why some could not be, by key; each is kept at once, so that whoever is stopped goes on with the next."""
    from acclimate.evaluation.answer_speed import Items, answer_speed

    task = prepared.data.task
    assert task is not None
    items = Items(task.test.inputs, task.test.words)
    found: dict[str, dict[str, Any]] = {}
    failed: dict[str, str] = {}
    began = time.monotonic()
    for key, run in runs.items():
        if time.monotonic() - began > MOST_SECONDS:
            failed[key] = f"those before it took more than {MOST_SECONDS:.0f} s; the same command times the rest"
            continue
        model = outcomes.store.path(run.end) / "model"
        try:
            model = whole_model(outcomes.store, model)
            found[key] = answer_speed(model, items, threads).to_json()
        except Exception as error:  # whatever it is, scores that took hours are worth more
            failed[key] = str(error).removeprefix(f"{model}: ").partition("\n")[0] or type(error).__name__
            continue
        write_json(prepared.store.cache / FOLDER / f"{key}.json", found[key])
    return found, failed


def _kept(file: Path) -> dict[str, Any] | None:
    with suppress(StoreError):  # damaged: timed again
        kept = read_json(file) if file.is_file() else None
        return dict(kept) if isinstance(kept, dict) else None
    return None


def _key(prepared: Prepared, outcomes: Outcomes, end: str, threads: int | None) -> str:
    """Of all that decides how fast a model is: its form, the texts, this machine, and what runs it."""
    from acclimate.evaluation.answer_speed import RULES

    folder, files = outcomes.store.path(end) / "model", outcomes.store.record(end)["files"]
    form: dict[str, Any] = {name: value for name, value in read_json(folder / CONFIG).items() if name not in SAME}
    words = {name: told["sha256"] for name, told in files.items() if name == f"model/{TOKENIZER}"}
    sizes = {name: told["bytes"] for name, told in files.items() if name.startswith("model/") and name != f"model/{CONFIG}"}
    assert prepared.data.task is not None
    where = {"processor": _processor(), "cpus": os.cpu_count(), "gpus": gpu_count(), "threads": threads}
    libraries = {name: version(name) for name in LIBRARIES}
    texts = prepared.data.task.test.fingerprint
    return digest_json({"rules": RULES, "form": form, "words": words, "sizes": sizes, "texts": texts, "where": where, **libraries})


def _processor() -> str:
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return ""


def _batch() -> int:
    from acclimate.evaluation.answer_speed import BATCH

    return BATCH
