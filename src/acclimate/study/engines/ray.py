"""The engine of a Ray cluster: this process decides what may begin, Ray where; models and data go through the store, which all nodes share.

A stage whose node is lost, whose process is killed or that is taken off its node is carried out again, from its last checkpoint in the
store. One that fails by itself is not.
"""

import heapq
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from graphlib import TopologicalSorter
from types import FrameType
from typing import Any

from acclimate.errors import ClusterError, SettingsError, first_line
from acclimate.study.engines.engine import UNWATCHED, AnySetup, Job, Setup, Watcher, failed_parent, tell
from acclimate.study.engines.ray_cluster import Ask, Cluster, Node
from acclimate.study.engines.ray_mailbox import Began, Letter, Mailbox
from acclimate.study.engines.ray_preflight import preflight
from acclimate.study.engines.ray_task import perform
from acclimate.study.engines.reports import Report
from acclimate.training.interrupt import leave_terminal_on_hangup, wanted_stops
from acclimate.training.progress import Progress

ATTEMPTS = 3  # at a job that is lost on its way
USUAL_THREADS = 4  # of a stage: more gain little on steps as small as those of fine-tuning
MAILBOX_SECONDS = 60.0  # that its process may take to start
TICK = 0.5  # seconds between two looks at what came in
BESIDE_A_MODEL = 10**9  # bytes: Python, torch, a step's activations
TRAINED = 4  # of a model's size: weights, gradients and AdamW's two moments


@dataclass(frozen=True)
class _Flight:
    """A job that Ray has."""

    job: Job
    attempt: int = 1
    lost: tuple[str, ...] = ()  # what became of the attempts before
    node: str = ""  # Ray's id of where it runs; empty until it begins
    avoid: str = ""  # and of where it was lost


class Ray:
    """Stages as tasks of a running Ray cluster, each with the CPUs, memory and GPU that it needs.

    `workers`: stages done at the same time, at most (None: as many as fit); `gpus`: what a stage that trains takes of one, where the
    cluster has any (a fraction: several share one).

    Raises:
        MissingExtraError, SettingsError, ClusterError: as `Cluster`.
    """

    def __init__(self, workers: int | None = None, address: str = "auto", gpus: float = 1.0) -> None:
        if not (0 < gpus <= 1):
            raise SettingsError(f"--gpus {gpus:g}: a stage trains on one GPU, or on a share of one: above 0, and at most 1")
        self._cluster = Cluster(address)
        self._workers = workers
        self._gpus = gpus if any(node.gpus for node in self._cluster.nodes) else 0.0
        self._threads = 1

    def settle(self, setup: AnySetup) -> AnySetup:
        """Each stage gets the same number of threads wherever it runs, and knows how many share its node, or its GPU."""
        nodes = [node for node in self._cluster.nodes if node.cpus >= 1]
        most = max((int(node.cpus) for node in nodes), default=1)
        self._threads = setup.threads or min(USUAL_THREADS, most)
        sharing = int(1 / self._gpus) if self._gpus else max(1, most // self._threads)
        return setup.one_of(min(sharing, self._workers or sharing), self._threads)

    def run(self, jobs: list[Job], setup: Setup, say: Callable[[str], None], watcher: Watcher = UNWATCHED) -> dict[str, Report]:
        """Carry out the jobs. The first Ctrl-C, SIGTERM or SIGHUP lets running stages save, a second Ctrl-C kills them.

        Raises:
            ClusterError: the nodes are not fit for it, or the cluster is gone.
        """
        import ray

        try:
            self._check_size(jobs)
            for note in preflight(ray, self._cluster.nodes, setup.shared):
                say(f"note: {note}")
            course = _Course(ray, self._cluster, jobs, setup, say, watcher)
            with _asked_to_stop() as asked:
                try:
                    while course.under_way(asked.is_set()):
                        if not asked.is_set():
                            course.begin(self._room(), self._ask)
                        course.receive()
                        self._cluster.look()
                        course.tell_what_waits(self._ask)
                except KeyboardInterrupt:
                    course.kill()
                    raise
            return course.reports
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the cluster; a run that ended did so already."""
        self._cluster.close()

    def _ask(self, job: Job) -> Ask:
        if not job.needs.trains:
            return Ask(1, memory=BESIDE_A_MODEL + job.needs.model_bytes)
        return Ask(self._threads, self._gpus, BESIDE_A_MODEL + TRAINED * job.needs.model_bytes)

    def _room(self) -> int:
        """How many jobs Ray is given at once: one more than can run on each node, so that none waits for this process."""
        if self._workers is not None:
            return self._workers
        ask = Ask(self._threads, self._gpus)
        return sum(node.holds(ask) + 1 for node in self._cluster.nodes)

    def _check_size(self, jobs: list[Job]) -> None:
        # A task that no node can hold would wait for ever, without a word.
        for job in jobs:
            ask = self._ask(job)
            if not any(node.holds(ask) for node in self._cluster.nodes):
                largest = max(self._cluster.nodes, key=lambda node: (node.gpus, node.cpus, node.memory))
                has = Ask(int(largest.cpus), largest.gpus, largest.memory)
                raise ClusterError(
                    f"{job.title}: asks for {ask}, and the largest node, {largest.name}, has {has}; fewer --threads, a smaller --gpus, or "
                    "a larger node in the cluster from the start"
                )


class _Course:
    """The jobs of one run on their way through the cluster."""

    def __init__(self, ray: Any, cluster: Cluster, jobs: list[Job], setup: Setup, say: Callable[[str], None], watcher: Watcher) -> None:
        self._ray, self._cluster, self._say, self._watcher = ray, cluster, say, watcher
        self._jobs = {job.key: job for job in jobs}
        self._titles = {job.key: job.title for job in jobs}
        self._place = {job.key: place for place, job in enumerate(jobs)}
        self._order = TopologicalSorter({job.key: [key for key in job.parents if key in self._jobs] for job in jobs})
        self._order.prepare()
        self._ready: list[tuple[int, str]] = []  # a heap: in the plan's order
        self._again: list[_Flight] = []
        self._flights: dict[Any, _Flight] = {}
        self._made_on: dict[str, str] = {}  # key of a job -> id of the node that has its files in memory
        self._stopping = False
        self._waiting: set[str] = set()  # keys of jobs of which it was said that they wait for a machine
        self.reports: dict[str, Report] = {}
        self._run = uuid.uuid4().hex
        self._setup = ray.put(setup)
        # A process that has seen one GPU cannot be given another one.
        self._on_cpu, self._on_gpu = ray.remote(perform), ray.remote(max_calls=1)(perform)
        self._mailbox = ray.remote(Mailbox).options(num_cpus=0, max_restarts=-1, scheduling_strategy=self._on(cluster.here)).remote()
        self._asked: Any = None  # of the mailbox, and not answered yet
        ray.wait([self._mailbox.take.remote()], timeout=MAILBOX_SECONDS)

    def under_way(self, asked: bool) -> bool:
        """Whether anything is to be waited for; where a stop is `asked` for, running jobs are told so, and no other begins."""
        if asked and not self._stopping:
            self._stopping = True
            for ref in self._flights:
                self._ray.cancel(ref, force=False)
        if self._stopping:
            return bool(self._flights)
        self._end_what_cannot_begin()
        return bool(self._flights or self._again or self._ready)

    def begin(self, room: int, ask_of: Callable[[Job], Ask]) -> None:
        """Give Ray jobs whose parents are done, until it has so many."""
        while len(self._flights) < room and (self._again or self._ready):
            flight = self._again.pop(0) if self._again else _Flight(self._jobs[heapq.heappop(self._ready)[1]])
            self._submit(flight, ask_of(flight.job))

    def receive(self) -> None:
        """Wait a moment for what comes in: reports, and what jobs tell while they run."""
        if not self._flights:
            time.sleep(TICK)  # no node has room for any
            return
        ready, _ = self._ray.wait([*self._flights], timeout=TICK)
        self._read_letters()
        for ref in ready:
            self._landed(self._flights.pop(ref), ref)

    def tell_what_waits(self, ask_of: Callable[[Job], Ask]) -> None:
        """Once of each job: that no machine is left which could hold it. It begins as soon as one comes."""
        for flight in self._flights.values():
            key, ask = flight.job.key, ask_of(flight.job)
            if not flight.node and key not in self._waiting and not any(node.holds(ask) for node in self._cluster.nodes):
                self._waiting.add(key)
                self._say(f"waiting: {flight.job.title} — no machine that is left has {ask}; it begins when one joins the cluster")

    def kill(self) -> None:
        """At once, whatever they do."""
        for ref in self._flights:
            with suppress(Exception):
                self._ray.cancel(ref, force=True)

    def _end_what_cannot_begin(self) -> None:
        while keys := self._order.get_ready():
            for key in keys:
                failure = failed_parent(self._jobs[key], self.reports, self._titles)
                if failure is None:
                    heapq.heappush(self._ready, (self._place[key], key))
                else:
                    self._ended(failure)

    def _submit(self, flight: _Flight, ask: Ask) -> None:
        task = (self._on_gpu if ask.gpus else self._on_cpu).options(
            name=flight.job.title,
            num_cpus=ask.cpus,
            num_gpus=ask.gpus,
            memory=ask.memory,
            # Ray's own retries know no limit where memory runs out, and no reason; what is lost is counted here.
            max_retries=0,
            scheduling_strategy=self._near(flight, ask),
        )
        ref = task.remote(self._run, self._setup, flight.job.key, flight.job.payload, flight.attempt, self._mailbox)
        self._flights[ref] = flight

    def _near(self, flight: _Flight, ask: Ask) -> Any:
        """Where its parent was made, whose files that node has in memory, if there is room now; else, as for what was lost, elsewhere."""
        fit = [node for node in self._cluster.nodes if node.holds(ask)]
        if flight.lost:
            other = next((node for node in fit if node.id != flight.avoid), None)
            return "DEFAULT" if other is None else self._on(other.id, soft=True)
        parent = next((self._made_on[key] for key in flight.job.parents if key in self._made_on), None)
        return self._on(parent, soft=True) if any(node.id == parent for node in fit) else "SPREAD"

    def _on(self, node: str | None, soft: bool = False) -> Any:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        return NodeAffinitySchedulingStrategy(node, soft=soft, _spill_on_unavailable=soft)

    def _read_letters(self) -> None:
        letters: list[Letter] = []
        late = self._asked is not None
        for _turn in range(2 if late else 1):  # what is asked now has what was posted until now
            self._asked = self._asked or self._mailbox.take.remote()
            ready, _ = self._ray.wait([self._asked], timeout=10 * TICK)
            if not ready:
                break
            asked, self._asked = self._asked, None
            with suppress(self._ray.exceptions.RayError):  # it starts again by itself; what it held is not missed
                letters += self._ray.get(asked)
        by_attempt = {(flight.job.key, flight.attempt): ref for ref, flight in self._flights.items()}
        for letter in letters:
            ref = by_attempt.get((letter.key, letter.attempt))
            if isinstance(letter.content, str):
                self._say(letter.content)
            elif ref is None:
                continue  # of an attempt that is over
            elif isinstance(letter.content, Began):
                self._flights[ref] = replace(self._flights[ref], node=letter.content.node)
                self._watcher.began(letter.key)
            elif isinstance(letter.content, Progress):
                self._watcher.progress(letter.key, letter.content)

    def _landed(self, flight: _Flight, ref: Any) -> None:
        errors = self._ray.exceptions
        try:
            report: Report = self._ray.get(ref)
        except errors.TaskCancelledError:
            if self._stopping and flight.node:
                self._ended(Report(flight.job.key, "interrupted", "stopped"))
            elif not self._stopping:
                self._lost(flight, "was cancelled")
        except errors.RayTaskError as error:
            self._ended(Report(flight.job.key, "failed", f"{self._name(flight.node)}: {first_line(error.cause or error)}"))
        except errors.OutOfMemoryError:
            self._lost(flight, f"killed by Ray on {self._name(flight.node)}, whose memory ran out; a smaller --micro-tokens needs less")
        except errors.NodeDiedError:
            self._lost(flight, f"{self._name(flight.node)} was lost")
        except errors.RayError as error:
            self._lost(flight, f"its process on {self._name(flight.node)} was lost ({type(error).__name__})")
        else:
            if report.status == "interrupted" and not self._stopping:
                self._lost(flight, f"{self._name(flight.node)} was taken away ({report.error})")
            else:
                self._made_on[flight.job.key] = flight.node
                self._ended(report)

    def _lost(self, flight: _Flight, why: str) -> None:
        lost = (*flight.lost, why)
        if self._stopping:
            self._ended(Report(flight.job.key, "interrupted", why))
        elif flight.attempt >= ATTEMPTS:
            told = "; ".join(f"{number}. {each}" for number, each in enumerate(lost, 1))
            self._ended(Report(flight.job.key, "failed", f"given up after {ATTEMPTS} attempts: {told}"))
        else:
            self._watcher.lost(flight.job.key, why)
            self._say(f"lost: {flight.job.title} — {why}; it goes on elsewhere (attempt {flight.attempt + 1} of {ATTEMPTS})")
            self._again.append(replace(flight, attempt=flight.attempt + 1, lost=lost, node="", avoid=flight.node))

    def _ended(self, report: Report) -> None:
        self.reports[report.key] = report
        tell(report, self._jobs[report.key], self._say, self._watcher)
        self._order.done(report.key)

    def _name(self, node: str) -> str:
        known: Node | None = next((each for each in self._cluster.nodes if each.id == node), None)
        return f"node {known.name}" if known is not None else f"node {node[:8]}" if node else "its node"


@contextmanager
def _asked_to_stop() -> Iterator[threading.Event]:
    """Within the block Ctrl-C, SIGTERM and SIGHUP set the event; a second Ctrl-C is a KeyboardInterrupt."""
    asked = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        if asked.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        asked.set()

    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = {number: signal.signal(number, handle) for number in wanted_stops()}
    leave_terminal_on_hangup(then=handle)
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
