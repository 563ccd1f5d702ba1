"""The engine of one machine: a process a device, each given one stage at a time; a crash of one does not stop the others."""

import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from queue import SimpleQueue
from types import FrameType, ModuleType
from typing import Any

from acclimate.study.engines.engine import UNWATCHED, AnySetup, Job, Setup, Watcher, failed_parent, tell
from acclimate.study.engines.output import Output, send_output_to
from acclimate.study.engines.reports import Report
from acclimate.study.engines.starting import Starts, start, starting
from acclimate.training.interrupt import STOPS, leave_terminal_on_hangup, wanted_stops
from acclimate.training.progress import Progress


class Local:
    """Workers on this machine: one per visible GPU, or one for the CPU, unless a number is given; they take the GPUs in turn."""

    def __init__(self, workers: int | None = None) -> None:
        self._asked = workers
        self._workers = workers or gpu_count() or 1

    def settle(self, setup: AnySetup) -> AnySetup:
        """Each worker gets its share of the processors, and knows how many others are on its device."""
        return setup.one_of(workers_on_a_device(self._asked), threads_each(self._asked, setup.threads))

    def close(self) -> None:
        """Between runs it holds nothing."""

    def run(self, jobs: list[Job], setup: Setup, say: Callable[[str], None], watcher: Watcher = UNWATCHED) -> dict[str, Report]:
        """Carry out the jobs; Ctrl-C, SIGTERM or SIGHUP lets running stages save first, a second Ctrl-C kills them."""
        count = min(self._workers, max(1, len(jobs)))
        # Stages of one's own may be defined in the script that runs the study; else no worker needs to run that again.
        script = b"__main__" in pickle.dumps((setup, [job.payload for job in jobs]))
        with starting(count, setup.preload, gpu_count()) as context:

            def started(number: int) -> _Remote:
                with _script(script):
                    return _Remote(context, setup, number, say if watcher.owns_terminal else None)

            return self._carry_out(jobs, count, started, say, watcher)

    def _carry_out(
        self, jobs: list[Job], count: int, started: "Callable[[int], _Remote]", say: Callable[[str], None], watcher: Watcher
    ) -> dict[str, Report]:
        waiting = {job.key: job for job in jobs}
        titles = {job.key: job.title for job in jobs}
        reports: dict[str, Report] = {}
        workers: list[_Remote] = []
        asked = threading.Event()
        with _forwarded(workers, asked):
            try:
                workers.extend(started(number) for number in range(count))
                while True:
                    for place, worker in enumerate(workers):
                        if waiting and not asked.is_set() and worker.job is None and not worker.alive:
                            worker.close()
                            workers[place] = started(worker.number)
                    if asked.is_set():  # perhaps while a worker was started, which has not heard of it
                        for worker in workers:
                            worker.ask_to_stop()
                    else:
                        self._assign(workers, waiting, reports, titles, say, watcher)
                    busy = [worker for worker in workers if worker.job is not None]
                    if not busy:
                        return reports
                    for ready in wait([worker.connection for worker in busy], timeout=0.5):
                        worker = next(worker for worker in busy if worker.connection is ready)
                        job, received = worker.receive()
                        if isinstance(received, Progress):
                            watcher.progress(job.key, received)
                            continue
                        reports[received.key] = received
                        tell(received, job, say, watcher)
            finally:
                for worker in workers:
                    worker.close()

    def _assign(
        self,
        workers: "list[_Remote]",
        waiting: dict[str, Job],
        reports: dict[str, Report],
        titles: dict[str, str],
        say: Callable[[str], None],
        watcher: Watcher,
    ) -> None:
        for job in list(waiting.values()):
            failure = failed_parent(job, reports, titles)
            if failure is not None:
                reports[job.key] = failure
                del waiting[job.key]
                tell(failure, job, say, watcher)
        running = {worker.job.key for worker in workers if worker.job is not None}
        for worker in workers:
            if worker.job is not None or not worker.alive:
                continue
            ready = next((job for job in waiting.values() if not any(key in waiting or key in running for key in job.parents)), None)
            if ready is None:
                return
            del waiting[ready.key]
            running.add(ready.key)
            watcher.began(ready.key)
            worker.send(ready)


@contextmanager
def _script(wanted: bool) -> Iterator[None]:
    """Within the block a process that is started runs the main script again, as multiprocessing does, only where it is `wanted`.

    So a script works as a notebook does, without `if __name__ == "__main__":`, and the data that it holds is not loaded by every worker.
    """
    main = sys.modules["__main__"]
    if not wanted:
        sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


class _Remote:
    """The parent's end of one worker process; with `say`, what the process prints goes there, a line at a time."""

    def __init__(self, context: Starts, setup: Setup, number: int, say: Callable[[str], None] | None) -> None:
        self.number = number
        self.connection, theirs = context.Pipe()
        self._output = Output(say) if say is not None else None
        output = self._output.theirs if self._output is not None else None
        self._process = context.Process(target=_serve, args=(theirs, output, setup, number), daemon=True)
        start(self._process, context)
        theirs.close()
        if self._output is not None:
            self._output.listen()
        self.job: Job | None = None

    @property
    def alive(self) -> bool:
        return self._process.is_alive()

    def send(self, job: Job) -> None:
        self.job = job
        with suppress(OSError):  # a dead worker's pipe: `receive` reports how it ended
            self.connection.send(("job", job.key, job.payload))

    def ask_to_stop(self) -> None:
        with suppress(OSError):
            self.connection.send(("stop",))

    def kill(self) -> None:
        self._process.kill()

    def receive(self) -> tuple[Job, Report | Progress]:
        job = self.job
        assert job is not None
        try:
            received: Report | Progress = self.connection.recv()
            if isinstance(received, Report):
                self.job = None
            return job, received
        except (EOFError, ConnectionResetError):
            self.job = None
            self._process.join()
            code = self._process.exitcode or 0
            how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
            hint = " — out of memory? a smaller --micro-tokens needs less" if code == -signal.SIGKILL else ""
            return job, Report(job.key, "failed", f"its process {how}{hint}")

    def close(self) -> None:
        self.connection.close()  # the worker leaves when its pipe ends
        self._process.join(timeout=10)
        if self.alive:
            self._process.kill()
        if self._output is not None:
            self._output.close()


def threads_each(workers: int | None, threads: int | None) -> int | None:
    """CPU threads of each of so many workers: what was asked for, else an equal share of the processors; None for torch's own choice."""
    if threads is not None or workers is None or workers == 1 or gpu_count():
        return threads
    return max(1, processors() // workers)


def processors() -> int:
    """How many processors this process may use: those the system gives it, and no more than OMP_NUM_THREADS says."""
    given = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    told = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]  # who shares a machine says so there
    return min(given, int(told)) if told.isdecimal() and int(told) else given


def workers_on_a_device(workers: int | None) -> int:
    """How many of so many workers take their memory from the same GPU, or from the CPU's."""
    return -(-(workers or 1) // max(1, gpu_count()))


def gpu_count() -> int:
    """GPUs that this process may use, without loading torch."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([number for number in visible.split(",") if number.strip() not in ("", "-1")])
    folder = "/proc/driver/nvidia/gpus"
    return len(os.listdir(folder)) if os.path.isdir(folder) else 0


class _forwarded:
    """Within the block, Ctrl-C, SIGTERM and SIGHUP are passed on to the workers, which save and stop; the second Ctrl-C kills."""

    def __init__(self, workers: list[_Remote], asked: threading.Event) -> None:
        self._workers, self._asked = workers, asked
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._handle) for number in wanted_stops()}
            leave_terminal_on_hangup(then=self._handle)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._asked.is_set() and number == signal.SIGINT:
            for worker in self._workers:
                worker.kill()
            raise KeyboardInterrupt
        self._asked.set()
        for worker in self._workers:
            worker.ask_to_stop()


def _serve(connection: Connection, output: Connection | None, setup: Setup, number: int) -> None:
    """A worker process: take a job, do it, report."""
    send_output_to(output)
    for stop_signal in STOPS:  # they reach the whole group; the parent says what to do about it
        signal.signal(stop_signal, signal.SIG_IGN)
    leave_terminal_on_hangup()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)  # held back by the parent until here
    if gpu_count() > 1:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(gpu_count())))).split(",")
        os.environ["CUDA_VISIBLE_DEVICES"] = visible[number % len(visible)]
    from acclimate.training.interrupt import StopRequest

    stop = StopRequest()
    inbox: SimpleQueue[tuple[str, Any]] = SimpleQueue()
    threading.Thread(target=_listen, args=(connection, inbox, stop), daemon=True).start()
    worker = setup.open(stop, connection.send)
    while True:
        connection.send(worker.execute(*inbox.get()))


def _listen(connection: Connection, inbox: "SimpleQueue[tuple[str, Any]]", stop: Any) -> None:
    while True:
        try:
            message = connection.recv()
        except (EOFError, OSError):
            os._exit(1)  # the parent is gone, perhaps killed: nobody wants this work, and a resume must find the locks free
        if message[0] == "stop":
            stop.ask()
        else:
            inbox.put(message[1:])
