"""The running study's own account of how it stands: told by the engine, looked at by a live view, written down once a second."""

import logging
import math
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from acclimate.errors import AcclimateError, Interrupted, StoreError
from acclimate.study.engines.reports import Report
from acclimate.study.outputs.learning_curves import followed
from acclimate.study.plan.prepared import Prepared
from acclimate.study.watch.forecast import Weight, seconds_left, weigh
from acclimate.study.watch.status import Begun, Curves, Process, StageState, StageStatus, Status, StudyState, read_status, write_status
from acclimate.training.progress import Progress

BEAT = 1.0  # seconds between two looks at whether something is to be written
MOST_POINTS = 120  # of a running stage's curve; every second one is left out where there are more
HEARTBEAT = 5.0  # seconds after which the file is written although nothing happened

log = logging.getLogger(__name__)


class Journal:
    """A `Watcher`. Within a `with` block it keeps the status file of `folder` (None: no file) up to date until the end."""

    def __init__(self, study: str, folder: Path | None = None, owns_terminal: bool = False, begun: Begun = Begun()) -> None:  # noqa: B008 - frozen
        self.owns_terminal = owns_terminal
        self._study, self._folder, self._begun = study, folder, begun
        self._lock = threading.Lock()
        self._stages: dict[str, StageStatus] = {}
        self._began: dict[str, float] = {}  # key -> monotonic seconds
        self._state: StudyState = "preparing"
        self._exit_code, self._error = 0, ""
        self._started = time.time()
        self._process: Process | None = Process.this()
        self._prepared: Prepared | None = None
        self.lost_attempts: dict[str, tuple[str, ...]] = {}
        """By key, of stages that were carried out again: what became of each attempt before."""
        self._done_before: set[str] = set()  # keys
        self._weights: dict[str, Weight] = {}
        self._followed: tuple[str, ...] = ()
        self._at_once = 1
        self._changed = True
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Self:
        if self._folder is not None:
            with suppress(StoreError):  # nothing ran there yet
                before = read_status(self._folder)
                self.lost_attempts = dict(before.lost)
                self._done_before = {stage.key for stage in before.stages if stage.state in ("done", "cached", "not needed")}
        self._write()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()
        with self._lock:
            self._process = None
            if error is not None:
                self._exit_code = error.exit_code if isinstance(error, AcclimateError) else 1
                self._error = str(error) if isinstance(error, AcclimateError) else f"{type(error).__name__}: {error}"
                self._state = "failed"
            if isinstance(error, Interrupted | KeyboardInterrupt):
                self._state, self._exit_code, self._error = "interrupted", Interrupted.exit_code, str(error)
            elif error is None:
                self._state = "finished"
                self._begun = replace(self._begun, address=None)  # a machine's name, as the process's
            for key, stage in self._stages.items():
                if stage.state == "running":
                    self._stages[key] = replace(stage, state="interrupted")
        self._write()

    def planned(self, prepared: Prepared, needed: Iterable[str]) -> None:
        """The plan is made; `needed` are the keys of what will be carried out."""
        wanted = set(needed)
        stages, task = {}, prepared.data.task
        self._followed = followed("" if task is None else task.kind.metric(prepared.study.metric).name)
        for key, node in prepared.plan.nodes.items():
            state: StageState = "waiting" if key in wanted else "cached" if key in prepared.cached else "not needed"
            beside = tuple(other for other in node.parents if other != node.parent)
            stages[key] = StageStatus(key, node.parent, node.title, len(prepared.plan.recipes_of(key)), state, beside=beside)
        with self._lock:
            self._stages, self._prepared, self._state, self._changed = stages, prepared, "running", True
            anew = wanted & self._done_before  # what was made is gone, and with it how
            self.lost_attempts = {key: why for key, why in self.lost_attempts.items() if key in stages and key not in anew}

    def failed(self, runs: int) -> None:
        """So many runs failed: what the study's command will end with."""
        self._exit_code = 1 if runs else 0

    def began(self, key: str) -> None:
        self._began[key] = time.monotonic()
        self._set(key, state="running")
        self._at_once = max(self._at_once, sum(stage.state == "running" for stage in self._stages.values()))

    def progress(self, key: str, progress: Progress) -> None:
        with self._lock:
            before = self._stages[key]
            # A part of a stage (a head alone, a trial) begins a curve of its own.
            same = before.progress is not None and before.progress.what == progress.what and before.progress.step <= progress.step
            curves = self._longer(before.curves if same else {}, progress)
            self._stages[key] = replace(before, progress=replace(progress, measured=()), curves=curves)
            self._changed = True

    def lost(self, key: str, why: str) -> None:
        with self._lock:
            self.lost_attempts[key] = (*self.lost_attempts.get(key, ()), why)
        self._began.pop(key, None)
        self._set(key, state="waiting", progress=None, curves={})

    def ended(self, report: Report) -> None:
        began = self._began.get(report.key)
        state: StageState = report.status
        parents = (self._stages[key] for key in self._stages[report.key].parents if key in self._stages)
        if report.status == "failed" and any(parent.state in ("failed", "skipped") for parent in parents):
            state = "skipped"
        took = None if began is None else time.monotonic() - began
        self._set(report.key, state=state, seconds=took, error=report.error.partition("\n")[0], curves={})

    def snapshot(self) -> Status:
        """How the study stands now."""
        with self._lock:
            now = time.monotonic()
            stages = tuple(
                replace(stage, seconds=now - self._began[stage.key]) if stage.state == "running" else stage
                for stage in self._stages.values()
            )
            left = seconds_left(stages, self._weights, self._at_once) if self._state == "running" else None
            return Status(
                self._study, self._state, self._started, time.time(), stages, left, self._exit_code, self._error, self._process,
                self._begun, dict(self.lost_attempts),
            )  # fmt: skip

    def _longer(self, curves: Curves, progress: Progress) -> Curves:
        longer = {name: [*points] for name, points in curves.items()}
        now = [] if progress.loss is None else [{"step": progress.step, "loss": progress.loss}]
        for line in (*progress.measured, *now):
            step = int(line["step"])
            for name in self._followed:
                points = longer.get(name, [])
                # JSON has no number for what is none; and the loss of a step may come twice.
                if name in line and math.isfinite(line[name]) and (not points or points[-1][0] < step):
                    longer[name] = [*(points if len(points) < MOST_POINTS else points[::2]), (step, line[name])]
        return {name: tuple(points) for name, points in longer.items()}

    def _set(self, key: str, **changes: object) -> None:
        with self._lock:
            self._stages[key] = replace(self._stages[key], **changes)  # type: ignore[arg-type]
            self._changed = True

    def _beat(self) -> None:
        written = time.monotonic()
        while not self._over.wait(BEAT):
            self._weigh()
            with self._lock:
                due = self._changed or time.monotonic() - written >= HEARTBEAT
                self._changed = False
            if due:
                self._write()
                written = time.monotonic()

    def _weigh(self) -> None:
        # Here and not in `planned`: it reads every text of the task, and the study need not wait for it.
        with self._lock:
            prepared, self._prepared = self._prepared, None
        if prepared is None or (self._folder is None and not self.owns_terminal):  # nobody looks
            return
        try:
            self._weights = weigh(prepared, [key for key, stage in self._stages.items() if stage.state in ("waiting", "running")])
        except Exception as error:  # the time left stays unknown, which is no reason to fall silent
            log.warning("the time that the study will take cannot be estimated: %s: %s", type(error).__name__, error)

    def _write(self) -> None:
        # A study does not stop because nobody can watch it; a full disk is met again, and told, where results are written.
        if self._folder is not None:
            with suppress(OSError, ValueError, AcclimateError):  # a name that is no Unicode is a ValueError
                write_status(self._folder, self.snapshot())
