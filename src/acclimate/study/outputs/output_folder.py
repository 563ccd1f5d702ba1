"""A study's output folder: whose it is, and how its results are replaced so that nobody ever sees those of two runs beside each other.

Results are written into a folder beside the old ones. When all are there, `study.json` goes, the others take their places by renames,
and the new `study.json`, which names the digest of each, comes last: without it a folder holds no results, and with it all are of one run.
"""

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from acclimate.errors import SettingsError, StoreError
from acclimate.files import TEMPORARY_PREFIX, digest_file, disk_errors, flush_files, flush_folder, is_temporary, read_json, write_json
from acclimate.owned import MARK, heal, is_marked, mark, refuse_foreign, refuse_holding, refuse_inside, remove_own, swap
from acclimate.study.outputs.contributions import NAME as CONTRIBUTIONS
from acclimate.study.outputs.selected import FOLDER as SELECTED
from acclimate.study.watch.status import read_status

RECORD = "study.json"
BLOCKS = "blocks.json"
ATTENTION = "attention.json"
LABELLESS = "pretraining.json"  # of a study without a task, as acclimate wrote it before such studies were compared by held-out text
RESULTS = (
    "results.parquet", "results.csv", "predictions.parquet", "searched_documents.parquet", CONTRIBUTIONS, "verdicts.json",
    "curves.parquet", "disagreements.json", BLOCKS, ATTENTION, LABELLESS, "trials.csv", "study.yaml",
)  # fmt: skip
DATA = "data"  # rows that came from Python
FOLDERS = ("best", "best_transformer", "models", "splits", SELECTED, DATA)
REPORTS = ("report.html", "report.md")  # made from the results, and so of no use when these go
EDITED = frozenset({"results.csv"})  # opened in a spreadsheet and saved; nothing is read from it
AGAIN = "run the study again (the same command): what is done is kept, and its results are written anew"


def usual_folder(root: Path, name: str, smoke: bool = False) -> Path:
    """Where the results of a study of this name go, whose file lies in `root`."""
    return with_smoke(root / "results" / name, smoke)


def usual_store(root: Path) -> Path:
    """Where the artifacts of studies are kept whose files lie in `root`."""
    return root / ".acclimate"


def with_smoke(folder: Path, smoke: bool) -> Path:
    """An output folder, or that of its smoke runs: slivers never replace real results."""
    return folder.with_name(f"{folder.name}-smoke") if smoke else folder


def claim(out: Path, precious: dict[str, list[Path]]) -> None:
    """Refuse an output folder that is not a study's own; `precious` folders are named where it is or holds one of them.

    Raises:
        SettingsError: it is somebody's.
    """
    ours = is_marked(out, "study") or _was_ours(out)
    refuse_holding(out, precious, working_directory=not ours)
    refuse_inside(out, precious.get("the store", []))
    if not ours:
        refuse_foreign(out, "study")


def refuse_foreign_data(out: Path) -> None:
    """Refuse an output folder in which somebody's own folder stands where rows from Python are to be kept.

    Raises:
        SettingsError: it does.
    """
    refuse_foreign(out / DATA, "data")


def take(out: Path) -> None:
    """Mark the folder as a study's, and tidy what a killed one left; the caller holds its lock."""
    mark(out, "study")
    for name in FOLDERS:
        heal(out / name)
    for other in out.iterdir():
        if is_temporary(other.name):
            shutil.rmtree(other) if other.is_dir() else other.unlink()


def _was_ours(out: Path) -> bool:
    """Whether an acclimate wrote it that left no mark yet: told by what its files say, not by how they are called."""
    with suppress(StoreError):
        record = read_json(out / RECORD)
        versions = record.get("versions") if isinstance(record, dict) and {"name", "stages"} <= record.keys() else None
        return isinstance(versions, dict) and "acclimate" in versions
    with suppress(StoreError):
        read_status(out)
        return True
    return False


@contextmanager
def replaced_results(out: Path) -> Iterator[Path]:
    """Yield an empty folder; on a clean exit what was written there replaces the results in `out`. `study.json` must be among it.

    Raises:
        DiskFullError: no room is left; the old results are as they were.
        SettingsError: somebody's file would be replaced.
    """
    staged = out / f"{TEMPORARY_PREFIX}{uuid.uuid4().hex}-results"
    try:
        with disk_errors(out):
            staged.mkdir()
            yield staged
            digests = {name: digest_file(staged / name) for name in _digested(staged)}
            write_json(staged / RECORD, {**read_json(staged / RECORD), "files": digests})
            flush_files(staged)
            (out / RECORD).unlink(missing_ok=True)
            flush_folder(out)
            for name in (*RESULTS, *FOLDERS, *REPORTS):
                _replace(staged / name, out / name)
            for plot in (out / "plots").glob("*.svg"):
                plot.unlink()
            flush_folder(out)
            (staged / RECORD).replace(out / RECORD)
            flush_folder(out)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def check_whole(folder: Path, record: dict[str, Any]) -> None:
    """Compare the results with what their `study.json` says of them; folders of before it did so pass.

    Raises:
        SettingsError: a file is missing or is of another run.
    """
    for name, digest in (record.get("files") or {}).items():
        if not (folder / name).is_file():
            raise SettingsError(f"{folder / name}: is missing; {AGAIN}")
        if name not in EDITED and digest_file(folder / name) != digest:
            raise SettingsError(f"{folder / name}: is not the file that this study wrote (another run's, or changed by hand); {AGAIN}")


def unfinished(folder: Path) -> str:
    """What to say of a folder without all results."""
    if is_marked(folder, "study"):
        return f"the study has not finished, or stopped while it wrote its results — {AGAIN}"
    return "run `acclimate study` first, or name its --out folder"


def _digested(staged: Path) -> list[str]:
    # Of a folder its mark: it comes with the folder by one rename, and two runs' marks differ by what `mark_made` was told.
    names = [name for name in RESULTS if (staged / name).is_file()]
    return names + [f"{name}/{MARK}" for name in FOLDERS if (staged / name / MARK).is_file()]


def _replace(new: Path, path: Path) -> None:
    if new.is_dir():
        swap(new, path)
    elif new.is_file():
        new.replace(path)
    elif path.is_dir():
        if path.name not in (DATA, SELECTED) or is_marked(path):  # before there was such a folder, one of this name was somebody's
            remove_own(path)
    else:
        path.unlink(missing_ok=True)
