"""Study files of the folder: opened, saved, and planned. Code that one names is never run, and it is not planned either."""

import hashlib
import os
import re
import time
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path

from acclimate.errors import AcclimateError, SettingsError
from acclimate.files import write_text
from acclimate.inert import one_line
from acclimate.page.home import STUDY_ENDINGS, Home
from acclimate.report.tables.grid import Grid
from acclimate.report.tables.plan import plan_grid, to_do
from acclimate.report.words.text import amount, duration, size
from acclimate.study.draft.written import parsed
from acclimate.study.language.implied import with_task
from acclimate.study.language.paths import data_paths
from acclimate.study.language.study import Study, load_study
from acclimate.study.language.yaml import LARGEST
from acclimate.study.outputs.output_folder import RECORD, usual_folder, usual_store
from acclimate.study.permission import refuse_own_code
from acclimate.study.plan.costs import Cost, costs
from acclimate.study.plan.estimate import estimates
from acclimate.study.plan.prepared import prepare
from acclimate.study.store.room import lacking
from acclimate.study.watch.status import read_status

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_ -]{0,79}")
_A_STUDY = re.compile(r"^recipes\s*:", re.MULTILINE)
MOST_STAGES = 500  # that a plan shows one by one


@dataclass(frozen=True)
class StudyFile:
    """A study file as it is at this moment."""

    file: Path
    name: str
    """Its path from the page's folder."""
    text: str
    digest: str
    study: Study | None
    problem: str
    """Why it is no study, or none that a page runs."""

    @property
    def valid(self) -> Study:
        """The study.

        Raises:
            SettingsError: it is none, or none that a page runs.
        """
        if self.study is None:
            raise SettingsError(self.problem)
        return self.study

    @property
    def root(self) -> Path:
        """Where its paths start."""
        return self.file.parent

    @property
    def store(self) -> Path:
        """Where its artifacts are kept."""
        return usual_store(self.root)

    def out(self, smoke: bool = False) -> Path:
        """Where its results go."""
        return usual_folder(self.root, self.valid.name, smoke)


@dataclass(frozen=True)
class Planned:
    """What a study will cost."""

    stages: Grid
    recipes: Grid
    notes: tuple[str, ...]
    sum: str


def open_study(home: Home, said: str) -> StudyFile:
    """The study file that a request names.

    Raises:
        SettingsError: there is none, or it lies outside.
    """
    file = home.inside(said)
    if file.suffix.lower() not in STUDY_ENDINGS or not file.is_file():
        raise SettingsError(f"{said}: there is no study file of this name; it ends in .yaml")
    try:
        with file.open("rb") as opened:
            data = opened.read(LARGEST + 1)
        text = data.decode("utf-8-sig") if len(data) <= LARGEST else ""
    except (OSError, UnicodeDecodeError):
        text, data = "", b""
    digest = hashlib.sha256(data).hexdigest()
    try:
        return StudyFile(file, said, text, digest, checked(home, load_study(file), file.parent), "")
    except AcclimateError as error:
        return StudyFile(file, said, text, digest, None, str(error))


def state(home: Home, name: str) -> str | None:
    """How a study stands, in a few words; None of a file that is no study."""
    opened = open_study(home, name)
    if not _A_STUDY.search(opened.text):
        return None
    if opened.study is None:
        return f"cannot be run: {one_line(opened.problem.partition(chr(10))[0])}"
    try:
        status = read_status(opened.out())
    except AcclimateError:
        return "finished" if (opened.out() / RECORD).is_file() else "not run yet"
    return "died" if status.died(time.time()) else status.state


def checked(home: Home, study: Study, root: Path) -> Study:
    """A study that reads nothing outside, and runs no code of its own.

    Raises:
        DataError, SettingsError: it does.
    """
    refuse_own_code(study, root, False)
    home.check_study(study, root)
    return study


def save_new(home: Home, name: str, text: str) -> str:
    """Write a study file that is not there yet, and return its path from the page's folder.

    Raises:
        SettingsError: no such name can be, or it is taken.
    """
    if not _NAME.fullmatch(name):
        raise SettingsError(f"{name[:80]!r}: is no name for a study; letters, digits, spaces, - and _ of English, up to 80")
    file = home.within(home.root / f"{name}.yaml")
    if file.is_symlink():
        raise SettingsError(f"{file.name}: is a link, and is not written through")
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:
        raise SettingsError(f"{file.name}: is there already, and is not written over; choose another name") from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        opened.write(text)
    return file.name


def save_changed(home: Home, opened: StudyFile, text: str, digest: str) -> None:
    """Replace a study file by another text, if it still is what was opened.

    Raises:
        DataError, SettingsError: the text is no study, or somebody else changed the file.
    """
    if digest != opened.digest:
        raise SettingsError(f"{opened.name}: was changed by somebody else since this page was opened; copy your text, and open it again")
    checked(home, parsed(text, opened.file.stem), opened.root)
    if opened.file.is_symlink():
        raise SettingsError(f"{opened.name}: is a link, and is not written through")
    write_text(opened.file, text)


def stamp(home: Home, opened: StudyFile, store: Path | None) -> Hashable:
    """What a plan depends on: the file, the data, and what has been computed, in this store."""
    try:
        changed = os.stat((store or opened.store) / "artifacts").st_mtime_ns
    except OSError:
        changed = 0
    return (opened.name, opened.digest, store, changed, home.stamps([*data_paths(opened.valid)], opened.root))


def planned(opened: StudyFile, store: Path | None, rate: float, precision: str = "auto") -> Planned:
    """Read the data, and tell what each stage and recipe costs; `rate` in floating-point operations a second. What was computed is looked
    for in `store`; None: it lies where it cannot be looked for.

    Raises:
        DataError, ModelError, SettingsError: something is wrong.
    """
    study, said = with_task(opened.valid)
    prepared = prepare(study, opened.root, store or opened.store, precision=precision)
    found = estimates(prepared, rate)
    unseen = [] if store is not None else ["it was begun with another store, which this page does not read: nothing counts as done here"]
    notes = (*([] if said is None else [said]), *unseen, *prepared.notes, *prepared.readings.notes(prepared.plan), *prepared.plan.notes())
    return Planned(
        _shown(plan_grid(prepared, found)), cost_grid(costs(prepared.plan, found, prepared.cached)), (*notes, *lacking(prepared)),
        to_do(prepared, found),
    )  # fmt: skip


def cost_grid(found: dict[str, Cost]) -> Grid:
    """What each recipe costs by itself."""
    rows = tuple(
        (name, f"{cost.stages:,}", amount(cost.tokens), duration(cost.seconds), size(cost.disk_bytes)) for name, cost in found.items()
    )
    return Grid("What is to be done for each recipe; what several share is done once", ("recipe", "stages", "tokens", "time", "disk"), rows)


def _shown(grid: Grid) -> Grid:
    """At most so many stages, and how deep each stands by dots: a page takes spaces for one."""
    rows = tuple((re.sub(r"^( +)", lambda depth: "· " * (len(depth[1]) // 2), row[0]), *row[1:]) for row in grid.rows[:MOST_STAGES])
    more = f": the first {MOST_STAGES:,} of {len(grid.rows):,}" if len(grid.rows) > MOST_STAGES else ""
    return Grid(f"{grid.caption}{more}", grid.headings, rows, grid.words)
