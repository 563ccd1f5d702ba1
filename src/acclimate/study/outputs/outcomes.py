"""What a study leaves in its output folder: a row a run, every prediction, the verdicts, and the facts that a report needs."""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from acclimate.evaluation.cost import Cost, shared_costs, total
from acclimate.evaluation.predictions import read_answers
from acclimate.evaluation.statistics import Verdict, compare
from acclimate.files import atomic_file, read_json, read_table
from acclimate.inert import cell, inert
from acclimate.study.engines.reports import Report
from acclimate.study.language.study import Study
from acclimate.study.outputs.best import Candidate
from acclimate.study.outputs.contributions import written_contributions
from acclimate.study.plan.graph import Plan, Run
from acclimate.study.store.artifacts import Store
from acclimate.study.store.entries import ADAPTER_OF
from acclimate.tasks.metrics.metric import Metric
from acclimate.tasks.task import Task

COSTS = (
    "seconds", "seconds_shared_once", "seconds_pro_rata", "tokens", "flops", "peak_memory_bytes", "parameters", "trained_parameters",
    "disk_bytes", "inference_texts_per_second",
)  # fmt: skip
UNKNOWN = "unknown_share_test"  # of a stage's metrics


@dataclass(frozen=True)
class Outcomes:
    """The finished and failed stages of a plan, read from the store."""

    plan: Plan
    store: Store
    reports: Mapping[str, Report]  # of the jobs of this call; what was cached has none
    measured: Mapping[str, dict[str, Any]]  # metrics.json by key, of what is done

    @staticmethod
    def read(plan: Plan, store: Store, reports: Mapping[str, Report]) -> "Outcomes":
        """Read the metrics of every stage that is in the store."""
        done = {key: read_json(store.path(key) / "metrics.json") for key in plan.nodes if store.has(key)}
        return Outcomes(plan, store, reports, done)

    def error(self, run: Run) -> str | None:
        """Why a run has no result; None where it has one."""
        if run.end in self.measured:
            return None
        failed = next((self.reports[key].error for key in run.nodes if key in self.reports and self.reports[key].status == "failed"), None)
        return inert(failed or "not run")

    def costs(self, run: Run) -> list[tuple[str, Cost]]:
        """What each stage of a finished run cost, by key, from the base on."""
        end = self.measured[run.end]
        return [(key, Cost.from_json(cost)) for key, cost in (*end["chain"], (run.end, end["cost"]))]


def rows(study: Study, outcomes: Outcomes) -> list[dict[str, Any]]:
    """A row a run: recipe, seed, labels, status, one column a metric, costs."""
    done = {run: outcomes.costs(run) for run in outcomes.plan.runs if outcomes.error(run) is None}
    shares = shared_costs({_name(run): chain for run, chain in done.items()})
    names = sorted({name for run in done for name in outcomes.measured[run.end]["metrics"] if name.startswith(("dev_", "test_"))})
    # Plain baselines have no vocabulary of this kind.
    unknown = ["unknown_share"] if any(UNKNOWN in outcomes.measured[run.end]["metrics"] for run in done) else []
    table = []
    for run in outcomes.plan.runs:
        row: dict[str, Any] = {"recipe": run.recipe, "seed": run.seed, "labels": run.labels}
        error = outcomes.error(run)
        row |= {"status": "failed" if error else "done", "error": error or "", "reference": run.recipe == study.reference_name}
        if error:
            table.append(row | dict.fromkeys((*names, *unknown, *COSTS)) | {"key": run.end})
            continue
        metrics = outcomes.measured[run.end]["metrics"]
        costs = [cost for _, cost in done[run]]
        whole, end = total(costs), costs[-1]
        once, pro_rata = shares[_name(run)]
        row |= {name: metrics.get(name) for name in names} | {name: metrics.get(UNKNOWN) for name in unknown}
        row |= {
            "seconds": whole.seconds,
            "seconds_shared_once": once,
            "seconds_pro_rata": pro_rata,
            "tokens": whole.tokens,
            "flops": whole.flops,
            "peak_memory_bytes": whole.peak_memory_bytes,
            # What is handed over is the last stage's model.
            "parameters": end.parameters,
            "trained_parameters": end.trained_parameters,
            "disk_bytes": _whole_bytes(outcomes, run.end),
            "inference_texts_per_second": end.inference_texts_per_second,
            "key": run.end,
        }
        table.append(row)
    return table


def _whole_bytes(outcomes: Outcomes, key: str) -> int | None:
    # An adapter answers nothing without the model that it belongs to.
    own: int | None = outcomes.measured[key]["cost"]["disk_bytes"]
    before = outcomes.store.record(key).get(ADAPTER_OF)
    if own is None or before is None or before not in outcomes.measured:
        return own
    return own + (_whole_bytes(outcomes, before) or 0)


def write_rows(table: list[dict[str, Any]], out: Path) -> None:
    """Write `results.parquet` and `results.csv`."""
    with atomic_file(out / "results.parquet") as path:
        pq.write_table(pa.Table.from_pylist(table), path)
    with atomic_file(out / "results.csv") as path, path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(table[0]))
        writer.writeheader()
        writer.writerows({name: cell(value) for name, value in row.items()} for row in table)


def write_predictions(outcomes: Outcomes, task: Task, out: Path) -> None:
    """Write `predictions.parquet`: recipe, seed, labels, split, index, gold and the answers; by name what has names, documents by id.

    Documents that have no ids of their own are written beside it once, `searched_documents.parquet`: id and text.
    """
    names, documents = pa.array(task.names, pa.string()), task.test.collection
    ids = None if documents is None else pa.array(documents.ids, pa.string())

    def parts() -> Iterator[pa.Table]:
        for run in outcomes.plan.runs:
            if outcomes.error(run) is None:
                part = read_table(outcomes.store.path(run.end) / "predictions.parquet")
                columns = {name: part[name] for name in part.column_names} | {name: _by_name(part[name], names) for name in task.kind.named}
                if ids is not None:
                    columns |= {name: _by_id(part[name], ids) for name in ("gold", "predicted")}
                about = {"recipe": run.recipe, "seed": run.seed, "labels": run.labels}
                yield pa.table({name: [value] * part.num_rows for name, value in about.items()} | columns)

    # One run at a time: all of them are gigabytes where there are thousands of labels.
    rest = parts()
    first = next(rest, pa.table({"recipe": pa.array([], pa.string())}))
    with atomic_file(out / "predictions.parquet") as path, pq.ParquetWriter(path, first.schema) as writer:
        for part in chain((first,), rest):
            writer.write_table(part)
    if documents is not None and documents.numbered:
        with atomic_file(out / "searched_documents.parquet") as path:
            pq.write_table(pa.table({"id": ids, "text": pa.array(documents.texts, pa.string())}), path)


def verdicts(study: Study, outcomes: Outcomes, task: Task, out: Path) -> list[Verdict]:
    """Compare every recipe with the reference, budget by budget, on the predictions of test.

    What every test item contributes to the score of each run is kept in `contributions.parquet`: any other pair follows from it.
    """
    found: list[Verdict] = []
    metric = task.kind.metric(study.metric)
    with written_contributions(out, task.test) as write:
        for labels in study.label_budgets:
            each: dict[str, dict[int, NDArray[np.float64]]] = {name: {} for name in study.compared}
            for run in outcomes.plan.runs:
                if run.labels == labels and outcomes.error(run) is None:
                    answers = read_answers(outcomes.store.path(run.end) / "predictions.parquet", "test", metric.reads)
                    each[run.recipe][run.seed] = metric.each(task.test, answers)
                    write(run.recipe, run.seed, labels, each[run.recipe][run.seed])
            if any(each.values()):
                found += compare(each, study.reference_name, metric, labels=labels, seeds=study.seed_list, groups=task.test.groups)
    return found


def _by_name(column: pa.ChunkedArray, names: pa.Array) -> Any:
    """Numbers, or lists of them, as the names that they point to; of lists of truths, one a name, the names that are true."""
    if not pa.types.is_list(column.type):
        return names.take(column)
    known = names.to_pylist()
    if not pa.types.is_boolean(column.type.value_type):
        return pa.array([[known[number] for number in row] for row in column.to_pylist()], pa.list_(pa.string()))
    return pa.array([[name for name, holds in zip(known, row, strict=True) if holds] for row in column.to_pylist()], pa.list_(pa.string()))


def _by_id(column: pa.ChunkedArray, ids: pa.Array) -> pa.Array:
    """Lists of documents, by number, as lists of their ids; with a grade each, as lists of {document, grade}."""
    lists = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    values = lists.flatten()
    if pa.types.is_list(values.type):
        both = values.flatten().to_numpy(zero_copy_only=False).reshape(-1, 2)
        found = pa.StructArray.from_arrays([ids.take(pa.array(both[:, 0])), pa.array(both[:, 1])], names=["document", "grade"])
    else:
        found = ids.take(values)
    return pa.ListArray.from_arrays(pa.array(lists.offsets.to_numpy() - lists.offsets[0].as_py(), pa.int32()), found)


def candidates(outcomes: Outcomes, metric: Metric, largest: str) -> list[Candidate]:
    """The finished runs at the largest label budget."""
    return [
        Candidate(
            run.recipe,
            run.seed,
            run.labels,
            outcomes.measured[run.end]["metrics"][f"dev_{metric.name}"],
            outcomes.store.path(run.end) / "model",
            metric.lower_is_better,
        )
        for run in outcomes.plan.runs
        if run.labels == largest and outcomes.error(run) is None
    ]


def stage_facts(outcomes: Outcomes, cached: set[str], usual: Mapping[str | None, str]) -> list[dict[str, Any]]:
    """For the report: every stage with who uses it, what it measured and cost, and whether it was there already.

    `usual` is the score that chooses weights where the settings name none, by the task that a stage is about (None: the study's).
    """
    facts = []
    labelled = set[str]()  # keys of what reads labels of the task, or is made from what does
    for node in outcomes.plan.nodes.values():
        if "labels" in node.stage.reads() or not labelled.isdisjoint(node.parents):
            labelled.add(node.key)
        measured = outcomes.measured.get(node.key)
        report = outcomes.reports.get(node.key)
        facts.append(
            {
                "key": node.key,
                "stage": node.stage.word(),
                "role": node.stage.role,
                "reads": list(node.stage.reads()),
                "does": node.stage.title(),
                "title": node.title,
                "parent": node.parent,
                "beside": dict(node.beside),
                **({"search": node.search} if node.search is not None else {}),
                **({"selected": dict(node.selected)} if node.selected else {}),
                "about": node.stage.about(),
                "recipes": list(outcomes.plan.recipes_of(node.key)),
                "runs": len(outcomes.plan.runs_of[node.key]),
                "seed": node.seed,
                "draw": node.draw,
                "labels": node.labels if node.key in labelled else None,
                "cached": node.key in cached,
                "status": "done" if measured else (report.status if report else "not run"),
                "seconds": measured["cost"]["seconds"] if measured else None,
                "metrics": measured["metrics"] if measured else {},
                "notes": measured["notes"] if measured else [],
                "cost": measured["cost"] if measured else {},
                "settings": {
                    name: usual.get(node.stage.about()) if name == "select_by" and value is None else value
                    for name, value in node.stage.model_dump(mode="json").items()
                    if name not in node.stage.silent or value != node.stage.silent[name]  # as in its key: nobody asked for it
                },
            }
        )
    return facts


def verdict_facts(found: list[Verdict]) -> list[dict[str, Any]]:
    """The verdicts as JSON."""
    return [asdict(verdict) for verdict in found]


def _name(run: Run) -> str:
    return f"{run.recipe}\x1f{run.seed}\x1f{run.labels}"
