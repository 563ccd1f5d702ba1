"""Watching a study that runs elsewhere, by the status file in its output folder."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from acclimate.cli import show
from acclimate.cli.live import Frame
from acclimate.inert import one_line
from acclimate.report.words.watched import SIGNS, ending, summary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from acclimate.study.watch.status import Status

LOOK = 0.5  # seconds between two looks at the file
DIED = 1  # exit code


def watch(folder: Path, once: bool = False) -> int:
    """Show the study in this output folder until it ends; with `once` as it is now.

    Returns the exit code of the study's own command, 1 where it died, 0 where it runs on.

    Raises:
        StoreError: no study has run there.
    """
    console = show.console()
    try:
        if once:
            status, ended = next(_looks(folder))
            console.print(Frame(status, ending(status, ended), whole=not console.is_terminal))
        else:
            drawn = sys.stdout.isatty() and not console.is_dumb_terminal
            status, ended = _drawn(folder, console) if drawn else _told(folder)
    except KeyboardInterrupt:
        print("no longer watching; the study runs on", file=sys.stderr)
        return 130
    return DIED if ended and not status.over else status.exit_code


def _drawn(folder: Path, console: "Console") -> "tuple[Status, bool]":
    from rich.live import Live

    looks = _looks(folder)
    status, ended = next(looks)
    with Live(Frame(status, ending(status, ended)), console=console, auto_refresh=False) as view:
        while not ended:
            status, ended = next(looks)
            view.update(Frame(status, ending(status, ended)), refresh=True)
    return status, ended


def _told(folder: Path) -> "tuple[Status, bool]":
    # Not a terminal: a line about every stage whose state changed.
    known: dict[str, str] = {}
    for status, ended in _looks(folder):
        for stage in status.stages:
            if stage.state != known.get(stage.key, "waiting"):
                print(
                    f"{SIGNS[stage.state][1]} {stage.state}: {one_line(stage.title)}"
                    + (f" — {one_line(stage.error)}" if stage.error else ""),
                    flush=True,
                )
            known[stage.key] = stage.state
        if ended:
            print("\n".join([*summary(status), ending(status, ended)]), flush=True)
            return status, ended
    raise AssertionError("a study is looked at until it ends")


def _looks(folder: Path) -> "Iterator[tuple[Status, bool]]":
    """(how it stands, whether it ended) again and again; the last one is where it ended."""
    from acclimate.study.watch.status import SILENCE, read_status

    before, changed_at = None, float("-inf")
    while True:
        status = read_status(folder)
        if before is not None and status.updated != before:
            changed_at = time.monotonic()
        before = status.updated
        ended = status.over or status.died(time.time(), time.monotonic() - changed_at < SILENCE)
        yield status, ended
        time.sleep(LOOK)
