"""Carrying out one stage of a plan: whichever engine calls it, this is where a node becomes an artifact."""

import json
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from acclimate.data.corpus import changed
from acclimate.errors import AcclimateError, Interrupted, TrainingError
from acclimate.files import read_json, write_json, write_text
from acclimate.locks import Patience
from acclimate.modeling.adapter_settings import is_adapter
from acclimate.modeling.base_files import CONFIG, KIND, TEMPLATE, THRESHOLDS, VECTORS
from acclimate.modeling.fast_paths import FastPaths
from acclimate.randomness import seed_of
from acclimate.stages.trials import FOUND
from acclimate.study.engines.engine import Shared
from acclimate.study.engines.reports import NOT_BEGUN, Report
from acclimate.study.plan.graph import Node, fingerprint_of
from acclimate.study.plan.smoke import sliver
from acclimate.study.store.entries import ADAPTER_OF
from acclimate.study.store.opened import Place, open_store
from acclimate.study.store.whole import whole_model
from acclimate.tasks.opened import Data, DataSettings
from acclimate.training.progress import Lines, Messages, Progress, Sending, Silent
from acclimate.training.tracking import Trackers, Tracking
from acclimate.versions import version

if TYPE_CHECKING:
    from acclimate.modeling.folder import ModelFolder
    from acclimate.stages.base import Context, Runtime
    from acclimate.training.interrupt import StopRequest

METRICS = "metrics.json"


@dataclass(frozen=True)
class WorkerSetup:
    """What a worker needs besides its jobs; it can be pickled."""

    data: DataSettings
    root: Path  # what paths in `data` are relative to
    store: Place
    corpora: Mapping[str, str]  # their fingerprints as the plan has found them: `Data.fingerprints`
    dropping: Mapping[str, frozenset[int]] = field(default_factory=dict)  # documents without which they are read: `Data.found.dropping`
    smoke: bool = False
    threads: int | None = None
    precision: Any = "auto"
    micro_tokens: int | None = None
    checkpoint_seconds: float = 120.0
    fast: FastPaths = FastPaths()
    sharing: int = 1  # workers on one device
    processes: int = 1  # that an engine has train together, and ends when one of them is lost
    fsdp: bool = False  # processes that train together divide models among them
    steps_are_shown: bool = False  # by a live view: this process prints messages only
    tracking: Tracking | None = None
    general: str | None = None  # the text on which forgetting is measured
    shared: Shared = field(default_factory=Shared)  # what another machine must have to open it

    @property
    def preload(self) -> tuple[str, ...]:
        """What takes seconds to load, and what hardly a stage does without."""
        return "acclimate.training.devices", "acclimate.stages.trainer", "acclimate.modeling.imported_base"

    def one_of(self, sharing: int, threads: int | None) -> Self:
        """The setup of one of several workers."""
        return replace(self, sharing=sharing, threads=threads)

    def together(self, processes: int) -> Self:
        """The setup of one of several processes that train together."""
        return replace(self, processes=processes)

    def open(self, stop: "StopRequest", send: Callable[[Progress], None]) -> "Worker":
        """The worker of this process."""
        return Worker(self, stop, send)


class Worker:
    """Carries out nodes in this process; data and devices are opened at the first one."""

    def __init__(self, setup: WorkerSetup, stop: "StopRequest", send: Callable[[Progress], None]) -> None:
        self._setup = setup
        self._stop = stop
        self._send = send
        self._store = open_store(setup.store)

    def execute(self, key: str, node: Node) -> Report:
        """Do it unless its artifact is there; every failure becomes a report."""
        try:
            with self._stopped_by_a_lost_peer():
                # Asked of all: signals reach processes that train together at different times, and all must take the same way.
                if self._runtime.devices.sum(float(self._stop.asked)) > 0:
                    raise Interrupted(NOT_BEGUN)
                self._carry_out(node)
        except Interrupted as interrupted:
            return Report(key, "interrupted", str(interrupted))
        except AcclimateError as error:
            return self._failed(Report(key, "failed", str(error), error.exit_code))
        except Exception as error:
            if (told := self._memory_told(error, node)) is not None:
                return self._failed(Report(key, "failed", str(told), told.exit_code))
            # Not a user's mistake: the whole story is kept with the run.
            return self._failed(Report(key, "failed", f"{type(error).__name__}: {error}\n{traceback.format_exc()}"))
        return Report(key, "done")

    def _memory_told(self, error: Exception, node: Node) -> TrainingError | None:
        from acclimate.training.memory import beyond_passes, is_out_of_memory

        runtime: Runtime | None = self.__dict__.get("_runtime")
        return beyond_passes(node.title, runtime.devices.device) if runtime is not None and is_out_of_memory(error) else None

    @contextmanager
    def _stopped_by_a_lost_peer(self) -> Iterator[None]:
        """Within the block the loss of a process that trains along is an interrupt, after which an engine has all begin again."""
        try:
            yield
        except Exception as error:
            if self._setup.processes == 1 or not self._is_of_a_lost_peer(error):
                raise
            raise Interrupted("a process that trained along was lost") from error

    def _is_of_a_lost_peer(self, error: Exception) -> bool:
        from acclimate.training.devices import is_of_a_lost_peer

        return is_of_a_lost_peer(error)

    def _failed(self, report: Report) -> Report:
        runtime: Runtime | None = self.__dict__.get("_runtime")  # None where a device could not be set up, which is what failed
        if runtime is not None and runtime.devices.world > 1 and self._setup.processes == 1:
            # The peers wait in some exchange of gradients for ever; only torchrun can end them, once one process is gone.
            print(report.error, file=sys.stderr, flush=True)
            os._exit(1)
        return report

    def _carry_out(self, node: Node) -> None:
        devices = self._runtime.devices
        if not devices.is_main:
            if devices.sum(0.0) == 0.0:  # the main process did not find it in the store
                # A work folder of its own: the main process hands on what it reads in its.
                with tempfile.TemporaryDirectory() as output, tempfile.TemporaryDirectory() as work:
                    self._run(node, Path(output), Path(work))
            devices.wait()
            return
        with self._store.lock(node.key, self._runtime.reporter.say, self._give_up_if_asked):
            found = self._store.has(node.key)
            if not found:
                self._store.take_up(node.key, self._runtime.reporter.say)
            devices.sum(float(found))
            if not found:
                record = self._record(node)
                # Whatever stops it, a store that brings checkpoints elsewhere brings the last ones then.
                with self._store.building(node.key, record) as folder, self._stopped_by_a_lost_peer():
                    self._run(node, folder, self._store.work(node.key))
                    if is_adapter(folder / "model"):
                        record[ADAPTER_OF] = node.parent
            devices.wait()

    def _run(self, node: Node, output: Path, work: Path) -> None:
        with ExitStack() as stack:
            folders = {key: stack.enter_context(self._store.using(key, self._patience)) for key in node.parents}
            data = self._data.choosing({name: (key, folders[key]) for name, key in node.selected})
            # This process has read the task by itself; a corpus says the same of itself when it has been read to its end.
            for what, planned in zip(node.stage.reads(), node.fingerprints, strict=True):
                if fingerprint_of(what, data, node.labels, node.seed) != planned:
                    raise changed(f"the data ({what} of the task)")
            parent = self._model(folders[node.parent]) if node.parent is not None else None
            beside = {name: self._model(folders[key]) for name, key in node.beside}
            chain = _costs({key: read_json(folder / METRICS) for key, folder in folders.items()})
            runtime = self._runtime
            # Reading a base is no training, nor is measuring what became of it.
            trackers = None if node.stage.role in ("start", "measures") else self._trackers
            run = stack.enter_context(trackers.run(*self._tracked(node))) if trackers is not None else None
            if run is not None:
                runtime = replace(runtime, log=run.log)
            # A search that came before has found what stands open in the stage.
            found = {} if node.search is None else dict(read_json(folders[node.search] / METRICS)["metrics"][FOUND])
            try:
                stage = node.stage.with_found(found) if found else node.stage
                outcome = stage.run(parent, self._context(node, data, (output, work), runtime, beside))
            finally:
                runtime.devices.release()
            outcome = replace(outcome, metrics=outcome.metrics | ({FOUND: found} if found else {}))
            self._say_how_judged(node, output, outcome.metrics.get("thresholds"))
            if run is not None:
                run.measured(outcome.metrics, outcome.cost.to_json(), outcome.log)
        measured = {"metrics": outcome.metrics, "notes": outcome.notes, "cost": outcome.cost.to_json(), "chain": chain}
        write_json(output / METRICS, measured)
        write_text(output / "log.jsonl", "".join(f"{line}\n" for line in map(_json_line, outcome.log)))

    def _say_how_judged(self, node: Node, output: Path, thresholds: Mapping[str, float] | None) -> None:
        # A trained model's folder must tell by itself how it is judged.
        task, config = self._data.task_called(node.stage.about()), output / "model" / CONFIG
        if task is not None and node.stage.serves and config.is_file():
            # What fills masks could as well be asked for every token of a text, and its class does not tell; so with vectors.
            told = task.kind.traced or not {TEMPLATE, VECTORS}.isdisjoint(read_json(config))
            facts: dict[str, Any] = {KIND: task.kind.kind} if told else {}
            facts |= {THRESHOLDS: [*thresholds.values()]} if thresholds else {}
            if facts:
                write_json(config, read_json(config) | facts)

    def _model(self, artifact: Path) -> "ModelFolder":
        from acclimate.modeling.folder import ModelFolder  # most of transformers, which a baseline, made from nothing, does without

        return ModelFolder(whole_model(self._store, artifact / "model", self._patience))

    @property
    def _patience(self) -> Patience:
        return Patience(self._runtime.reporter.say, self._give_up_if_asked)

    def _give_up_if_asked(self) -> None:
        if self._stop.asked:
            raise Interrupted("stopped while waiting for another process")

    def _record(self, node: Node) -> dict[str, Any]:
        devices = self._runtime.devices
        return {
            "stage": node.stage.model_dump(mode="json"),
            "stage_version": node.stage.version,
            "title": node.title,
            "parents": list(node.parents),
            "data": list(node.fingerprints),
            "seed": node.seed,
            "draw": node.draw,
            "labels": node.labels,
            "versions": {name: version(name) for name in ("acclimate", *node.stage.libraries)},
            "device": devices.name,
            "precision": devices.precision,
            "threads": devices.threads,
            "processes": devices.world,
            "fsdp": devices.shards,
            "micro_tokens": self._setup.micro_tokens,
            "fast_paths": self._setup.fast.model_dump(),
        }

    def _tracked(self, node: Node) -> tuple[str, dict[str, Any]]:
        # The name of a run, and what is told of it besides its numbers.
        assert self._setup.tracking is not None
        record = self._record(node)
        told = {name: record[name] for name in ("title", "labels", "seed", "device", "precision", "threads", "processes")}
        return self._setup.tracking.run_name(node.title, node.key), node.stage.model_dump(mode="json") | told | {"key": node.key}

    def _context(
        self, node: Node, data: Data, folders: tuple[Path, Path], runtime: "Runtime", beside: "dict[str, ModelFolder]"
    ) -> "Context":
        from acclimate.stages.base import Context

        output, work = folders
        # Another draw changes what is random, and never which labelled texts a budget takes: these stay paired across recipes.
        seed = seed_of(node.seed, "draw", node.draw) if node.draw else node.seed
        if node.earlier:
            seed = seed_of(seed, "pretrained on this text before", node.earlier)
        cache, named = self._store.cache, node.stage.about()
        return Context(data, node.labels, seed, node.title, cache, work, output, runtime, node.seed, named, beside)

    @cached_property
    def _data(self) -> Data:
        setup = self._setup
        data = Data.open(setup.data, setup.root, planned=setup.corpora, dropping=setup.dropping, general=setup.general)
        return sliver(data) if self._setup.smoke else data

    @cached_property
    def _runtime(self) -> "Runtime":
        from acclimate.stages.base import Runtime
        from acclimate.training.devices import Devices

        _quieten_libraries()
        devices = Devices(self._setup.precision, self._setup.threads, self._setup.fsdp)
        shown = Messages() if self._setup.steps_are_shown else Lines()
        reporter = Sending(shown, self._send) if devices.is_main else Silent()
        setup = self._setup
        return Runtime(devices, reporter, self._stop, setup.micro_tokens, setup.checkpoint_seconds, setup.fast, setup.sharing)

    @cached_property
    def _trackers(self) -> Trackers | None:
        if self._setup.tracking is None or not self._runtime.devices.is_main:
            return None
        return Trackers(self._setup.tracking, self._runtime.reporter.say)


def _costs(parents: Mapping[str, Any]) -> list[list[Any]]:
    """What all that a stage is made from cost, by key and each once: a run's costs are known also when that has been pruned."""
    found: dict[str, Any] = {}
    for key, measured in parents.items():
        found |= dict(measured["chain"]) | {key: measured["cost"]}
    return [[key, cost] for key, cost in found.items()]


def _quieten_libraries() -> None:
    # Their progress bars and loading reports say nothing that a note of ours does not say better.
    from transformers.utils import logging

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]


def _json_line(value: Any) -> str:
    return json.dumps(value, allow_nan=False)
