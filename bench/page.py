"""The measured rows as a Markdown table: what docs/performance.md shows is printed from the JSON, never typed."""

from collections.abc import Mapping
from typing import Any

from bench.measure import Kind, Row, shown, spread
from bench.report import middle


def markdown(results: Mapping[Kind, Mapping[str, Any]], rows: Mapping[str, Row], variants: Mapping[str, Mapping[str, Any]] = {}) -> str:
    """A table of every cell by device; a device without results has its bars, and says that nothing was measured.

    Below, what was measured with other texts or kernels, too, beside what it usually comes to.
    """
    lines = []
    kinds: tuple[tuple[Kind, str], ...] = (("cpu", "2 CPU cores"), ("gpu", "One GPU"))
    for kind, title in kinds:
        lines += [f"### {title}", ""]
        found = results.get(kind)
        if found is not None:
            here = found["machine"]
            lines += [f"{here['device']}, {here['threads']} threads, {here['memory_gib']:.0f} GiB, {here['precision']}.", ""]
        lines += ["| work | what | measured | rounds | bar | | medians |", "|---|---|---|---|---|---|---|"]
        for name, row in rows.items():
            if found is not None and name in found["rows"]:
                cells = found["rows"][name]["cells"]
                several = len({cell["model"] for cell in cells if cell["model"]}) > 1
                lines += [_measured(name, row, kind, cell, cell["model"] if several else "") for cell in cells]
            else:
                lines += [f"| {name} | {variant} | not measured | | {bar} | | |" for variant, bar in row.bars.get(kind, {}).items()]
        lines.append("")
    if variants and "cpu" in results:
        lines += [*_beside(results["cpu"]["rows"], rows, variants), ""]
    return "\n".join(lines)


def _beside(usual: Mapping[str, Any], rows: Mapping[str, Row], variants: Mapping[str, Mapping[str, Any]]) -> list[str]:
    cells: dict[tuple[str, str], dict[str, str]] = {}
    for name, found in (("usual", usual), *((name, file["rows"]) for name, file in variants.items())):
        for row in (row for row in rows if row in found):
            for cell in (cell for cell in found[row]["cells"] if cell["unit"] in ("x", "%")):
                apart = spread(cell["low"], cell["high"], cell["unit"])
                told = f"{shown(cell['value'], cell['unit'])}{f' ({apart})' if apart else ''}"
                cells.setdefault((row, cell["variant"]), {})[name] = told
    lines = [
        "### Other texts and kernels",
        "",
        f"| work | what | usual | {' | '.join(variants)} |",
        f"|---|---|---|{'---|' * len(variants)}",
    ]
    several = {key: told for key, told in cells.items() if len(told) > 1}
    return lines + [
        f"| {row} | {what} | {' | '.join(told.get(name, '') for name in ('usual', *variants))} |" for (row, what), told in several.items()
    ]


def _measured(name: str, row: Row, kind: Kind, cell: Mapping[str, Any], model: str) -> str:
    bar = row.bars.get(kind, {}).get(cell["variant"])
    met = "" if bar is None else "met" if bar.met(cell["value"]) else "**missed**"
    unit = cell["unit"]
    sides = [f"{side} {middle(values)}" for side, values in cell["rounds"].items() if len(cell["rounds"]) > 1]
    medians = f"{', '.join(sides)} {cell['rounds_unit']}".strip() if sides else ""
    what = f"{cell['variant']}, {model}" if model else cell["variant"]
    return (
        f"| {name} | {what} | {shown(cell['value'], unit)} | {spread(cell['low'], cell['high'], unit)} | {bar or ''} | {met} | {medians} |"
    )
