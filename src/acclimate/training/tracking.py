"""Optional experiment trackers, through accelerate's classes for them: a training stage is a run, its log lines are what is logged.

A tracker never changes a result: it works in a thread of its own, so that no step waits for it, and where it fails the training goes on.
"""

import importlib.util
import itertools
import json
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from acclimate.errors import MissingExtraError, SettingsError

# The trackers that are offered, and the modules of which each needs one.
TRACKERS = {"tensorboard": ("tensorboard", "tensorboardX"), "trackio": ("trackio",), "mlflow": ("mlflow",), "wandb": ("wandb",)}
PATIENCE = 60.0  # seconds that the end of a stage waits for what a tracker still has to send

Line = Mapping[str, Any]  # of log.jsonl: `step` and numbers


@dataclass(frozen=True)
class Tracking:
    """Which trackers a study logs to; it can be pickled."""

    names: tuple[str, ...]
    project: str
    folder: Path  # for what trackers keep in files
    repeated: frozenset[str] = frozenset()  # titles that more than one stage has

    def run_name(self, title: str, key: str) -> str:
        """A stage's title; with the beginning of its key where another stage has the same one."""
        return f"{title} ({key[:8]})" if title in self.repeated else title


def repeated(titles: Iterable[str]) -> frozenset[str]:
    """The titles that are there more than once."""
    return frozenset(title for title, count in Counter(titles).items() if count > 1)


def checked_trackers(given: Sequence[str]) -> tuple[str, ...]:
    """The names of trackers, comma lists taken apart, each once.

    Raises:
        SettingsError: there is no such tracker.
        MissingExtraError: the package of a tracker is not installed.
    """
    names = tuple(dict.fromkeys(name.strip() for each in given for name in each.split(",") if name.strip()))
    for name in names:
        if name in _own_trackers():
            continue
        if name not in TRACKERS:
            raise SettingsError(f"--track: {name!r} is not among {', '.join(TRACKERS)}")
        if not any(importlib.util.find_spec(module) for module in TRACKERS[name]):
            raise MissingExtraError(f"--track {name} needs the package {name}: pip install {name}")
    return names


def _own_trackers() -> set[str]:
    # Registered by the user through accelerate. A program that has not loaded that module cannot have registered any.
    tracking = sys.modules.get("accelerate.tracking")
    if tracking is None:
        return set()
    return {name for name, kind in tracking.LOGGER_TYPE_TO_CLASS.items() if kind.__module__ != tracking.__name__}


class Trackers:
    """The trackers of one process, over all its stages."""

    def __init__(self, tracking: Tracking, say: Callable[[str], None]) -> None:
        self._tracking, self._say = tracking, say
        self._told: set[str] = set()  # trackers that failed, or did not keep up: they get no further runs from this process

    @contextmanager
    def run(self, name: str, settings: Mapping[str, Any]) -> Iterator["Run"]:
        """A run in every tracker while the block lasts, `settings` being its configuration."""
        flat = dict(_flat(settings))
        made = {tracker: partial(_made, tracker, self._tracking, name) for tracker in self._tracking.names if tracker not in self._told}
        threads = [_Thread(tracker, make, flat, self._failed) for tracker, make in made.items()]
        try:
            yield Run(threads)
        finally:
            for thread in threads:
                thread.end()

    def _failed(self, tracker: str, what: str) -> None:
        # A server that cannot be reached fails in every stage, and each would wait for it.
        if tracker not in self._told:
            self._told.add(tracker)
            self._say(f"tracker {tracker} {what}; training goes on without it, and its own log is complete")


class Run:
    """One stage in every tracker."""

    def __init__(self, threads: "list[_Thread]") -> None:
        self._threads = threads
        self._live = False  # whether lines came as they were made

    def log(self, line: Line) -> None:
        """A line of the stage's log has come."""
        self._live = True
        values = {name: value for name, value in line.items() if name != "step"}
        for thread in self._threads:
            thread.put(values, line["step"])

    def measured(self, metrics: Mapping[str, Any], cost: Mapping[str, Any], log: Sequence[Line]) -> None:
        """What the stage came to: `final/...` and `cost/...`, numbers only; and its log, where it does not train by steps."""
        for number, line in enumerate(() if self._live else log, start=1):
            self.log({"step": number, **line})
        named = {f"{group}/{name}": value for group, facts in (("final", metrics), ("cost", cost)) for name, value in _flat(facts)}
        # Whether something is so is a number to a chart.
        values = {
            name: float(value) if isinstance(value, bool) else value for name, value in named.items() if isinstance(value, int | float)
        }
        for thread in self._threads:
            thread.put(values, None)


class _Thread:
    """One run in one tracker: everything that is said to it is said in one thread, as some of them want it."""

    def __init__(self, name: str, make: Callable[[], Any], settings: dict[str, Any], failed: Callable[[str, str], None]) -> None:
        self._name, self._make, self._settings, self._failed = name, make, settings, failed
        self._lines: SimpleQueue[tuple[dict[str, Any], int | None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=f"tracker {name}", daemon=True)
        self._thread.start()

    def put(self, values: dict[str, Any], step: int | None) -> None:
        self._lines.put((values, step))

    def end(self) -> None:
        self._lines.put(None)
        self._thread.join(PATIENCE)
        if self._thread.is_alive():
            self._failed(self._name, f"has not taken everything within {PATIENCE:.0f} s")

    def _work(self) -> None:
        try:
            tracker = self._make()
            tracker.start()
            try:
                tracker.store_init_configuration(self._settings)
                while (entry := self._lines.get()) is not None:
                    values, step = entry
                    tracker.log(values, step=step)
            finally:
                tracker.finish()
        except Exception as error:
            self._failed(self._name, f"failed ({type(error).__name__}: {str(error).partition(chr(10))[0]})")


def _made(name: str, tracking: Tracking, run: str) -> Any:
    """A tracker of accelerate's. Not by `Accelerator.init_trackers`: that is for one run a process, and here every stage is one."""
    from accelerate.tracking import LOGGER_TYPE_TO_CLASS

    kind = LOGGER_TYPE_TO_CLASS[name]
    match name:
        case "tensorboard":  # whose projects are folders, and whose runs are folders in them
            return kind(_free(tracking.folder / "tensorboard", run.replace("/", "-")), tracking.folder / "tensorboard")
        case "mlflow":
            return kind(tracking.project, run_name=run)
        case "trackio":
            return kind(tracking.project, name=run)
        case "wandb":
            return kind(tracking.project, name=run, dir=str(tracking.folder))
        case _ if kind.requires_logging_directory:
            return kind(tracking.project, tracking.folder / name)
        case _:
            return kind(tracking.project)


def _free(folder: Path, name: str) -> str:
    # TensorBoard goes on with a run of the same name, and what a resumed stage tells again would lie over what it told before.
    names = (name if number == 1 else f"{name} ({number})" for number in itertools.count(1))
    return next(each for each in names if not (folder / each).exists())


def _flat(settings: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, bool | int | float | str]]:
    # Trackers take plain values: groups become names with dots, lists their JSON, and what is not set is left out.
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}.")
        elif isinstance(value, bool | int | float | str):
            yield f"{before}{name}", value
        elif value is not None:
            yield f"{before}{name}", json.dumps(value)
