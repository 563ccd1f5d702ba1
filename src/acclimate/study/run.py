"""Running a study: open the data, make the plan, let an engine carry it out, compare, and write everything down."""

import os
import platform
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from acclimate.errors import Interrupted
from acclimate.files import digest_file, locked, write_json
from acclimate.modeling.base_dtype import in_base_dtype
from acclimate.owned import mark_made
from acclimate.stages.base import USUAL_SCORE, Stage
from acclimate.study.engines.engine import Engine, Job, Needs, Shared
from acclimate.study.engines.reports import Report
from acclimate.study.engines.table import Asked, engine_of
from acclimate.study.given import with_rows
from acclimate.study.language.implied import with_task
from acclimate.study.language.paths import data_paths, named_bases, precious
from acclimate.study.language.study import Study
from acclimate.study.outputs.attention import recipe_attention
from acclimate.study.outputs.best import Handover, hand_over
from acclimate.study.outputs.chosen_blocks import chosen_blocks
from acclimate.study.outputs.disagreements import disagreements
from acclimate.study.outputs.forgetting import failures, forgetting, with_general
from acclimate.study.outputs.learning_curves import write_curves
from acclimate.study.outputs.origins import base_facts, hub_datasets
from acclimate.study.outputs.outcomes import (
    Outcomes,
    candidates,
    rows,
    stage_facts,
    verdict_facts,
    verdicts,
    write_predictions,
    write_rows,
)
from acclimate.study.outputs.output_folder import ATTENTION, BLOCKS, RECORD, claim, refuse_foreign_data, replaced_results, take, usual_store
from acclimate.study.outputs.rounding import told_of_rounding
from acclimate.study.outputs.selected import write_selected
from acclimate.study.outputs.speeds import answer_speeds, speed_facts, speed_notes, with_speeds
from acclimate.study.outputs.text_overlap import text_overlap
from acclimate.study.outputs.trials_table import write_trials
from acclimate.study.outputs.vocabularies import vocabulary_facts
from acclimate.study.outputs.written_study import write_study
from acclimate.study.permission import own_code, refuse_own_code
from acclimate.study.plan.prepared import Prepared, prepare
from acclimate.study.store.artifacts import Store
from acclimate.study.store.opened import Place, anywhere, check_usable, is_address, open_store
from acclimate.study.store.room import lacking
from acclimate.study.store.whole import whole_model
from acclimate.study.watch.journal import Journal
from acclimate.study.watch.status import Begun, Status
from acclimate.study.worker import WorkerSetup
from acclimate.tasks.opened import Data
from acclimate.tasks.task import Task
from acclimate.training.tracking import Tracking, checked_trackers, repeated
from acclimate.versions import version

LIBRARIES = ("acclimate", "torch", "transformers", "tokenizers", "accelerate", "scikit-learn", "numpy")


@dataclass(frozen=True)
class Options:
    """Where and how a study runs; none of it changes what is computed beyond rounding."""

    out: Path
    store: Place  # a folder, or the address of a bucket
    engine: str = "local"
    address: str | None = None  # of the cluster, with the engine `ray`: HOST:PORT; None: the one that this machine belongs to
    gpus: float | None = None  # that a stage takes there, or a share of one; None: one
    devices: int | None = None  # over which each stage that trains is spread there, a process each; None: one
    fsdp: bool = False  # processes that train together divide weights, gradients and moments among them
    workers: int | None = None  # stages carried out at the same time, each in a process; None: one a GPU, or one
    threads: int | None = None
    precision: str = "auto"  # of `PRECISIONS`
    micro_tokens: int | None = None
    checkpoint_seconds: float = 120.0
    command: str = ""
    allow_code: bool = False  # that the study names as of its own (`loss: module:function`) is run
    track: tuple[str, ...] = ()  # experiment trackers that training stages are logged to, e.g. "tensorboard"
    publish: Callable[[Path], object] | None = None  # writes what is made from the results, before the study says that it is finished
    say: Callable[[str], None] = field(default=lambda line: print(line, file=sys.stderr, flush=True))
    # Draws how the study stands while its block runs; None: plain lines. What is said meanwhile must not tear the view.
    live: Callable[[Callable[[], Status]], AbstractContextManager[None]] | None = None


@dataclass(frozen=True)
class Finished:
    """What a study came to."""

    out: Path
    failed: int  # runs
    runs: int
    handover: Handover


def run_study(
    study: Study, root: Path, options: Options, smoke: bool = False, *,
    task: Any = None, tasks: Mapping[str, Any] | None = None, corpora: Mapping[str, Any] | None = None, allow_code: bool = False,
) -> Finished:  # fmt: skip
    """Run a study, or go on with it, and fill its output folder; paths in it start at `root`.

    Data may come from Python instead: `task` is a pandas frame, a dataset of `datasets`, an iterable of mappings (columns to values), or a
    mapping of split names (train, dev or validation, test) to these; `tasks` are the same of further tasks, by name; `corpora` are texts by
    the corpus's name, as for a task or an iterable of strings. All of it is read once, and as strictly as files: an error names the split
    and the row, from 1. Results and keys are those of equal files.

    A study that names code of its own (`loss: module:function`) runs it only where `allow_code` says so, or `options` does.

    Raises:
        DataError, ModelError, SettingsError: something that was given is wrong; nothing has been spent.
        Interrupted: a stop was asked for; everything done is kept, and the same call continues.
    """
    refuse_own_code(study, root, allow_code or options.allow_code)
    if follows():
        silent = replace(options, say=lambda _: None, live=None, track=(), engine="inline")
        study = with_rows(study, options.store, task=task, tasks=tasks, corpora=corpora)
        prepared = prepare(with_task(study)[0], root, options.store, smoke, precision=options.precision)
        carry_out(prepared, silent, Journal(study.name))
        return Finished(options.out, 0, 0, Handover(None, None))
    with closing(engine_for(options)) as engine:  # which may refuse what is asked before anything is spent
        options = replace(options, track=checked_trackers(options.track))
        store = open_store(options.store)
        claim(options.out, precious(study, root, store.root))
        if any(given is not None for given in (task, tasks, corpora)):
            refuse_foreign_data(options.out)
        store.check_writable()
        journal = Journal(study.name, options.out, options.live is not None, _begun(options, root))
        with locked(options.out / ".lock", timeout=0):
            take(options.out)
            with journal, ExitStack() as lease:
                study = with_rows(study, options.store, task=task, tasks=tasks, corpora=corpora)
                return _run(study, root, options, smoke, journal, lease, engine)


def _run(
    study: Study, root: Path, options: Options, smoke: bool, journal: Journal, lease: ExitStack, engine: Engine
) -> Finished:  # fmt: skip
    study, said = with_task(study)
    if said is not None:
        options.say(f"note: {said}")
    prepared = prepare(study, root, options.store, smoke, options.out, options.precision, lease)
    for line in lacking(prepared, options.out):
        options.say(line)
    reports = carry_out(prepared, options, journal, engine)
    if any(report.status == "interrupted" for report in reports.values()) or len(reports) < len(_jobs(prepared)):
        raise Interrupted("stopped; everything done so far is kept: the same command continues")
    finished = write_results(prepared, reports, options, journal.lost_attempts)
    if options.publish is not None:
        options.publish(options.out)
    journal.failed(finished.failed)
    return finished


def follows() -> bool:
    """Whether torchrun started this process beside a main one: it trains along and leaves the writing to that one."""
    return int(os.environ.get("RANK", "0")) > 0


def engine_for(options: Options) -> Engine:
    """The engine that is asked for.

    Raises:
        SettingsError, MissingExtraError, ClusterError: it cannot be had.
    """
    return engine_of(options.engine, Asked(options.workers, options.address, options.gpus, options.devices, options.fsdp))


def carry_out(prepared: Prepared, options: Options, journal: Journal, engine: Engine | None = None) -> dict[str, Report]:
    """Let the engine (by default a new one, as the options say) do what is not in the store yet, and keep the journal of it."""
    jobs = _jobs(prepared)
    titles = repeated(node.title for node in prepared.plan.nodes.values())
    tracking = Tracking(options.track, prepared.study.name, options.out.resolve(), titles) if options.track else None
    setup = WorkerSetup(
        prepared.study.data, prepared.root.absolute(), anywhere(options.store), prepared.data.fingerprints(), prepared.data.found.dropping,
        prepared.smoke, options.threads, options.precision, options.micro_tokens, options.checkpoint_seconds, prepared.study.fast_paths,
        steps_are_shown=options.live is not None, tracking=tracking, general=prepared.study.general_text,
        shared=_shared(prepared, options.store, jobs), fsdp=options.fsdp,
    )  # fmt: skip
    options.say(f"{len(prepared.plan.nodes)} stages for {len(prepared.plan.runs)} runs; {len(prepared.cached)} are there already")
    for note in (*prepared.notes, *((*prepared.readings.notes(prepared.plan), *prepared.plan.notes()) if jobs else ())):
        options.say(f"note: {note}")
    journal.planned(prepared, (job.key for job in jobs))
    if not jobs:
        return {}
    live = options.live(journal.snapshot) if options.live is not None else nullcontext()
    with live, nullcontext(engine) if engine is not None else closing(engine_for(options)) as used:
        return used.run(jobs, used.settle(setup), options.say, journal)


def write_results(
    prepared: Prepared, reports: dict[str, Report], options: Options, lost: Mapping[str, Sequence[str]] | None = None
) -> Finished:  # fmt: skip
    """Compare the runs and write the output folder (all but the report page). `lost`: why stages were carried out again, by key."""
    prepared = prepared.with_chosen()
    study, out = prepared.study, options.out
    outcomes = Outcomes.read(prepared.plan, prepared.store, reports)
    speeds = answer_speeds(prepared, outcomes, options.threads, options.say)
    table = with_speeds(with_general(rows(study, outcomes), outcomes), speeds)
    assert prepared.data.task is not None, "a study compares recipes on a task"
    task, metric = prepared.data.task, prepared.data.task.kind.metric(study.metric)
    largest = [*prepared.budget_sizes][-1]
    facts = {"study": study.name, "metric": f"test_{metric.name}", "reference": study.reference_name}
    failed = [row for row in table if row["status"] == "failed"]
    with replaced_results(out) as folder:
        write_rows(table, folder)
        write_predictions(outcomes, task, folder)
        found = verdicts(study, outcomes, task, folder)
        write_json(folder / "verdicts.json", facts | {"verdicts": verdict_facts(found)})
        ended = candidates(outcomes, metric, largest)
        handover = hand_over(ended, folder, partial(whole_model, prepared.store), in_base_dtype)
        write_curves(outcomes, metric.name, folder)
        write_trials(outcomes, folder)
        write_json(folder / "disagreements.json", disagreements(outcomes, task, largest))
        write_json(folder / BLOCKS, chosen_blocks(outcomes, task, handover.best))
        attention, missing = recipe_attention(outcomes, task, study.attention, ended)
        if attention is not None:
            write_json(folder / ATTENTION, attention)
        if _write_splits(prepared.data, folder / "splits"):
            mark_made(folder / "splits", "splits", task.fingerprint)
        write_selected(prepared.plan.selected, prepared.data.chosen, folder, out)
        write_study(prepared, out, folder)
        about = study_facts(prepared, outcomes, options.command, speed_notes(speeds)) | {
            **({"speeds": speed_facts(speeds, outcomes, largest)} if speeds is not None else {}),
            **({"forgetting": forgetting(outcomes, prepared.data.general, largest)} if prepared.data.general is not None else {}),
            "best": _about(handover, metric.name),
            "failed": [{name: row[name] for name in ("recipe", "seed", "labels", "error")} for row in failed],
        }
        about["notes"] += [*missing, *_rounded(handover, folder, task, prepared.store), *_lost(lost or {}, reports, prepared)]
        write_json(folder / RECORD, about)
    return Finished(out, len(failed), len(table), handover)


def study_facts(prepared: Prepared, outcomes: Outcomes, command: str, notes: Sequence[str] = ()) -> dict[str, Any]:
    """What `study.json` says of a study besides how its comparison came out: data, stages, bases, versions, how to repeat it."""
    study, data = prepared.study, prepared.data
    about: list[tuple[str | None, Task]] = [*([(None, data.task)] if data.task is not None else []), *data.tasks.items()]
    usual = {name: task.kind.metric(None).name for name, task in about}
    return {
        "name": study.name,
        "version": version("acclimate"),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
        "smoke": prepared.smoke,
        "machine": machine() | gpus(prepared.store.record(key) for key in outcomes.measured),
        "versions": {name: version(name) for name in LIBRARIES},
        "metric": data.task.kind.metric(study.metric).name if data.task is not None else USUAL_SCORE,
        **(data.task.kind.about() if data.task is not None else {}),
        "reference": study.reference_name,
        "seeds": list(study.seed_list),
        "budgets": list(study.label_budgets),
        "budget_sizes": prepared.budget_sizes,
        "labels": list(data.task.names) if data.task is not None else [],
        "data": data.facts(),
        "leaks": [leak.shown() for leak in data.found.examples()],
        "text_overlap": text_overlap(data),
        "hub_datasets": hub_datasets(study.data, prepared.root),
        "bases": base_facts(prepared.plan.sources.values()),
        "stages": stage_facts(outcomes, set(prepared.cached), usual),
        "vocabularies": vocabulary_facts(outcomes, prepared.readings, data),
        "notes": [*prepared.notes, *_notes(outcomes, prepared), *failures(outcomes), *notes],
    }


def machine() -> dict[str, Any]:
    """What ran here, for whoever wants to repeat it; no names or addresses."""
    import psutil

    return {
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
    }


def gpus(records: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The graphics cards that stages ran on, by their records, each with its precision: whoever compares seconds must know."""
    found = {f"{record['device']} ({record['precision']})" for record in records if record.get("device", "cpu") != "cpu"}
    return {"gpu": ", ".join(sorted(found))} if found else {}


def _begun(options: Options, root: Path) -> Begun:
    """What the study's file does not say of how it runs."""
    if is_address(options.store):
        store = options.store
    else:
        folder, usual = Path(options.store).resolve(), usual_store(root).resolve()
        store = "" if folder == usual else os.path.relpath(folder, root.resolve())
    return Begun(store, **{each.name: getattr(options, each.name) for each in fields(Begun) if each.name != "store"})


def _jobs(prepared: Prepared) -> list[Job]:
    # What a finished stage was made from may be pruned: only what leads to an unfinished end is done.
    needed = prepared.plan.missing(prepared.cached)
    return [
        Job(node.key, node.parents, node.title, node, Needs(_trains(node.stage), prepared.plan.given[node.key].bytes))
        for node in prepared.plan.nodes.values()
        if node.key in needed
    ]


def _trains(stage: Stage) -> bool:
    # A search learns with the stage whose settings it tries.
    return stage.role not in ("start", "selects") and ("torch" in stage.libraries or stage.role == "searches")


def _shared(prepared: Prepared, store: Place, jobs: Iterable[Job]) -> Shared:
    """What another machine must have as it is here to carry out these jobs."""
    libraries = {library for job in jobs for library in job.payload.stage.libraries}
    code = [each for _, each in own_code(prepared.study, prepared.root)]
    files = {str(Path(path).absolute()): digest_file(Path(path)) for each in code for path in each.files.values() if Path(path).is_file()}
    folders = [place for place in (anywhere(store), prepared.root.absolute()) if isinstance(place, Path)]
    root, named = prepared.root.absolute(), (*data_paths(prepared.study), *named_bases(prepared.study))
    # Rows from Python lie in the store's folder on this machine, which is nobody else's where the store is a bucket.
    places = tuple(sorted({place for each in named if (place := root / Path(each).expanduser()).exists()}))
    return Shared(tuple(folders), places, files, tuple(sorted({*LIBRARIES, *libraries})), partial(check_usable, anywhere(store)))


def _write_splits(data: Data, folder: Path) -> bool:
    """The splits that acclimate made, of the study's task and, in folders of their names, of the others; whether there are any."""
    made = [*(data.task.write_splits(folder) if data.task is not None else ())]
    for name, other in data.tasks.items():
        made += other.write_splits(folder / name)
    return bool(made)


def _rounded(handover: Handover, folder: Path, task: Task, store: Store) -> list[str]:
    """What should be known of what was handed over with rounded weights."""
    made = {"best": handover.best, "best_transformer": handover.best_transformer}
    models = {name: candidate.model for name, candidate in made.items() if candidate is not None}
    return [
        told_of_rounding(name, dtype, task, whole_model(store, models[name]), folder / name) for name, dtype in handover.rounded.items()
    ]


def _about(handover: Handover, metric: str) -> dict[str, Any] | None:
    if handover.best is None:
        return None
    best = {"recipe": handover.best.recipe, "seed": handover.best.seed, "labels": handover.best.labels, f"dev_{metric}": handover.best.dev}
    other = handover.best_transformer
    return best | {"transformer": {"recipe": other.recipe, "seed": other.seed} if other else None}


def _lost(lost: Mapping[str, Sequence[str]], reports: Mapping[str, Report], prepared: Prepared) -> list[str]:
    """What was carried out again on a cluster, now or in a run that this one goes on with, and why."""
    failed = {report.key for report in reports.values() if report.status != "done"}
    return [
        f"{node.title}: was run again from its last checkpoint, for {'; '.join(lost[key])}"
        for key, node in prepared.plan.nodes.items()
        if key in lost and key not in failed
    ]


def _notes(outcomes: Outcomes, prepared: Prepared) -> list[str]:
    noted: dict[str, set[str]] = {}
    for key, measured in outcomes.measured.items():
        for note in measured["notes"]:
            noted.setdefault(note, set()).update(prepared.plan.recipes_of(key))
    order = list(prepared.study.recipes)
    return [f"{', '.join(sorted(recipes, key=order.index))}: {note}" for note, recipes in noted.items()]
