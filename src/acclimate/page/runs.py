"""Studies that run: each in a process of its own, which the page's server may leave alone, and which is found again by its status file."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from acclimate.errors import SettingsError
from acclimate.page.begun import begun_with, damage_of, status_of, words
from acclimate.page.home import Home
from acclimate.page.studies import StudyFile
from acclimate.study.watch.status import Status

# Without the current folder among the places of modules: somebody else's may lie there.
COMMAND = (sys.executable, "-P", "-m", "acclimate")
LONGEST_LOG = 1 << 15  # bytes of its end that are shown


@dataclass(frozen=True)
class Standing:
    """How a study stands."""

    status: Status | None = None
    """By its own account; None: it has not said anything yet."""
    runs: bool = False
    died: bool = False
    """It ended without a word."""
    refused: bool = False
    """It ended before it began; the log says why."""
    damage: str = ""
    """Why its account cannot be read."""

    @property
    def begun(self) -> bool:
        """Whether there is something to go on with."""
        return self.status is not None or self.refused


@dataclass
class Runs:
    """The studies of a folder."""

    home: Home
    environment: Mapping[str, str]
    """Of the processes that are started."""
    command: tuple[str, ...] = field(default_factory=lambda: COMMAND)
    started: dict[Path, tuple["subprocess.Popen[bytes]", float]] = field(default_factory=dict)
    """By output folder, those that this server started, and when."""

    def start(self, opened: StudyFile, smoke: bool) -> None:
        """Run a study, or go on with it, where and as it was begun.

        Raises:
            SettingsError: it runs already, or cannot be run by a page.
        """
        if self.standing(opened, smoke).runs:
            raise SettingsError(f"{opened.name}: runs already; stop it first")
        out = opened.out(smoke)
        self.home.within(out)
        begun = words(self.home, opened, begun_with(status_of(self.home, opened, smoke)))
        out.parent.mkdir(exist_ok=True)
        command = [*self.command, "study", str(opened.file.resolve()), *(["--smoke"] if smoke else []), *begun]
        log = os.open(self.home.within(log_of(out)), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        try:
            # A session of its own: neither Ctrl-C in the page's terminal nor the terminal's end reaches it.
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.home.root, env=dict(self.environment),
                start_new_session=True,
            )  # fmt: skip
        finally:
            os.close(log)
        self.started[out] = (process, time.time())

    def stop(self, opened: StudyFile, smoke: bool) -> None:
        """Ask a study to stop: it finishes its step and saves.

        Raises:
            SettingsError: it does not run, or not here.
        """
        standing = self.standing(opened, smoke)
        if not standing.runs:
            raise SettingsError(f"{opened.name}: does not run")
        process, status = self._process(opened.out(smoke)), standing.status
        if process is not None:
            process.send_signal(signal.SIGTERM)
        elif status is not None and status.process is not None:
            if not _is_study(status):
                raise SettingsError(
                    f"{opened.name}: its process {status.process.pid} is none of this machine; stop it where it was started"
                )
            os.kill(status.process.pid, signal.SIGTERM)

    def standing(self, opened: StudyFile, smoke: bool) -> Standing:
        """How it stands at this moment."""
        out = opened.out(smoke)
        process, since = self._process(out), self.started[out][1] if out in self.started else 0.0
        status = status_of(self.home, opened, smoke)
        before = status is not None and status.updated < since  # of an earlier run
        if process is not None:
            return Standing(None if before else status, runs=True)
        if (status is None or before) and out in self.started and (self.started[out][0].returncode or 0) > 0:
            return Standing(refused=True)
        if status is None:
            return Standing(damage=damage_of(self.home, opened, smoke))
        died = status.died(time.time())
        return Standing(status, runs=not status.over and not died, died=died)

    def _process(self, out: Path) -> "subprocess.Popen[bytes] | None":
        found = self.started.get(out)
        return found[0] if found is not None and found[0].poll() is None else None


def log_of(out: Path) -> Path:
    """Where a study that the page started writes what it says: beside its output folder, which is the study's own."""
    return out.with_name(f".{out.name}.log")


def log_end(home: Home, out: Path) -> str:
    """The end of what it said; "" where the page did not start it."""
    try:
        with home.within(log_of(out)).open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - LONGEST_LOG))
            text = file.read(LONGEST_LOG).decode("utf-8", "replace")
    except (OSError, SettingsError):
        return ""
    return text if size <= LONGEST_LOG else f"... {text.partition(chr(10))[2]}"


def _is_study(status: Status) -> bool:
    """Whether the process that a status file names is a study's on this machine: the file may be anybody's."""
    import psutil

    assert status.process is not None
    if status.process.gone() is not False:
        return False
    try:
        words = psutil.Process(status.process.pid).cmdline()
    except psutil.Error:
        return False
    return any("acclimate" in word for word in words) and bool({"study", "demo"} & {*words})
