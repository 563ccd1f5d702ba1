"""The folder that a page was started in: nothing outside of it is read or written, whatever a request or a study file says."""

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from acclimate.data.general import GENERAL
from acclimate.data.readers import hub
from acclimate.data.readers.endings import format_of
from acclimate.data.readers.folders import find, is_dataset_folder
from acclimate.errors import AcclimateError, DataError, SettingsError
from acclimate.owned import is_marked
from acclimate.study.language.paths import data_paths, named_bases, without_magic
from acclimate.study.language.study import Study
from acclimate.study.outputs.output_folder import usual_folder, usual_store

DEEPEST = 3  # folders below the page's own in which files are listed
MOST_LISTED = 300
MOST_ENTRIES = 20_000  # of folders that are looked through for the lists
STUDY_ENDINGS = (".yaml", ".yml")
LEFT_OUT = ("results", "node_modules", "__pycache__", "venv")


@dataclass(frozen=True)
class Listed:
    """What lies in the folder, as paths from it; `more` says that there is more than is listed."""

    data: tuple[str, ...]
    studies: tuple[str, ...]
    more: bool


@dataclass(frozen=True)
class Home:
    """The page's folder, without links in its path."""

    root: Path

    @staticmethod
    def of(folder: Path) -> "Home":
        """A folder that is there.

        Raises:
            SettingsError: it is not.
        """
        if not folder.is_dir():
            raise SettingsError(f"{folder}: is no folder; name the one with your data and studies")
        return Home(folder.resolve())

    def inside(self, said: str) -> Path:
        """The place of a path as a request says it.

        Raises:
            SettingsError: it leads out of the folder.
        """
        if not said or Path(said).is_absolute() or said.startswith("~") or ".." in Path(said).parts:
            raise SettingsError(f"{said!r}: paths start in the folder of this page and stay below it; write data/train.jsonl")
        return self.within(self.root / said)

    def within(self, place: Path) -> Path:
        """A place, unless it is outside, also by a link.

        Raises:
            SettingsError: it is.
        """
        try:
            real = Path(os.path.realpath(place))
            os.fsencode(place)
        except (OSError, ValueError) as error:  # a NUL, half of a surrogate pair
            raise SettingsError(f"{str(place)!r}: no file can have this name") from error
        if not real.is_relative_to(self.root):
            raise SettingsError(
                f"{self.shown(place)}: leads out of the folder of this page ({self.root.name}), and nothing there is read; "
                "start the page in a folder that holds both"
            )
        return place

    def shown(self, place: Path) -> str:
        """A place as the page calls it: from its folder."""
        return str(place.relative_to(self.root)) if place.is_relative_to(self.root) else str(place)

    def check_files(self, paths: Sequence[str]) -> None:
        """See that files, folders and globs that somebody chose lie inside, and all that they stand for.

        Raises:
            DataError: there are none.
            SettingsError: something is outside, or is the name of a data set on a hub.
        """
        for path in paths:
            self.inside(without_magic(path) or ".")
            if hub.hub_reference(path, self.root) is not None:
                raise DataError(f"{path}: no such file or folder here; a page fetches no data set of a hub")
            self._check_found(path, self.root)

    def check_study(self, study: Study, root: Path) -> None:
        """See that a study's data, models and folders lie inside; `root` is where its paths start. Names on a hub are left to the study.

        Raises:
            SettingsError: something is outside.
        """
        for path in data_paths(study):
            place = root / Path(without_magic(path)).expanduser()
            self.within(place)
            if path != GENERAL and (place.exists() or glob.has_magic(path)):
                self._check_found(path, root)
        for base in named_bases(study):
            self.check_tree(root / Path(base).expanduser())
        for recipe in study.recipes.values():
            for stage in recipe.stages:
                for name, value in stage.located(root):
                    if value != getattr(stage, name):
                        self.within(Path(str(value)))
        self.within(usual_store(root))
        self.within(usual_folder(root, study.name))

    def _check_found(self, path: str, root: Path) -> None:
        found = find(path, root)
        for file in (*found.files, *found.datasets):
            self.check_tree(file)

    def check_tree(self, place: Path) -> None:
        """See that a file, or a folder with all that is below it, lies inside.

        Raises:
            SettingsError: something is outside.
        """
        self.within(place)
        for folder, folders, files in os.walk(place):
            for name in (*folders, *files):
                self.within(Path(folder, name))

    def stamps(self, paths: Sequence[str], root: Path) -> tuple[tuple[str, int, int], ...]:
        """Names, sizes and times of the files that these paths stand for at this moment; what cannot be read stamps itself by why."""
        stamps = []
        for path in paths:
            try:
                self.within(root / Path(without_magic(path)).expanduser())
                found = find(path, root)
                for file in (*found.files, *(below for folder in found.datasets for below in folder.rglob("*"))):
                    about = file.stat()
                    stamps.append((str(file), about.st_size, about.st_mtime_ns))
            except (AcclimateError, OSError) as error:
                stamps.append((f"{path}: {error}", 0, 0))
        return tuple(stamps)

    def listed(self) -> Listed:
        """What could be data, and what could be studies, in this folder and those below it."""
        data, studies, seen = list[str](), list[str](), 0
        for place in self._below(self.root, 0):
            seen += 1
            name = self.shown(place)
            if place.suffix.lower() in STUDY_ENDINGS:
                studies.append(name)
            elif format_of(place) is not None or is_dataset_folder(place):
                data.append(name)
            if seen >= MOST_ENTRIES:
                break
        more = seen >= MOST_ENTRIES or len(data) > MOST_LISTED or len(studies) > MOST_LISTED
        return Listed(tuple(data[:MOST_LISTED]), tuple(studies[:MOST_LISTED]), more)

    def _below(self, folder: Path, depth: int) -> Iterator[Path]:
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: (entry.is_dir(follow_symlinks=False), entry.name))
        except OSError:
            return
        for entry in entries:
            place = folder / entry.name
            if entry.name.startswith(".") or entry.is_symlink() or not _is_unicode(entry.name):
                continue  # a link may lead out; it can be named
            if not entry.is_dir() or is_dataset_folder(place):
                yield place
            elif depth < DEEPEST and entry.name not in LEFT_OUT and not is_marked(place):
                yield from self._below(place, depth + 1)


def _is_unicode(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
