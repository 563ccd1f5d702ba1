"""One job over several processes of a Ray cluster: they get their places together or not at all, and find each other as under torchrun.

Ray Train's `TorchTrainer` does the same by four more processes, whose start takes longer than a small stage, and trains in a thread, which
no signal reaches: a Ctrl-C would end it before anything is saved.
"""

import os
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from acclimate.study.engines.ray_cluster import Ask, Node
from acclimate.training.interrupt import StopRequest

LOOK_EVERY = 0.2  # seconds between two looks at whether the first of the processes has said where it is
ENDING = 15.0  # seconds in which the processes of a job must have ended once one of them is lost or has failed
SAVING = 600.0  # the same where one has stopped: the first may have to bring gigabytes of checkpoints into a bucket


@dataclass(frozen=True)
class Peer:
    """One of the processes that do a job together."""

    rank: int = 0
    world: int = 1

    def join(self, mailbox: Any, meeting: str, threads: int | None, stop: StopRequest) -> bool:
        """Say to torch in this process, by the environment, who its peers are and where the first of them listens.

        Returns: whether it has; not where it is asked to stop before that.
        """
        import ray

        if self.rank == 0 and not stop.asked:
            ray.get(mailbox.open.remote(meeting, f"{ray.util.get_node_ip_address()} {_free_port()}"))
        while not (address := ray.get(mailbox.place.remote(meeting))):
            if stop.asked:
                return False
            time.sleep(LOOK_EVERY)
        host, port = address.split()
        # Ray shows a process its own GPU alone, as if it were by itself on its machine.
        alone = {"LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1", "OMP_NUM_THREADS": str(threads or 1)}
        os.environ |= {"RANK": str(self.rank), "WORLD_SIZE": str(self.world), "MASTER_ADDR": host, "MASTER_PORT": port, **alone}
        return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


def places(nodes: Sequence[Node], ask: Ask) -> int:
    """How many processes that each ask for this the nodes hold together."""
    return sum(node.holds(ask) for node in nodes)


class Room:
    """Room for the processes of one job, on few nodes if it can be; it is there at once for all of them, or waited for."""

    def __init__(self, ask: Ask, world: int) -> None:
        from ray.util.placement_group import placement_group

        each = {"CPU": ask.cpus, "GPU": ask.gpus, "memory": ask.memory}
        self._group = placement_group([{name: value for name, value in each.items() if value}] * world, strategy="PACK")

    def of(self, rank: int) -> Any:
        """The strategy by which Ray puts a process there."""
        from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

        return PlacementGroupSchedulingStrategy(self._group, placement_group_bundle_index=rank)

    def leave(self) -> None:
        """Give it back; what still runs there is ended."""
        from ray.util.placement_group import remove_placement_group

        with suppress(Exception):  # a cluster that is gone has it no more
            remove_placement_group(self._group)
