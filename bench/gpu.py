"""`python -m bench gpu`: the list that whoever has a GPU runs, in one command.

Each line is a promise: rows of the bench that check it (a bar that is a promise, not a speed), and rows that measure it against the peer.
Another promise is another line here, and its rows in bench/rows. `--dry` carries out the checks in small on a CPU.
"""

from collections.abc import Mapping
from typing import NamedTuple

from bench.measure import Kind, Row
from bench.report import Outcome


class Line(NamedTuple):
    """A promise about GPUs."""

    promise: str
    checks: tuple[str, ...]  # rows
    measures: tuple[str, ...] = ()  # rows with the ratio, where those that check have none


LIST = (
    Line("packed kernels give what plain attention gives, forward and backward", ("kernels",)),
    Line("masked language modelling is the Trainer's, step by step, and faster", ("replay",), ("mlm-lines", "mlm-sentences", "mlm-blocks")),
    Line("fine-tuning ends where the Trainer's ends, sooner", ("noise",), ("finetune", "tags", "pairs", "head-only", "top-2")),
    Line("two processes train what one trains, faster than the Trainer's two", ("ddp",)),
)
REFUSED = (
    "python -m bench gpu: no GPU is here (torch sees no CUDA device), so there is nothing to measure; "
    "`python -m bench gpu --dry` carries out its checks in small on this CPU"
)


def names(dry: bool) -> tuple[str, ...]:
    """The rows of the list in its order; those that only measure are left out of a dry run."""
    return tuple(name for line in LIST for name in (*line.checks, *(() if dry else line.measures)))


def broken(rows: Mapping[str, Row], outcomes: Mapping[str, Outcome], kind: Kind) -> list[str]:
    """The promises that did not hold: rows that failed, and bars of promises that were missed."""
    found = []
    for name, outcome in outcomes.items():
        if isinstance(outcome, str):
            found.append(f"{name}: {outcome}")
            continue
        bars = rows[name].bars.get(kind, {})
        for cell in outcome:
            bar = bars.get(cell.variant)
            if bar is not None and bar.promise and not bar.met(cell.value):
                found.append(f"{name}, {cell.variant}{f' ({cell.model})' if cell.model else ''}: {cell.value:.3g}, not {bar}")
    return found


def page(rows: Mapping[str, Row], outcomes: Mapping[str, Outcome], kind: Kind) -> str:
    """The list with what became of each promise."""
    missed = broken(rows, outcomes, kind)
    lines = []
    for line in LIST:
        own = [each for each in missed if each.partition(",")[0].partition(":")[0] in line.checks + line.measures]
        held = any(bar.promise for name in line.checks if name in outcomes for bar in rows[name].bars.get(kind, {}).values())
        # On a CPU some rows have nothing to be held to: that they ran is all that can be said.
        state = "FAILED" if own else "ok    " if held else "ran   "
        lines += [f"{state} {line.promise}", *(f"         {each}" for each in own)]
    return "\n".join(lines)
