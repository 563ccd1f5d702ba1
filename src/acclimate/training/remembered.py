"""Numbers that must survive a resume: measured once, and kept beside the checkpoints."""

from collections.abc import Callable
from pathlib import Path

from acclimate.errors import StoreError, UnreadableError
from acclimate.files import read_json, write_json
from acclimate.training.devices import Devices


def remembered(path: Path, measure: Callable[[], float], devices: Devices) -> float:
    """A number that is measured once, also when the stage is stopped and goes on."""
    found = _kept(path) if devices.is_main else None
    # The main process looks for all: a peer may see what was written just now, or on another machine not yet, and a measurement needs all.
    if devices.sum(float(found is not None)) > 0:
        return devices.sum(found or 0.0)
    measured = measure()
    # The main process's word is everybody's: what each measures by itself (free memory, room on the disk) may differ.
    value = devices.sum(measured if devices.is_main else 0.0)
    if devices.is_main:
        write_json(path, {"value": value})
    return value


def noted(path: Path, measure: Callable[[], float]) -> float:
    """The same of a number that this process alone asks for."""
    found = _kept(path)
    if found is None:
        found = measure()
        write_json(path, {"value": found})
    return found


def _kept(path: Path) -> float | None:
    # A damaged note is measured anew: it never keeps a stage from going on.
    try:
        return float(read_json(path)["value"])
    except UnreadableError:
        raise
    except (StoreError, KeyError, TypeError, ValueError):
        return None
