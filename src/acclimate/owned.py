"""Folders that acclimate makes bear its mark: nothing is written into one without it, and what somebody put into one stays there.

<folder>/.acclimate.json    {"made_by": "acclimate", "kind": "model", "files": [...]}

`files` are the names that acclimate wrote: they are replaced as a whole. A folder that is filled bit by bit (a study's, a demo's) has none.
"""

import ctypes
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

from acclimate.errors import SettingsError
from acclimate.files import TEMPORARY_PREFIX, atomic_folder, is_temporary, replace_folder, write_json

MARK = ".acclimate.json"
MADE_BY = "acclimate"
LONGEST_NAME = 200  # bytes: it is written beside under a longer name
CARD = "README.md"  # a model's card, written when its folder stands already

Kind = Literal["study", "demo", "model", "models", "splits", "selected", "data", "overlap", "export"]

_EXCHANGE = 2  # RENAME_EXCHANGE of renameat2(2)
_HERE = -100  # AT_FDCWD


def mark(folder: Path, kind: Kind) -> None:
    """Mark a folder that is filled bit by bit as acclimate's own."""
    write_json(folder / MARK, {"made_by": MADE_BY, "kind": kind})


def mark_made(folder: Path, kind: Kind, of: str = "", later: Iterable[str] = ()) -> None:
    """Mark a folder that is whole, with the names of its files and of those that come `later`; `of` tells one content from another."""
    write_json(folder / MARK, {"made_by": MADE_BY, "kind": kind, "of": of, "files": sorted({*_names(folder), *later})})


def is_marked(folder: Path, kind: Kind | None = None) -> bool:
    """Whether acclimate made this folder (as one of `kind`)."""
    found = _read(folder)
    return found.get("made_by") == MADE_BY and kind in (None, found.get("kind"))


def refuse_foreign(out: Path, kind: Kind) -> None:
    """Refuse an output folder that holds something and was not made by acclimate as one of this kind.

    Raises:
        SettingsError: it is a file, or somebody's folder.
    """
    if len(os.fsencode(out.name)) > LONGEST_NAME:
        raise SettingsError(f"{out}: the folder's name is too long, at most {LONGEST_NAME} bytes; choose another --out")
    if out.is_symlink() and not out.exists():
        raise SettingsError(f"{out}: is a link to what is not there; choose another --out")
    if out.exists() and not out.is_dir():
        raise SettingsError(f"{out}: is a file, and results go into a folder; choose another --out")
    if not out.is_dir() or is_marked(out, kind):
        return
    # What a command leaves that was killed before it could mark the folder.
    held = sorted(path.name for path in out.iterdir() if path.name != ".lock" and not is_temporary(path.name))
    if held:
        made = "acclimate made it for something else" if is_marked(out) else f"acclimate did not make it (no {MARK} in it)"
        more = f" and {len(held) - 1:,} more" if len(held) > 1 else ""
        raise SettingsError(f"{out}: holds {held[0]!r}{more}, and {made}; choose another --out, or move that away first")


def refuse_holding(out: Path, precious: Mapping[str, Iterable[Path]], working_directory: bool = True) -> None:
    """Refuse an output folder that is one of these, or holds one of them: what is `precious` (by what to call it), the home folder, and
    the working directory where that is asked for.

    Raises:
        SettingsError: it is or does.
    """
    _refuse_no_utf8(out, "--out")
    here = out.resolve()
    if here == Path(here.anchor):
        raise SettingsError(f"{out}: is the root of the file system; choose a folder of its own with --out")
    known: dict[str, Iterable[Path]] = {}
    with suppress(RuntimeError):  # no home at all
        known["your home folder"] = [Path.home()]
    if working_directory:
        known["the working directory"] = [Path.cwd()]
    for what, paths in (known | dict(precious)).items():
        for path in paths:
            place = path.resolve()
            if here == place or here in place.parents:
                raise SettingsError(f"{out}: {'is' if here == place else 'holds'} {what} ({path}); choose a folder of its own with --out")


def _refuse_no_utf8(folder: Path, option: str) -> None:
    try:
        os.fsencode(folder.resolve()).decode()
    except UnicodeDecodeError as error:
        raise SettingsError(
            f"{folder.resolve()}: this path is not UTF-8, which libraries cannot write to; choose another {option}"
        ) from error


def refuse_inside(out: Path, stores: Iterable[Path]) -> None:
    """Refuse an output folder inside of a store, where everything may be pruned.

    Raises:
        SettingsError: it is.
    """
    for store in stores:
        _refuse_no_utf8(store, "--store")
        if store.resolve() in out.resolve().parents:
            raise SettingsError(f"{out}: is inside of the store ({store}), which acclimate keeps tidy; choose another --out")


@contextmanager
def own_folder(path: Path, kind: Kind, of: str = "", later: Iterable[str] = ()) -> Iterator[Path]:
    """As `atomic_folder`, marked as `mark_made` does, and files that somebody else put into the folder at `path` stay in it.

    What an earlier, killed call left is tidied: nobody else may be making it, which a lock of the caller's sees to.

    Raises:
        SettingsError: a file that acclimate did not write would be replaced.
    """
    heal(path)
    with atomic_folder(path, swap) as folder:
        yield folder
        mark_made(folder, kind, of, later)


def heal(path: Path) -> None:
    """Tidy what a call left that was killed while it replaced the folder at `path`; the caller holds its lock."""
    for other in sorted(path.parent.glob(f"{TEMPORARY_PREFIX}*")):
        if not is_temporary(other.name, path.name):
            continue
        # Killed between two renames: what stood aside or was complete goes to its place.
        if not path.exists() and is_marked(other):
            os.replace(other, path)
        else:
            shutil.rmtree(other, ignore_errors=True)


def swap(new: Path, path: Path) -> None:
    """Put the marked folder `new` at `path`, with the files there that acclimate did not write.

    Raises:
        SettingsError: one of them has the name of a new one.
    """
    for name in strangers(path):
        if (new / name).exists():
            raise SettingsError(
                f"{path / name}: acclimate did not write this file, and would replace it; move it away, then the same command"
            )
        (new / name).parent.mkdir(parents=True, exist_ok=True)
        _link(path / name, new / name)
    if path.is_symlink():
        path.unlink()  # the link was put here; what it leads to is somebody's
    # Exchanged, the old one goes under the name of the new one, where whoever made that removes it.
    if not (path.exists() and _exchanged(new, path)):
        replace_folder(new, path)


def remove_own(path: Path) -> None:
    """Remove a folder that acclimate made, but for the files in it that it did not write."""
    kept = set(strangers(path))
    if not kept:
        shutil.rmtree(path, ignore_errors=True)
        return
    for name in [*_names(path), MARK]:
        if name not in kept:
            (path / name).unlink(missing_ok=True)


def strangers(folder: Path) -> list[str]:
    """The files of a marked folder that acclimate did not write; none where nothing says what it wrote."""
    written = _read(folder).get("files")
    return [] if not isinstance(written, list) else sorted(set(_names(folder)) - set(written))


def _names(folder: Path) -> list[str]:
    below = (path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    return [path.relative_to(folder).as_posix() for path in below if path.name != MARK and not is_temporary(path.name)]


def _read(folder: Path) -> dict[str, Any]:
    try:
        value = json.loads((folder / MARK).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _link(old: Path, new: Path) -> None:
    try:
        os.link(old, new, follow_symlinks=False)
    except OSError:  # not every file system has links
        shutil.copy2(old, new, follow_symlinks=False)


def _exchanged(one: Path, other: Path) -> bool:
    """Exchange two folders by one step, where the system can: there is no moment in which neither stands."""
    try:
        return bool(ctypes.CDLL(None).renameat2(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0)
    except (AttributeError, OSError):
        return False
