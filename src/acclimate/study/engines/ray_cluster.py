"""The Ray cluster that a study is given: attached to and never founded, which nodes it has, and whether its head still answers."""

import socket
import time
from dataclasses import dataclass
from typing import Any

from acclimate.errors import ClusterError, MissingExtraError, SettingsError, first_line

LOOK_EVERY = 5.0  # seconds between two looks at the cluster's nodes
HEAD_SECONDS = 30.0  # that the head may be silent for; Ray itself ends the driver after a minute
START = (
    "start one with `ray start --head` here and `ray start --address=HOST:6379` on other machines, or under a batch system with "
    "`ray symmetric-run` (docs/cluster.md)"
)


@dataclass(frozen=True)
class Node:
    """A machine of the cluster, as Ray declares it."""

    id: str
    name: str
    cpus: float
    gpus: float
    memory: int  # bytes

    def holds(self, ask: "Ask") -> int:
        """How many such jobs it can do at the same time."""
        shares = [(self.cpus, ask.cpus), (self.gpus, ask.gpus), (self.memory, ask.memory)]
        return min((int(has / wanted) for has, wanted in shares if wanted), default=1)


@dataclass(frozen=True)
class Ask:
    """What a job takes of a node."""

    cpus: int
    gpus: float = 0.0
    memory: int = 0  # bytes
    processes: int = 1  # that each take this, perhaps on several nodes

    def __str__(self) -> str:
        gpus = [f"{self.gpus:g} GPU"] if self.gpus else []
        memory = [f"{self.memory / 1e9:.1f} GB of memory"] if self.memory else []
        cpus = f"{self.cpus} CPU{'s' if self.cpus != 1 else ''}"
        *before, last = [cpus, *gpus, *memory]
        return f"{', '.join(before)} and {last}" if before else last


class Cluster:
    """A connection to a running cluster. One that this process had already is left open at the end.

    Raises:
        MissingExtraError: ray is not installed.
        SettingsError: the address cannot be one.
        ClusterError: there is no cluster.
    """

    def __init__(self, address: str) -> None:
        try:
            import ray
        except ImportError as error:
            raise MissingExtraError('--engine ray needs ray: pip install "acclimate[cluster]"') from error
        self._ray = ray
        self._ours = not ray.is_initialized()
        if self._ours:
            _attach(ray, address)
        self.head: str = ray.get_runtime_context().gcs_address
        if not self._ours and address not in ("auto", self.head):
            raise SettingsError(f"--address {address}: this process is connected to the Ray cluster at {self.head}; ray.shutdown() first")
        self.here: str = ray.get_runtime_context().get_node_id()
        self._heard = self._looked = time.monotonic()
        self._nodes = self._alive()

    def close(self) -> None:
        """Let go of it."""
        if self._ours:
            self._ours = False
            self._ray.shutdown()

    @property
    def nodes(self) -> list[Node]:
        """Those that live, as they were found some seconds ago."""
        return self._nodes

    def look(self) -> None:
        """Every few seconds: does the head answer, and which nodes are there now?

        Raises:
            ClusterError: the head has not answered for too long, or has given this machine up.
        """
        now = time.monotonic()
        if now - self._looked < LOOK_EVERY:
            return
        self._looked = now
        # Asked of the port itself: Ray's own calls wait for a head that is gone, and then end the process.
        if _answers(self.head):
            self._heard = now
            self._nodes = self._alive()
            # What such a driver asks for is passed over, without a word and for ever.
            if not any(node.id == self.here for node in self._nodes):
                raise ClusterError(
                    f"the head of the Ray cluster at {self.head} has given up this machine, which did not answer in time or has lost its "
                    "`raylet`; what was finished is kept in the store: `ray stop` and `ray start` here, and the same command goes on"
                )
        elif now - self._heard > HEAD_SECONDS:
            raise ClusterError(
                f"the head of the Ray cluster at {self.head} is gone, and the cluster with it; everything that was finished is kept in the "
                "store, with the checkpoints of what was not: start a cluster again, and the same command goes on"
            )

    def _alive(self) -> list[Node]:
        found = []
        for each in self._ray.nodes():
            if each["Alive"]:
                has: dict[str, Any] = each["Resources"]
                name = each.get("NodeManagerHostname") or each["NodeManagerAddress"]
                node = Node(each["NodeID"], name, has.get("CPU", 0.0), has.get("GPU", 0.0), int(has.get("memory", 0)))
                found.append(node)
        return sorted(found, key=lambda node: (node.name, node.id))


def _attach(ray: Any, address: str) -> None:
    if address.startswith("ray://"):
        raise SettingsError(f"--address {address}: run the command on a machine of the cluster, and name it HOST:PORT or auto, not ray://")
    if address != "auto":
        host, _, port = address.rpartition(":")
        if not host or not port.isdecimal():
            raise SettingsError(f"--address {address}: neither `auto` nor HOST:PORT, as `ray start` prints it")
        if not _answers(address):
            raise ClusterError(f"--address {address}: nothing answers there; {START}")
    try:
        # What jobs print comes by the mailbox: Ray's own way would tear a live view, and mix with results on standard output.
        ray.init(address=address, log_to_driver=False, logging_level="warning")
        # Nor has it another switch for what it says of nodes and processes that are lost, which the engine says itself.
        ray._private.worker._worker_logs_enabled = False
    except ConnectionError as error:
        raise ClusterError(f"--engine ray: no Ray cluster was found on this machine ({first_line(error)}); {START}") from error
    except (RuntimeError, ValueError, OSError) as error:
        raise ClusterError(f"--address {address}: {first_line(error)}") from error


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=2):
            return True
    except OSError:
        return False
