"""Finds the files that a path, a glob, a folder or several of these stand for; what is there and not read is told, too."""

import fnmatch
import glob
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from acclimate.data.general import GENERAL, general_text
from acclimate.data.readers.compressed import what_it_is
from acclimate.data.readers.endings import SENTENCES, format_of, known_endings
from acclimate.data.readers.reading import SourceFormat
from acclimate.errors import DataError, did_you_mean

_SHARD = re.compile(r"(?P<head>.*?)(?P<index>\d{1,9})-of-(?P<of>\d{1,9})(?P<hash>-[0-9a-f]{8,64})?(?P<tail>(?![0-9a-zA-Z]).*)?")
_STANDARD_INPUT = ("-", "/dev/stdin", "/dev/fd/", "/proc/self/fd/")
_NAMED = 5  # names in a message


@dataclass(frozen=True)
class Found:
    """Files to be read, sorted, each real file once, and what lies beside them below a folder that was named."""

    files: tuple[Path, ...]
    unread: tuple[Path, ...] = ()  # unknown endings, other formats, folders that a glob does not enter, links to what is read already
    datasets: tuple[Path, ...] = ()  # folders below, written by `datasets.save_to_disk`


def is_dataset_folder(path: Path) -> bool:
    """Whether a folder was written by `datasets.save_to_disk`, as one split or as several."""
    try:
        return path.is_dir() and ((path / "dataset_dict.json").is_file() or ((path / "state.json").is_file() and any(path.glob("*.arrow"))))
    except OSError:
        return False


def nothing_read(pattern: str | Sequence[str], root: Path, found: Found, format: SourceFormat | None) -> str:
    """What to say of a folder in which nothing is read."""
    where = root / Path(pattern).expanduser() if isinstance(pattern, str) else ", ".join(pattern)
    if found.datasets:
        return f"{where}: holds Hugging Face dataset folders; name one: {named(found.datasets)}"
    there = f"; there are {named(found.unread)}" if found.unread else ""
    return f"{where}: the folder holds no {format or 'data'} files (known endings: {known_endings()}){there}"


def find(pattern: str | Sequence[str], root: Path, format: SourceFormat | None = None) -> Found:
    """The files that a path, a glob (`**` included), a folder or several of these stand for, sorted within each, none twice.

    A folder means every file below it with a known ending (or of `format` when given), linked folders included; hidden files are left
    out. Json files beside others are taken for descriptions of these. A folder written by `datasets.save_to_disk` stands for itself.
    Relative paths start at `root`.

    Raises:
        DataError: nothing is there, a link dangles, a folder cannot be entered, shards are missing, or it is no file that could be read
            more than once.
    """
    if not isinstance(pattern, str):
        several = [find(one, root, format) for one in pattern]
        for one, found in zip(pattern, several, strict=True):
            if not found.files:
                raise DataError(nothing_read(one, root, found, format))
        files = _once(path for found in several for path in found.files)[0]
        read = set(files)
        return Found(files, tuple(dict.fromkeys(path for found in several for path in found.unread if path not in read)))
    path = _path(pattern, root)
    mode = _mode(path, has_magic=glob.has_magic(pattern))
    if mode is None:
        return _matches(pattern, path, root)
    if stat.S_ISREG(mode) or is_dataset_folder(path):
        return Found((path,))
    if stat.S_ISDIR(mode):
        return _below(path, format)
    raise DataError(_read_once(path, mode))


def one_format(files: Sequence[Path]) -> SourceFormat:
    """The format that all these files share, by their endings.

    Raises:
        DataError: an ending is unknown, or there are several formats.
    """
    found: dict[SourceFormat, Path] = {}
    for file in files:
        format: SourceFormat | None = "hf" if is_dataset_folder(file) else format_of(file)
        if format is None:
            what = what_it_is(file) or "the ending says no known format; name it: `format: jsonl` (or json, csv, tsv, parquet, txt)"
            raise DataError(f"{file}: {what}")
        found.setdefault(format, file)
    if len(found) > 1:
        files_found = " and ".join(str(file) for file in found.values())
        raise DataError(f"{files_found}: different formats; name one with `format:`, or narrow the path")
    return next(iter(found))


def named(paths: Sequence[Path | str]) -> str:
    """The first few of them by their names."""
    more = f", ... ({len(paths)} in all)" if len(paths) > _NAMED else ""
    return ", ".join(path if isinstance(path, str) else path.name for path in paths[:_NAMED]) + more


def _path(pattern: str, root: Path) -> Path:
    if not pattern:
        raise DataError("an empty path names no file; say `.` for this folder")
    if pattern == GENERAL:
        return general_text()
    if pattern in _STANDARD_INPUT[:2] or pattern.startswith(_STANDARD_INPUT[2:]):
        mend = "write it to a file first: cat > FILE"
        raise DataError(f"{pattern}: standard input cannot be read more than once, and data is checked before it is used; {mend}")
    try:
        os.fsencode(pattern)
        if "\0" in pattern:
            raise ValueError
        return root / Path(pattern).expanduser()
    except RuntimeError:  # ~ of somebody who has no home
        return root / pattern
    except ValueError:  # of a path from YAML or JSON; a name that is not UTF-8 is none of these
        raise DataError(f"{pattern!r}: no file can have this name: it holds a NUL or half of a surrogate pair") from None


def _mode(path: Path, has_magic: bool) -> int | None:
    """What stands at a path (links are followed); None for what may be a glob."""
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        if path.is_symlink():
            raise DataError(_dangling(path)) from None
        if has_magic:
            return None
        raise DataError(f"{path}: no such file or folder{_nearest(path)}") from None
    except OSError as error:
        if has_magic:
            return None
        raise DataError(f"{path}: cannot be reached ({error.strerror or error})") from error


def _read_once(path: Path, mode: int) -> str:
    what = "a pipe" if stat.S_ISFIFO(mode) else "a socket" if stat.S_ISSOCK(mode) else "a device"
    return f"{path}: {what} cannot be read more than once, and data is checked before it is used; write it to a file first"


def _dangling(path: Path) -> str:
    try:
        target = f"a link to {os.readlink(path)}, which is not there"
    except OSError:
        target = "a link that leads nowhere"
    return f"{path}: {target}; was a download interrupted, or is a disk not mounted?"


def _nearest(path: Path) -> str:
    try:
        return did_you_mean(path.name, os.listdir(path.parent))
    except (OSError, ValueError):
        return f" (nor is there a folder {path.parent})"


def _below(folder: Path, format: SourceFormat | None) -> Found:
    walk = _Walk()
    paths = sorted(walk.files(folder))
    known = [path for path in paths if format_of(path) is not None and (format in (None, format_of(path)) or _may_hold(path, format))]
    if format is None and any(format_of(path) != "json" for path in known):
        known = [path for path in known if format_of(path) != "json"]
    if format is None and any(format_of(path) != "conll" for path in known):
        known = [path for path in known if format_of(path) != "conll"]
    files, again = _once(known)
    walk.check(files, lambda _: True)
    kept = set(files)
    others = [path for path in paths if path not in kept]
    for path in files:
        _must_be_file(path)
    return Found(files, tuple(sorted({*others, *again, *walk.circles})), tuple(sorted(walk.datasets)))


def _may_hold(path: Path, format: SourceFormat | None) -> bool:
    """Whether a file's name leaves open that it holds sentences in columns, where these are asked for."""
    return format == "conll" and format_of(path) in SENTENCES


def _matches(pattern: str, path: Path, root: Path) -> Found:
    walk = _Walk()
    start = Path(path.anchor) if Path(pattern).expanduser().is_absolute() else root
    parts = path.parts[len(start.parts) :]
    found = sorted(set(walk.matching(start, parts)))
    entered = [each for each in found if os.path.isdir(each) and not is_dataset_folder(each)]
    folders_alone = set(entered)
    files, again = _once(each for each in found if each not in folders_alone)
    walk.check(files, lambda name: fnmatch.fnmatchcase(name, parts[-1]))
    if not files:
        folders = f"; it matches folders alone: {named(entered)}; say {pattern.rstrip('/')}/**" if entered else ""
        raise DataError(f"{path}: no file matches this pattern{folders}")
    for each in files:
        _must_be_file(each)
    return Found(files, tuple(sorted({*entered, *again, *walk.circles})) if parts[-1] != "**" else again)


def _must_be_file(path: Path) -> None:
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not is_dataset_folder(path):
        raise DataError(_read_once(path, mode))


def _once(paths: Iterable[Path]) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """Paths that are different files, in order, and those that are another's file by link; of these the one that is no link stays."""
    paths = tuple(dict.fromkeys(paths))
    first: dict[object, Path] = {}
    for path in sorted(paths, key=lambda path: path.is_symlink()):
        first.setdefault(_identity(path), path)
    kept = set(first.values())
    return tuple(path for path in paths if path in kept), tuple(path for path in paths if path not in kept)


def _identity(path: Path) -> object:
    try:
        found = path.stat()
    except OSError:
        return path
    # Some file systems number files anew each time they are looked at: a number counts where the file says that it has several names.
    return (found.st_dev, found.st_ino) if found.st_nlink > 1 and stat.S_ISREG(found.st_mode) else os.path.realpath(path)


@dataclass
class _Walk:
    """Goes through folders, links included, each real folder once, and remembers what was in the way."""

    problems: list[str] = field(default_factory=list)
    circles: list[Path] = field(default_factory=list)  # links to folders that are read already
    datasets: list[Path] = field(default_factory=list)

    def files(self, folder: Path) -> Iterator[Path]:
        """What is no folder below a folder."""
        for each in self.folders(folder):
            for path in self._entries(each):
                if not os.path.isdir(path) and self._is_there(path):
                    yield path

    def folders(self, top: Path) -> Iterator[Path]:
        """A folder and those below it; of several ways to one folder that without links is taken."""
        real = Path(os.path.realpath(top))
        # A link to a folder that this one lies in is a circle.
        seen = {str(real), *map(str, real.parents)}
        pending: list[Path] = [top]
        linked: list[Path] = []
        while pending or linked:
            folder = pending.pop() if pending else linked.pop(0)
            if folder != top:
                real = Path(os.path.realpath(folder))
                if str(real) in seen:
                    self.circles.append(folder)
                    continue
                seen.add(str(real))
                if is_dataset_folder(folder):
                    self.datasets.append(folder)
                    continue
            yield folder
            below = [path for path in self._entries(folder) if os.path.isdir(path)]
            pending += [path for path in below if not path.is_symlink()]
            linked += [path for path in below if path.is_symlink()]

    def matching(self, base: Path, parts: Sequence[str]) -> Iterator[Path]:
        """What a glob stands for: `**` for any number of folders, and names that exist as they are written for themselves."""
        if not parts:
            yield base
            return
        head, rest = parts[0], parts[1:]
        if head == "**":
            if not rest:
                yield from self.files(base)
            for folder in self.folders(base) if rest else ():
                yield from self.matching(folder, rest)
        elif not glob.has_magic(head) or os.path.lexists(base / head):
            if os.path.lexists(base / head):
                yield from self.matching(base / head, rest)
        else:
            for path in self._entries(base, hidden=head.startswith(".")):
                if fnmatch.fnmatchcase(path.name, head) and (os.path.isdir(path) if rest else self._is_there(path)):
                    yield from self.matching(path, rest)

    def check(self, files: Sequence[Path], asked_for: Callable[[str], bool]) -> None:
        """Raise what was in the way, and shards that are missing by their own `-of-N` though their names were `asked_for`."""
        problems = self.problems + list(_missing_shards(files, asked_for))
        if problems:
            raise DataError("\n".join(problems))

    def _entries(self, folder: Path, hidden: bool = False) -> list[Path]:
        try:
            names = sorted(os.listdir(folder))
        except OSError as error:
            problem = f"{folder}: the folder cannot be entered ({error.strerror or error}), and what is in it would be missing"
            if problem not in self.problems:
                self.problems.append(problem)
            return []
        return [folder / name for name in names if hidden or not name.startswith(".")]

    def _is_there(self, path: Path) -> bool:
        try:
            path.stat()
        except OSError as error:
            # A link whose name says that it is no data of ours is none that could be missed.
            if format_of(path) is not None or not path.suffix:
                missing = isinstance(error, FileNotFoundError) and path.is_symlink()
                self.problems.append(_dangling(path) if missing else f"{path}: cannot be reached ({error.strerror or error})")
            return False
        return True


def _missing_shards(files: Sequence[Path], asked_for: Callable[[str], bool]) -> Iterator[str]:
    sets: dict[tuple[Path, str, str, str], dict[int, list[Path]]] = {}
    for file in files:
        match = _SHARD.fullmatch(file.name)
        if match is not None:
            key = (file.parent, match["head"], match["of"], match["tail"] or "")
            sets.setdefault(key, {}).setdefault(int(match["index"]), []).append(file)
    for (folder, head, of, tail), shards in sets.items():
        where = f"{folder}: {head.rstrip('-_.') or 'the data'}"
        twice = next((paths for paths in shards.values() if len(paths) > 1), None)
        if twice is not None:
            yield f"{where} has one shard twice: {named(twice)}; keep those of one version"
        total = int(of)
        first = 1 if 0 not in shards and total in shards else 0
        absent = (number for number in range(first, first + total) if number not in shards)
        names = (f"{head}{number:0{len(of)}}-of-{of}{tail}" for number in absent)
        missing = list(islice((name for name in names if asked_for(name)), _NAMED + 1))
        if missing:
            more = ", ..." if len(missing) > _NAMED else ""
            yield (
                f"{where} has {len(shards):,} of {total:,} shards; missing: {', '.join(missing[:_NAMED])}{more}; "
                "fetch them, or name the files that are to be read"
            )
