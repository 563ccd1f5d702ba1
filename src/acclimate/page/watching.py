"""How a study stands, in pieces of a page, each sent anew only when it changed."""

import os
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from acclimate.page.begun import begun_with, elsewhere, store_of, told
from acclimate.page.home import Home
from acclimate.page.runs import Standing, log_end, log_of
from acclimate.page.shown import rendered
from acclimate.page.studies import StudyFile
from acclimate.report.pages.page import NAME
from acclimate.report.words.text import curve_name
from acclimate.report.words.watched import SIGNS, ending, stage_facts, summary
from acclimate.study.outputs.learning_curves import curves_of
from acclimate.study.store.artifacts import Store
from acclimate.study.watch.status import StageStatus, Status

PIECES = ("act", "now", "tree", "running", "done", "log")
MOST_CURVES = 60  # of stages that are done, the last ones
WIDTH, HEIGHT = 240, 70  # of a curve


@dataclass(frozen=True)
class Line:
    """A stage in the tree."""

    stage: StageStatus
    depth: int
    sign: str
    facts: str


@dataclass(frozen=True)
class Curve:
    """Points of a curve, and what it says to those that do not see it."""

    name: str
    first: float
    last: float
    points: str
    """As a polyline takes them, in a box of `WIDTH` by `HEIGHT`."""


def moment(standing: Standing, opened: StudyFile, smoke: bool) -> Hashable:
    """What there is to be told at this moment: changes when that does."""
    out, status = opened.out(smoke), standing.status
    told = None if status is None else status.updated
    stands = (standing.runs, standing.died, standing.refused, standing.damage)
    return (opened.name, opened.digest, smoke, told, *stands, *map(_stamp, (log_of(out), out / NAME)))


def pieces(home: Home, standing: Standing, opened: StudyFile, smoke: bool) -> dict[str, str]:
    """Each piece of the page as HTML, by its id."""
    status, out = standing.status, opened.out(smoke)
    stages = status.stages if status is not None else ()
    task = opened.valid.data.task
    metric = task.metric(opened.valid.metric).name if task is not None else ""
    begun = begun_with(status)
    folder = store_of(home, opened, begun)
    done = [stage for stage in stages if stage.state in ("done", "cached")]
    logs = [] if folder is None else [(stage.title, Store(folder).path(stage.key) / "log.jsonl") for stage in done]
    old = [(title, found) for title, log in logs if (found := _of_log(log, metric))]
    now = [(stage.title, drawn) for stage in stages if (drawn := curves(stage.curves))]
    shown = {
        "standing": standing, "state": _state(standing), "opened": opened, "smoke": smoke, "said": _said(standing), "lines": _tree(stages),
        "log": log_end(home, out), "now": now, "old": old[-MOST_CURVES:], "more": max(0, len(old) - MOST_CURVES),
        "elsewhere": elsewhere(home, opened, begun), "width": WIDTH, "height": HEIGHT,
        "report": (out / NAME).is_file() and not standing.runs,
    }  # fmt: skip
    return {piece: rendered("watch", piece=piece, **shown) for piece in PIECES}


def curves(found: Mapping[str, Sequence[tuple[float, float]]]) -> list[Curve]:
    """Each curve that has more than a point, drawn into its box."""
    return [_drawn(curve_name(name), points) for name, points in found.items() if len(points) > 1]


def _state(standing: Standing) -> str:
    status = standing.status
    if standing.runs:
        return "starting" if status is None else "preparing" if status.state == "preparing" else "running"
    if standing.died or standing.refused:
        return "died" if standing.died else "refused"
    return "not run yet" if status is None else status.state


def _said(standing: Standing) -> tuple[str, ...]:
    status = standing.status
    if status is None:
        if standing.runs:
            return ("the libraries are loaded, which takes some seconds",)
        return ("it ended before it began; its log says why",) if standing.refused else (standing.damage,) if standing.damage else ()
    begun = told(status.begun)
    lines = (*summary(status), _ending(status, standing), f"begun with {begun}" if begun else "")
    return tuple(line for line in lines if line and line != status.state)  # which stands above them


def _ending(status: Status, standing: Standing) -> str:
    return ending(status, standing.died) if status.over or standing.died or status.process is not None else ""


def _tree(stages: Sequence[StageStatus]) -> list[Line]:
    """Every stage under the one that it goes on from."""
    known = {stage.key for stage in stages}
    below: dict[str | None, list[StageStatus]] = {}
    for stage in stages:
        below.setdefault(stage.parent if stage.parent in known else None, []).append(stage)
    lines, left = [], [(stage, 0) for stage in reversed(below.get(None, []))]
    while left:
        stage, depth = left.pop()
        lines.append(Line(stage, min(depth, 8), SIGNS[stage.state][0], stage_facts(stage).replace("  ", " · ")))
        left += [(each, depth + 1) for each in reversed(below.get(stage.key, []))]
    return lines


@lru_cache(maxsize=2048)  # an artifact is never changed
def _of_artifact(log: Path, metric: str) -> tuple[Curve, ...]:
    return tuple(curves(curves_of(log, metric)))


def _of_log(log: Path, metric: str) -> tuple[Curve, ...]:
    return _of_artifact(log, metric) if log.is_file() else ()


def _drawn(name: str, points: Sequence[tuple[float, float]]) -> Curve:
    steps, values = [step for step, _ in points], [value for _, value in points]
    wide, high = (max(steps) - min(steps)) or 1.0, (max(values) - min(values)) or 1.0
    placed = ((WIDTH * (step - min(steps)) / wide, HEIGHT * (max(values) - value) / high) for step, value in points)
    return Curve(name, values[0], values[-1], " ".join(f"{x:.1f},{y:.1f}" for x, y in placed))


def _stamp(file: Path) -> tuple[int, int]:
    try:
        found = os.stat(file)
    except OSError:
        return (0, 0)
    return (found.st_mtime_ns, found.st_size)
