"""What the engine of a Ray cluster costs itself: a study of 2,000 runs whose stages only sleep, on four nodes that declare 64 processors.

All nodes are on this machine, so its processors do for 64 processes what those of four machines would do: the seconds a stage takes beyond
its sleep are an upper bound. The driver's memory must be flat: what it holds between the first quarter of the stages and the last one grows
by reports and titles alone.
"""

import statistics
import time
from typing import Any

from bench.child import in_child
from bench.measure import Bar, Bench, Cell, Row, single

NODES, PROCESSORS, SECONDS = 4, 16, 1.0
ENVIRONMENT = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_memory_monitor_refresh_ms": "0"}


def child(bench: Bench, spec: dict[str, Any]) -> dict[str, Any]:
    """The driver, and the cluster on this machine."""
    import psutil
    from ray.cluster_utils import Cluster

    from acclimate.study.engines.engine import Unwatched
    from acclimate.study.engines.ray import Ray
    from acclimate.study.engines.reports import Report
    from bench.sleeper import Sleeper, stages

    node = {"num_cpus": spec["processors"], "memory": 2**37, "object_store_memory": 80 * 2**20, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args={**node, "num_cpus": 0})
    for _ in range(NODES):
        cluster.add_node(**node)
    jobs, setup, process = stages(spec["runs"]), Sleeper(spec["seconds"]), psutil.Process()
    held: list[int] = []
    times: list[float] = []

    class Watcher(Unwatched):
        def ended(self, report: Report) -> None:
            held.append(process.memory_info().rss)
            times.append(time.perf_counter())

    engine = Ray(address=cluster.address)
    before = sum(process.cpu_times()[:2])
    reports = engine.run(jobs, engine.settle(setup), lambda line: None, Watcher())
    assert all(report.status == "done" for report in reports.values())
    processor = sum(process.cpu_times()[:2]) - before
    # Without the first quarter, in which processes are started.
    quarter = len(jobs) // 4
    wall = times[-1] - times[quarter]
    slots = NODES * spec["processors"]
    outcome = {
        "beyond": wall * slots / (len(jobs) - quarter) - spec["seconds"],
        "processor": processor / len(jobs),
        "growth": (statistics.median(held[-quarter:]) - statistics.median(held[quarter : 2 * quarter])) / 1e6,
        "held": held[-1] / 1e6,
    }
    cluster.shutdown()
    return outcome


def _cluster(bench: Bench) -> list[Cell]:
    runs, processors = bench.options.sized(2000, 8), bench.options.sized(PROCESSORS, 1)
    spec = {"runs": runs, "processors": processors, "seconds": bench.options.sized(10, 1) / 10 * SECONDS}
    outcome = in_child(bench, "cluster", spec, ENVIRONMENT)
    note = f"{2 * runs + 1:,} stages, {NODES * processors} at once"
    return [
        single("a stage, beyond its sleep", [1e3 * outcome["beyond"]], "ms", note=note),
        single("a stage, of the driver's processor", [1e3 * outcome["processor"]], "ms", note=note),
        single("growth of the driver's memory", [outcome["growth"]], "MB", note=f"{outcome['held']:.0f} MB at the end"),
    ]


BARS = {"growth of the driver's memory": Bar(20, "at most", "MB")}
ROWS = (Row("cluster", "engine ray, stages that sleep, 4 nodes on one machine", _cluster, {"cpu": BARS}),)
