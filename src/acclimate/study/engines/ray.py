"""The engine of a Ray cluster: this process decides what may begin, Ray where; models and data go through the store, which all nodes share.

A stage whose node is lost, whose process is killed or that is taken off its node is carried out again, from its last checkpoint in the
store. One that fails by itself is not. A stage that trains over several devices has a process for each, and the loss of one is its own.
"""

import heapq
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from graphlib import TopologicalSorter
from types import FrameType
from typing import Any

from acclimate.errors import ClusterError, SettingsError, first_line
from acclimate.study.engines.engine import UNWATCHED, AnySetup, Job, Setup, Watcher, failed_parent, tell
from acclimate.study.engines.ray_cluster import Ask, Cluster, Node
from acclimate.study.engines.ray_mailbox import Began, Heard, Letter, Mailbox
from acclimate.study.engines.ray_peers import ENDING, SAVING, Peer, Room, places
from acclimate.study.engines.ray_preflight import preflight
from acclimate.study.engines.ray_task import perform
from acclimate.study.engines.reports import NOT_BEGUN, Report
from acclimate.training.interrupt import leave_terminal_on_hangup, wanted_stops
from acclimate.training.progress import Progress

ATTEMPTS = 3  # at a job that is lost on its way
USUAL_THREADS = 4  # of a stage: more gain little on steps as small as those of fine-tuning
MAILBOX_SECONDS = 60.0  # that its process may take to start
TICK = 0.5  # seconds between two looks at what came in
AGAIN = 20.0  # seconds after which a process is asked to stop once more that has not said that it heard it
BESIDE_A_MODEL = 10**9  # bytes: Python, torch, a step's activations
TRAINED = 4  # of a model's size: weights, gradients and AdamW's two moments


@dataclass(frozen=True)
class _Flight:
    """A job that Ray has."""

    job: Job
    attempt: int = 1
    lost: tuple[str, ...] = ()  # what became of the attempts before
    nodes: Mapping[int, str] = field(default_factory=dict)  # Ray's ids of where its processes run, by rank; none until they begin
    avoid: str = ""  # and of where it was lost
    refs: tuple[Any, ...] = ()  # Ray's of its processes, by rank
    room: Room | None = None  # of several
    ended: Mapping[Any, float] = field(default_factory=dict)  # when each of `refs` was seen to have ended, the first first
    heard: frozenset[int] = frozenset()  # ranks of those that know that they are to stop

    @property
    def node(self) -> str:
        """Where it runs, by its first process; empty until it begins."""
        return self.nodes.get(0, "")


@dataclass(frozen=True)
class _Loss:
    """Why a process came to no end."""

    why: str


class Ray:
    """Stages as tasks of a running Ray cluster, each with the CPUs, memory and GPU that it needs.

    `workers`: stages done at the same time, at most (None: as many as fit); `gpus`: what a stage that trains takes of one, where the
    cluster has any (a fraction: several share one); `devices`: processes that train a stage together, each with these CPUs or GPU.

    Raises:
        MissingExtraError, SettingsError, ClusterError: as `Cluster`.
    """

    def __init__(self, workers: int | None = None, address: str = "auto", gpus: float = 1.0, devices: int = 1) -> None:
        if not (0 < gpus <= 1):
            more = "; --devices N trains it on several" if gpus > 1 else ""
            raise SettingsError(f"--gpus {gpus:g}: a stage trains on one GPU, or on a share of one: above 0, and at most 1{more}")
        if devices > 1 and gpus < 1:
            raise SettingsError(
                f"--gpus {gpus:g} --devices {devices}: processes that train together wait for each other, so each takes a whole GPU"
            )
        self._cluster = Cluster(address)
        self._workers = workers
        self._devices = devices
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
            course = _Course(ray, self._cluster, jobs, setup, say, watcher, self._ask)
            with _asked_to_stop() as asked:
                try:
                    while course.under_way(asked.is_set()):
                        if not asked.is_set():
                            course.begin(self._room())
                        course.receive()
                        self._cluster.look()
                        course.tell_what_waits()
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
        return Ask(self._threads, self._gpus, BESIDE_A_MODEL + TRAINED * job.needs.model_bytes, self._devices)

    def _room(self) -> int:
        """How many jobs Ray is given at once: one more than can run on each node, so that none waits for this process."""
        if self._workers is not None:
            return self._workers
        nodes = self._cluster.nodes
        return places(nodes, Ask(self._threads, self._gpus)) // self._devices + len(nodes)

    def _check_size(self, jobs: list[Job]) -> None:
        # A task that no node can hold would wait for ever, without a word.
        for job in jobs:
            ask = self._ask(job)
            if ask.processes > 1 and 0 < (held := places(self._cluster.nodes, ask)) < ask.processes:
                raise ClusterError(
                    f"{job.title}: {ask.processes} processes that each ask for {ask}, and the cluster has room for {held}; fewer --devices "
                    "or --threads, or more nodes from the start"
                )
            if not places(self._cluster.nodes, ask):
                largest = max(self._cluster.nodes, key=lambda node: (node.gpus, node.cpus, node.memory))
                has = Ask(int(largest.cpus), largest.gpus, largest.memory)
                raise ClusterError(
                    f"{job.title}: asks for {ask}, and the largest node, {largest.name}, has {has}; fewer --threads, a smaller --gpus, or "
                    "a larger node in the cluster from the start"
                )


class _Course:
    """The jobs of one run on their way through the cluster."""

    def __init__(
        self, ray: Any, cluster: Cluster, jobs: list[Job], setup: Setup, say: Callable[[str], None], watcher: Watcher,
        ask_of: Callable[[Job], Ask],
    ) -> None:  # fmt: skip
        self._ray, self._cluster, self._say, self._watcher, self._ask_of = ray, cluster, say, watcher, ask_of
        self._jobs = {job.key: job for job in jobs}
        self._titles = {job.key: job.title for job in jobs}
        self._place = {job.key: place for place, job in enumerate(jobs)}
        self._order = TopologicalSorter({job.key: [key for key in job.parents if key in self._jobs] for job in jobs})
        self._order.prepare()
        self._ready: list[tuple[int, str]] = []  # a heap: in the plan's order
        self._again: list[_Flight] = []
        self._flights: dict[str, _Flight] = {}  # by key of the job
        self._made_on: dict[str, str] = {}  # key of a job -> id of the node that has its files in memory
        self._stopping = False
        self._asked_at = 0.0  # when running jobs were last asked to stop
        self._waiting: set[str] = set()  # keys of jobs of which it was said that they wait for a machine
        self.reports: dict[str, Report] = {}
        self._run = uuid.uuid4().hex
        self._setup = ray.put(setup)
        # A process that has seen one GPU, or peers, cannot be given another one, or others, nor one that has seen none. Ray gives a task
        # any idle process of the same environment, so theirs is another one.
        self._often, self._once = ray.remote(perform), ray.remote(max_calls=1, runtime_env={"env_vars": {"ACCLIMATE_ONCE": "1"}})(perform)
        self._mailbox = ray.remote(Mailbox).options(num_cpus=0, max_restarts=-1, scheduling_strategy=self._on(cluster.here)).remote()
        self._asked: Any = None  # of the mailbox, and not answered yet
        ray.wait([self._mailbox.take.remote()], timeout=MAILBOX_SECONDS)

    def under_way(self, asked: bool) -> bool:
        """Whether anything is to be waited for; where a stop is `asked` for, running jobs are told so, and no other begins."""
        if asked:
            self._ask_to_stop()
            return bool(self._flights)
        self._end_what_cannot_begin()
        return bool(self._flights or self._again or self._ready)

    def _ask_to_stop(self) -> None:
        # Again and again: what comes to a process while it starts may be lost on its way. Who has heard it would be killed by a second one.
        if self._stopping and time.monotonic() - self._asked_at < AGAIN:
            return
        self._stopping, self._asked_at = True, time.monotonic()
        for flight in self._flights.values():
            for rank, ref in enumerate(flight.refs):
                if rank not in flight.heard and ref not in flight.ended:
                    self._ray.cancel(ref, force=False)

    def begin(self, room: int) -> None:
        """Give Ray jobs whose parents are done, until it has so many."""
        while len(self._flights) < room and (self._again or self._ready):
            flight = self._again.pop(0) if self._again else _Flight(self._jobs[heapq.heappop(self._ready)[1]])
            self._submit(flight, self._ask_of(flight.job))

    def receive(self) -> None:
        """Wait a moment for what comes in: reports, and what jobs tell while they run."""
        if not self._flights:
            time.sleep(TICK)  # no node has room for any
            return
        keys = {ref: key for key, flight in self._flights.items() for ref in flight.refs if ref not in flight.ended}
        ready, _ = self._ray.wait([*keys], timeout=TICK)
        self._read_letters()
        for ref in ready:
            flight = self._flights[keys[ref]]
            self._flights[flight.job.key] = replace(flight, ended={**flight.ended, ref: time.monotonic()})
        for flight in [*self._flights.values()]:
            if flight.ended and self._is_over(flight):
                self._landed(self._flights.pop(flight.job.key))

    def tell_what_waits(self) -> None:
        """Once of each job: that no machine is left which could hold it. It begins as soon as one comes."""
        for flight in self._flights.values():
            key, ask = flight.job.key, self._ask_of(flight.job)
            if not flight.node and key not in self._waiting and places(self._cluster.nodes, ask) < ask.processes:
                self._waiting.add(key)
                several = f" {ask.processes} times" if ask.processes > 1 else ""
                self._say(f"waiting: {flight.job.title} — no machine that is left has {ask}{several}; it begins when one joins the cluster")

    def kill(self) -> None:
        """At once, whatever they do."""
        for flight in self._flights.values():
            self._kill(flight.refs)

    def _kill(self, refs: Iterable[Any]) -> None:
        for ref in refs:
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
        room = Room(ask, ask.processes) if ask.processes > 1 else None
        refs = []
        for rank in range(ask.processes):
            task = (self._once if ask.gpus or room else self._often).options(
                name=flight.job.title,
                num_cpus=ask.cpus,
                num_gpus=ask.gpus,
                memory=ask.memory,
                # Ray's own retries know no limit where memory runs out, and no reason; what is lost is counted here.
                max_retries=0,
                scheduling_strategy=room.of(rank) if room else self._near(flight, ask),
            )
            job, peer = flight.job, Peer(rank, ask.processes)
            refs.append(task.remote(self._run, self._setup, job.key, job.payload, flight.attempt, self._mailbox, peer))
        self._flights[flight.job.key] = replace(flight, refs=tuple(refs), room=room)

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
        for letter in letters:
            flight = self._flights.get(letter.key)
            if isinstance(letter.content, str):
                self._say(letter.content)
            elif flight is None or flight.attempt != letter.attempt:
                continue  # of an attempt that is over
            elif isinstance(letter.content, Began):
                self._flights[letter.key] = replace(flight, nodes={**flight.nodes, letter.content.rank: letter.content.node})
                if letter.content.rank == 0:
                    self._watcher.began(letter.key)
            elif isinstance(letter.content, Heard):
                self._flights[letter.key] = replace(flight, heard=flight.heard | {letter.content.rank})
            elif isinstance(letter.content, Progress):
                self._watcher.progress(letter.key, letter.content)

    def _is_over(self, flight: _Flight) -> bool:
        """Whether all of its processes have ended, one at least, or the others are waited for no longer."""
        first, since = next(iter(flight.ended.items()))
        found = self._outcome(first, "")
        stopped = isinstance(found, Report) and found.status == "interrupted" and found.error != NOT_BEGUN
        return len(flight.ended) == len(flight.refs) or time.monotonic() - since > (SAVING if stopped else ENDING)

    def _landed(self, flight: _Flight) -> None:
        told = [self._outcome(ref, flight.nodes.get(flight.refs.index(ref), "")) for ref in flight.ended]
        self._kill(ref for ref in flight.refs if ref not in flight.ended)  # what waits for a peer that has failed or is lost
        if flight.room is not None:
            flight.room.leave()
        # What became of one explains what the others say.
        found = min(told, key=_last_word)
        if isinstance(found, _Loss):
            self._lost(flight, found.why)
        elif found.status == "interrupted" and not self._stopping:
            self._lost(flight, f"{self._name(flight.node)} was taken away ({found.error})")
        elif found.status != "interrupted" or flight.node:
            report = replace(found, key=flight.job.key)
            if report.status == "done":
                self._made_on[flight.job.key] = flight.node
            self._ended(report)

    def _outcome(self, ref: Any, node: str) -> Report | _Loss:
        errors, name = self._ray.exceptions, self._name(node)
        try:
            report: Report = self._ray.get(ref)
        except errors.TaskCancelledError:
            return Report("", "interrupted", NOT_BEGUN) if self._stopping else _Loss("was cancelled")
        except errors.RayTaskError as error:
            return Report("", "failed", f"{name}: {first_line(error.cause or error)}")
        except errors.OutOfMemoryError:
            return _Loss(f"killed by Ray on {name}, whose memory ran out; a smaller --micro-tokens needs less")
        except errors.NodeDiedError:
            return _Loss(f"{name} was lost")
        except errors.RayError as error:
            return _Loss(f"its process on {name} was lost ({type(error).__name__})")
        return report

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
            self._again.append(_Flight(flight.job, flight.attempt + 1, lost, avoid=flight.node))

    def _ended(self, report: Report) -> None:
        self.reports[report.key] = report
        tell(report, self._jobs[report.key], self._say, self._watcher)
        self._order.done(report.key)

    def _name(self, node: str) -> str:
        known: Node | None = next((each for each in self._cluster.nodes if each.id == node), None)
        return f"node {known.name}" if known is not None else f"node {node[:8]}" if node else "its node"


def _last_word(told: Report | _Loss) -> int:
    if isinstance(told, _Loss):
        return 0
    return {"failed": 1, "interrupted": 2, "done": 3}[told.status]


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
