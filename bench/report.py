"""What the benchmark hands over: one table on the screen, and every raw number as JSON under bench/results."""

import os
import platform
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
import torch
from rich.console import Console
from rich.table import Table

import acclimate
from acclimate.files import read_json, write_json
from bench.measure import Bar, Bench, Cell, Kind, Row, shown, slug, spread
from bench.root import ROOT

RESULTS = ROOT / "bench" / "results"
LIBRARIES = ("torch", "transformers", "accelerate", "datasets", "tokenizers", "sentence-transformers", "trl", "numpy", "scikit-learn")
Outcome = list[Cell] | str
"""The cells of a row, or why it failed."""


def machine(bench: Bench) -> dict[str, Any]:
    """What the figures were measured on."""
    devices = bench.devices
    return {
        "device": devices.name if bench.kind == "gpu" else _processor(),
        "kind": bench.kind,
        "precision": devices.precision,
        "threads": devices.threads,
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "family": f"{_of_processor('cpu family')}.{_of_processor('model')}",  # a virtual machine's processor is often named no closer
        "kernels": torch.backends.cpu.get_cpu_capability(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def write(bench: Bench, outcomes: Mapping[str, Outcome], folder: Path = RESULTS) -> Path:
    """Put these rows into the device's file, beside those that earlier runs measured; a failed row leaves what is there."""
    here = machine(bench)
    other = f"-{bench.options.variant}" if bench.options.variant else ""
    path = folder / f"{slug(here['device'])}{other}{'-quick' if bench.options.quick else ''}.json"
    known = read_json(path)["rows"] if path.is_file() else {}
    stamp = {
        "measured": time.strftime("%Y-%m-%d %H:%M"),
        "rounds": bench.options.rounds,
        "texts": "real corpora" if bench.options.data else "demo packages",
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "versions": {"acclimate": acclimate.__version__, **{name: version(name) for name in LIBRARIES}},
        "commit": _commit(),
        "machine": here,
    }
    for name, outcome in outcomes.items():
        if not isinstance(outcome, str):
            known[name] = {**stamp, "cells": [asdict(cell) for cell in outcome]}
    folder.mkdir(parents=True, exist_ok=True)
    write_json(path, {"machine": here, "variant": bench.options.variant, "rows": known})
    return path


def variant(texts: str) -> str:
    """What a run is called whose texts or kernels are not the usual ones: `news`, `avx2`, `news-avx2`; else nothing."""
    kernels = os.environ.get("ATEN_CPU_CAPABILITY", "")  # by which torch takes a processor for an older one
    return "-".join(name for name in ("" if texts == "usual" else texts, kernels) if name)


def measured(folder: Path = RESULTS) -> dict[Kind, Any]:
    """What the files of a folder hold, by kind of device."""
    return {file["machine"]["kind"]: file for file in _files(folder) if not file.get("variant")}


def variants(folder: Path = RESULTS) -> dict[str, Any]:
    """The files of other texts and of other kernels, by what they are called."""
    return {file["variant"]: file for file in sorted(_files(folder), key=lambda file: file.get("variant", "")) if file.get("variant")}


def _files(folder: Path) -> list[Any]:
    return [read_json(path) for path in sorted(folder.glob("*.json")) if not path.stem.endswith("-quick")]


def table(rows: Sequence[Row], outcomes: Mapping[str, Outcome], kind: Kind) -> Table:
    """Every cell with its bar; bars of the device that is not here have no figures."""
    made = Table(title=None, box=None, pad_edge=False, header_style="bold")
    for heading in ("row", "what", "measured", "least to most", "bar", "", "rounds (median)"):
        made.add_column(heading, overflow="fold", justify="right" if heading in ("measured", "least to most", "bar") else "left")
    other: Kind = "cpu" if kind == "gpu" else "gpu"
    for row in rows:
        outcome = outcomes[row.name]
        made.add_section()
        made.add_row(f"[bold]{row.name}[/bold]", f"[dim]{row.timed}[/dim]")
        if isinstance(outcome, str):
            made.add_row("", f"[red]failed: {_escaped(outcome)}[/red]")
        else:
            for cell in outcome:
                made.add_row(*_line(cell, row.bars.get(kind, {}).get(cell.variant)))
        for variant, bar in row.bars.get(other, {}).items():
            made.add_row("", f"[dim]{_escaped(variant)} ({other.upper()})[/dim]", "[dim]not measured[/dim]", "", f"[dim]{bar}[/dim]")
    return made


def _line(cell: Cell, bar: Bar | None) -> tuple[str, ...]:
    medians = "; ".join(f"{side} {middle(values)}" for side, values in cell.rounds.items() if len(cell.rounds) > 1)
    met = "" if bar is None else "[green]met[/green]" if bar.met(cell.value) else "[red]missed[/red]"
    what = _escaped(f"{cell.variant}{f' ({cell.model})' if cell.model else ''}")
    beside = _escaped(" — ".join(filter(None, (f"{medians} {cell.rounds_unit}".strip() if medians else "", cell.note))))
    return ("", what, shown(cell.value, cell.unit), spread(cell.low, cell.high, cell.unit), "" if bar is None else str(bar), met, beside)


def show(bench: Bench, rows: Sequence[Row], outcomes: Mapping[str, Outcome], console: Console | None = None) -> None:
    """Print the table."""
    console = console or Console(width=max(160, Console().width))
    here = machine(bench)
    console.print(
        f"acclimate {acclimate.__version__}, torch {version('torch')}, transformers {version('transformers')}; {here['device']}, "
        f"{here['precision']}, {here['threads']} threads of {here['cores']} cores; {bench.options.rounds} rounds, medians; "
        f"texts: {'real corpora' if bench.options.data else 'demo packages'}",
        highlight=False,
    )
    console.print(table(rows, outcomes, bench.kind))


def middle(values: Sequence[float]) -> str:
    """The median of the rounds, as the tables show it."""
    value = statistics.median(values)
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _escaped(text: str) -> str:
    return text.replace("[", r"\[")


def _processor() -> str:
    return _of_processor("model name") or platform.processor() or platform.machine()


def _of_processor(what: str) -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.split(":")[0].strip() == what), "")


def _commit() -> str | None:
    try:
        said = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True)
    except OSError:
        return None
    return said.stdout.strip() or None
