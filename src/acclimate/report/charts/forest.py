"""Where the marks of the forest plot stand: differences with their intervals on one axis for the whole study."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from acclimate.report.tables.comparison import Row
from acclimate.report.words.text import with_sign


@dataclass(frozen=True)
class Mark:
    """One recipe's interval; positions are per cent of the axis, from its left end."""

    row: Row
    at: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Tick:
    """A labelled place on the axis."""

    at: float  # per cent
    value: float
    label: str  # with as many decimals as tell the ticks apart


@dataclass(frozen=True)
class Axis:
    """The differences from `left` to `right`, zero among them, in units of the metric."""

    left: float
    right: float
    ticks: tuple[Tick, ...]

    def at(self, value: float) -> float:
        """Where a difference stands, in per cent of the width."""
        return round(100 * (value - self.left) / (self.right - self.left), 2)

    def marks(self, rows: Sequence[Row]) -> tuple[Mark, ...]:
        """The marks of the rows that were compared with the reference."""
        return tuple(
            Mark(
                row, self.at(row.difference), None if row.low is None else self.at(row.low), None if row.high is None else self.at(row.high)
            )
            for row in rows
            if row.difference is not None
        )


def axis_of(rows: Sequence[Row]) -> Axis:
    """The axis that holds every interval and zero, with three to seven round ticks."""
    ends = [0.0, *(value for row in rows for value in (row.difference, row.low, row.high) if value is not None)]
    width = max(ends) - min(ends)
    if width < 1e-12:  # no difference at all, or rounding
        width = 0.1
    # Some air on both sides, so that no mark touches the border.
    left, right = min(ends) - 0.06 * width, max(ends) + 0.06 * width
    step = _round_step((right - left) / 5)
    first, last = math.ceil(left / step), math.floor(right / step)
    plain, decimals = Axis(left, right, ()), max(0, -math.floor(math.log10(step * 1.001)))
    values = [n * step for n in range(first, last + 1)]
    return Axis(left, right, tuple(Tick(plain.at(value), value, with_sign(value, decimals) if value else "0") for value in values))


def _round_step(step: float) -> float:
    """The first of 1, 2, 5, 10 times a power of ten that is not below `step`."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step * 0.999)
