"""How a study stands, as a value and as a small file that other processes can read while it runs.

<out>/.status.json    replaced by one rename about once a second while the study runs, and a last time when it ends
"""

import json
import os
import platform
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from acclimate.errors import StoreError
from acclimate.files import read_json, write_text
from acclimate.study.store.keys import is_key
from acclimate.training.progress import Progress

if TYPE_CHECKING:
    from pydantic import TypeAdapter

FILE = ".status.json"
VERSION = 1  # of the file's form
SILENCE = 60.0  # seconds without a new file after which a study on another machine counts as dead

STILLNESS = 15.0  # seconds without a new file, written every five, before a process that cannot be found counts as dead

# skipped: a stage that it needs failed. not needed: what was made from it is there already.
StageState = Literal["waiting", "running", "done", "cached", "failed", "interrupted", "skipped", "not needed"]
StudyState = Literal["preparing", "running", "finished", "failed", "interrupted"]
Curves = Mapping[str, tuple[tuple[int, float], ...]]  # by what was followed, (step, value)
OVER: tuple[StudyState, ...] = ("finished", "failed", "interrupted")


@dataclass(frozen=True)
class StageStatus:
    """How one stage of the plan stands."""

    key: str
    parent: str | None  # key
    title: str
    recipes: int  # that use it
    state: StageState
    seconds: float | None = None  # that it took, or has taken so far in this process
    progress: Progress | None = None  # of what it does now
    error: str = ""  # first line
    beside: tuple[str, ...] = ()  # keys of what it needs besides its parent
    curves: Curves = field(default_factory=dict)
    """Of what runs, thinned: `loss`, `heldout_loss`, `dev_<metric>` so far. The store has those of what is done."""

    @property
    def parents(self) -> tuple[str, ...]:
        """The keys of all that must be done before it."""
        return (*(() if self.parent is None else (self.parent,)), *self.beside)


@dataclass(frozen=True)
class Process:
    """The process that runs a study."""

    pid: int
    host: str
    started: float  # seconds since 1970; tells it from a later process with the same number

    @staticmethod
    def this() -> "Process":
        """The process that asks."""
        import psutil

        return Process(os.getpid(), platform.node(), psutil.Process().create_time())

    def gone(self) -> bool | None:
        """Whether it runs no more; None where it cannot be seen from this machine."""
        import psutil

        if self.host != platform.node():
            return None
        try:
            # Some systems round what they say about a process's start.
            return bool(abs(psutil.Process(self.pid).create_time() - self.started) > 1.0)
        except psutil.NoSuchProcess:
            return True
        except psutil.Error:
            return None


@dataclass(frozen=True)
class Begun:
    """With what a study was begun that its file does not say: what goes on with it elsewhere must say the same."""

    store: str = ""  # from the folder in which the study's paths start, or an address; empty: the usual one
    engine: str = "local"
    address: str | None = None
    gpus: float | None = None
    devices: int | None = None
    fsdp: bool = False
    workers: int | None = None
    threads: int | None = None
    precision: str = "auto"
    micro_tokens: int | None = None

    @property
    def options(self) -> dict[str, str]:
        """What is not as usual, by the options of `acclimate study`."""
        said = {each.name: getattr(self, each.name) for each in fields(self) if getattr(self, each.name) != each.default}
        # A flag has no value.
        return {f"--{name.replace('_', '-')}": "" if value is True else str(value) for name, value in said.items()}


@dataclass(frozen=True)
class Status:
    """How a study stands; times are seconds since 1970."""

    study: str
    state: StudyState
    started: float
    updated: float
    stages: tuple[StageStatus, ...] = ()  # parents before children
    seconds_left: float | None = None  # None: not known yet
    exit_code: int = 0  # of the study's command, where it is over
    error: str = ""
    process: Process | None = None  # None where it is over: results may be passed on, and no machine's name with them
    begun: Begun = Begun()
    lost: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By key, of stages that a cluster carried out again: what became of each attempt before, also in runs that this one goes on with."""
    version: int = VERSION

    @property
    def over(self) -> bool:
        """Whether the study said that it ended."""
        return self.state in OVER

    def counts(self) -> Counter[str]:
        """How many stages are in which state."""
        return Counter(stage.state for stage in self.stages)

    def died(self, now: float, seen_alive: bool = False) -> bool:
        """Whether the study ended without saying so: its process is gone or, on another machine, has long been silent.

        `seen_alive` says that the file was just seen to change: clocks of two machines may differ.
        """
        if self.over or self.process is None:
            return False
        gone = self.process.gone()
        if gone is None:
            return not seen_alive and now - self.updated > SILENCE
        # Two containers may share a name and not their processes, and a clock that is set moves a process's start: a file that was
        # written a moment ago counts for more.
        return gone and now - self.updated > STILLNESS


def write_status(folder: Path, status: Status) -> None:
    """Replace the status file of a study's output folder.

    Raises:
        OSError, DiskFullError: it cannot be written.
    """
    # Not flushed to the disk: it is of no use after a power cut, and training must not wait for it.
    write_text(folder / FILE, json.dumps(asdict(status), ensure_ascii=False, allow_nan=False) + "\n", lasting=False)


def read_status(folder: Path) -> Status:
    """How the study in this output folder stands, by its own account.

    Raises:
        StoreError: no study has run there, or another version of acclimate wrote it.
    """
    file = folder / FILE
    if not file.is_file():
        if (folder / "study.json").is_file():
            raise StoreError(f"{folder}: this study is finished and left no status; `acclimate report {folder}` shows its results")
        raise StoreError(
            f"{folder}: no study has run here (there is no {FILE}); start it with `acclimate study`, "
            "or name its output folder with --out if it was started with another one"
        )
    value = read_json(file)
    version = value.get("version") if isinstance(value, dict) else None
    if version != VERSION:
        raise StoreError(f"{file}: has version {version}, and this acclimate reads {VERSION}; watch with the acclimate that runs the study")
    try:
        status = _adapter().validate_python(value)
    except ValueError as error:
        raise StoreError(f"{file}: is not the status of a study ({error})") from error
    for stage in status.stages:
        for key in (stage.key, *stage.parents):
            if not is_key(key):
                raise StoreError(
                    f"{file}: is damaged: {key[:80]!r}, at {stage.title!r}, is no key of a stage; the study's next run writes the file anew"
                )
    return status


@cache
def _adapter() -> "TypeAdapter[Status]":
    from pydantic import TypeAdapter

    return TypeAdapter(Status)
