"""What a node of a Ray cluster does with one job: open the performer where this process has none yet, carry the job out, report."""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from acclimate.study.engines.engine import Performer, Setup
from acclimate.study.engines.output import STDERR, STDOUT, Output, send_output_to
from acclimate.study.engines.ray_mailbox import Began, Sender
from acclimate.study.engines.ray_peers import Peer
from acclimate.study.engines.reports import NOT_BEGUN, Report
from acclimate.study.engines.starting import brief_spin
from acclimate.training.interrupt import StopRequest, stop_on_signals
from acclimate.training.progress import Progress

LOOK_EVERY = 0.5  # seconds between two looks at whether the node is there

ALONE = Peer()


@dataclass
class _Open:
    """The performer of this process, of one run of the engine; data and libraries are read at its first job."""

    run: str
    performer: Performer
    stop: StopRequest
    sender: Sender | None = None

    def send(self, progress: Progress) -> None:
        if self.sender is not None:
            self.sender.tell(progress)


# Ray gives a process job after job, and has no other place for what is to outlast one: to load torch anew takes longer than a small stage.
_OPEN: list[_Open] = []


def perform(run: str, setup: Setup, key: str, payload: Any, attempt: int, mailbox: Any, peer: Peer = ALONE) -> Report:
    """Carry out one job, or a peer's part in it; `run` says which run of an engine it belongs to, whose jobs share a performer."""
    import ray

    stop = _OPEN[0].stop if _OPEN and _OPEN[0].run == run else StopRequest()
    # Ray's cancel is a SIGINT, and a node that is taken away sends SIGTERM: both save first. They come as soon as the job is there, and
    # would be lost where a library that is loaded meanwhile catches what Python makes of them.
    with stop_on_signals(stop), Sender(mailbox, key, attempt, stop, peer.rank) as sender:
        sender.tell(Began(ray.get_runtime_context().get_node_id(), peer.rank))
        sender.deliver()
        with _printed_to(sender.tell):
            if peer.world > 1:
                setup = setup.together(peer.world)
                if not peer.join(mailbox, f"{key} {attempt}", setup.threads, stop):
                    return Report(key, "interrupted", NOT_BEGUN)
            opened = _opened(run, setup, stop)
            opened.sender = sender
            report = opened.performer.execute(key, payload)
            opened.sender = None
    if stop.asked:
        _OPEN.clear()  # what comes next in this process, if anything does, was not asked to stop
    return report


def _opened(run: str, setup: Setup, stop: StopRequest) -> _Open:
    if not _OPEN or _OPEN[0].run != run:
        _OPEN.clear()
        os.environ.update(brief_spin())
        threading.Thread(target=_leave_with_the_node, args=(os.getppid(),), daemon=True).start()
        told: list[_Open] = []
        performer = setup.open(stop, lambda progress: told[0].send(progress))
        told.append(_Open(run, performer, stop))
        _OPEN.append(told[0])
    return _OPEN[0]


def _leave_with_the_node(raylet: int) -> None:
    # Ray lets a process live on whose node is lost, with its locks, for which the next attempt would wait.
    while os.getppid() == raylet:
        time.sleep(LOOK_EVERY)
    os._exit(1)


@contextmanager
def _printed_to(say: Callable[[str], None]) -> Iterator[None]:
    """Within the block what this process prints is said, a line at a time, instead of going to a log of Ray's on this node."""
    kept = os.dup(STDOUT), os.dup(STDERR)
    output = Output(say)
    send_output_to(output.theirs)
    output.listen()
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for before, descriptor in zip(kept, (STDOUT, STDERR), strict=True):
            os.dup2(before, descriptor)
            os.close(before)
        output.close()
