"""Two processes that train one model (torchrun, DistributedDataParallel): what one trains, and how fast beside the Trainer's two.

The check: masked language modelling without dropout, the same steps by one process and by two; the held-out losses of both models, on the
same fixed masks, agree. The ratio: real tokens a second of the whole step, both processes together, against transformers' Trainer started
the same way, with the same tokens a step. With two GPUs each process has its own; a single one is shared, and gloo carries the gradients,
since NCCL takes one process a card; on a CPU each process has a thread.
"""

import os
from typing import Any

import torch

from bench import models, ours, peers
from bench.child import in_child
from bench.measure import OURS, Bar, Bench, Cell, Row, interleave, single, versus
from bench.rows.mlm import characters, steps
from bench.rows.replay import loss_of, split

TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
PEER = "Trainer, two processes"
ONE, TWO = "held-out loss, one process", "held-out loss, two processes"


def child(bench: Bench, spec: dict[str, Any]) -> dict[str, Any] | None:
    """What one process does, or one of two: train by our loop or the Trainer's; the first of them tells of it."""
    _share_a_card()
    base = models.base(bench, models.names(bench)[0])
    training, heldout = split(bench, ours.lines(bench, base.folder, characters(bench)))
    count, skipped = steps(bench)
    how: dict[str, Any] = {"steps": count, "skipped": skipped, "dropout": 0.0, "seed": spec["seed"]}
    if spec["side"] == PEER:
        trained = peers.mlm(bench, base, peers.line_by_line(base, training), processes=spec["processes"], **how)
        return {"speed": trained.speed} if int(os.environ.get("RANK", "0")) == 0 else None
    trained = ours.mlm(bench, base.folder, training, **how)
    loss = loss_of(bench, trained.model, heldout)
    return {"speed": trained.speed, "loss": loss} if bench.devices.is_main else None


def _share_a_card() -> None:
    if "RANK" in os.environ and torch.cuda.device_count() == 1:
        os.environ["LOCAL_RANK"] = "0"
        torch.distributed.init_process_group("gloo")


def _ddp(bench: Bench) -> list[Cell]:
    base = models.base(bench, models.names(bench)[0])
    ours.lines(bench, base.folder, characters(bench))  # tokenised once for all
    losses: dict[str, list[float]] = {ONE: [], TWO: []}

    def process(side: str, processes: int, seed: int) -> dict[str, Any]:
        spec = {"side": side, "processes": processes, "seed": seed}
        return in_child(bench, "ddp", spec, {"OMP_NUM_THREADS": "1"}, TORCHRUN if processes == 2 else ())

    def two(number: int) -> float:
        told = process(OURS, 2, number)
        losses[TWO].append(float(told["loss"]))
        losses[ONE].append(float(process(OURS, 1, number)["loss"]))
        return float(told["speed"])

    rounds = interleave({OURS: two, PEER: lambda number: float(process(PEER, 2, number)["speed"])}, bench.options.rounds)
    apart = [abs(one - other) for one, other in zip(losses[ONE], losses[TWO], strict=True)]
    shared = "each its own card" if torch.cuda.device_count() > 1 else "both on one card" if bench.kind == "gpu" else "a thread each"
    return [
        *(single(name, values, "nats", model=base.name) for name, values in losses.items()),
        Cell("difference", max(apart), "nats", min(apart), max(apart), base.name, note=f"{steps(bench)[0]} steps, {shared}"),
        versus(f"against {PEER}", rounds, PEER, "tokens/s", model=base.name, note=shared),
    ]


ROWS = (
    Row(
        "ddp",
        "two processes of one training: held-out loss against one process's; real tokens a second",
        _ddp,
        {
            "cpu": {"difference": Bar(0.001, "at most", "nats", promise=True)},
            "gpu": {"difference": Bar(0.02, "at most", "nats", promise=True), f"against {PEER}": Bar(2)},
        },
    ),
)
