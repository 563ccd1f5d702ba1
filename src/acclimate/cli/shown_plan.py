"""A plan as a person reads it: the data's facts, what is to be known before anything is spent, and the stages as a tree."""

from collections.abc import Mapping

from rich.table import Table
from rich.text import Text

from acclimate.cli import show
from acclimate.report.tables.plan import plan_grid, to_do
from acclimate.report.tables.text_overlap import overlap_line
from acclimate.report.words.text import percent
from acclimate.study.outputs.text_overlap import text_overlap
from acclimate.study.plan.estimate import Estimate
from acclimate.study.plan.prepared import Prepared


def plan(prepared: Prepared, estimates: Mapping[str, Estimate]) -> None:
    """Print it all."""
    for line in show.data_lines(prepared.data.facts()):
        print(line)
    for base, unknown in prepared.readings.unknown(prepared.plan).items():
        print(
            f"unknown tokens, vocabulary of {show.told(base)}: {', '.join(f'{text} {percent(share)}' for text, share in unknown.items())}"
        )
    if (alike := text_overlap(prepared.data)) is not None:
        print(overlap_line(alike))
    for note in (*prepared.notes, *prepared.readings.notes(prepared.plan), *prepared.plan.notes()):
        print(f"note: {note}")
    grid = plan_grid(prepared, estimates)
    table = Table(*grid.headings, box=None, header_style="bold")
    for cells in grid.rows:
        table.add_row(*map(Text, cells))
    show.console().print(table)
    print(to_do(prepared, estimates))
