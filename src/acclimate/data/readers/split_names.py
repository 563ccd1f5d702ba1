"""Which split a file belongs to, by its name and those of its folders; what could be two things is refused with what was seen."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from acclimate.data.readers.endings import COMPRESSIONS, FORMATS, compression_of, format_of
from acclimate.data.readers.listing import listing
from acclimate.errors import DataError

# What the splits are called elsewhere.
SPLIT_NAMES = {
    "train": ("train", "training"),
    "dev": ("dev", "validation", "valid", "val", "development", "devel", "eval", "evaluation"),
    "test": ("test", "testing"),
}
_NAME = re.compile(
    r"(?P<name>(?P<split>[a-z]+)(?:[-_.](?:mis)?matched)?)"  # train, validation_mismatched
    r"(?:[-_.]?(?:part|shard)?[-_.]?(?P<number>\d+)"  # train-00000, train_part1
    r"(?:[-_.]of[-_.](?P<of>\d+))?"  # -of-00002
    r"(?:-[0-9a-f]{8,64})?)?"  # and the digest that `datasets` put there until 2023
)
_SHARD = re.compile(r"[-_.](?P<number>\d+)[-_.]of[-_.](?P<of>\d+)(?:-[0-9a-f]{8,64})?$")
# Words that make another thing of a name with a split in it: eval_results.csv, test_labels.csv.
_ABOUT = frozenset(
    (
        *("result", "results", "report", "predictions", "prediction", "preds", "pred", "scores", "score", "metrics", "log", "logs"),
        *("notes", "stats", "labels", "features", "ids", "info", "readme"),
    )
)
# Endings of data that is not read: a split in such a file would be missed.
_DATA = (
    *(".xlsx", ".xls", ".ods", ".zip", ".7z", ".rar", ".tar", ".tgz", ".gz", ".lz4", ".pkl", ".pickle", ".arrow", ".feather"),
    *(".h5", ".hdf5", ".db", ".sqlite", ".dat", ".data", ".tab", ".psv", ".xml"),
)
_SHOWN = 6  # paths in a message


@dataclass(frozen=True)
class Member:
    """A file (or the split of a dataset) that is named like a split."""

    path: Path  # relative to the folder
    split: str  # train, dev or test
    name: str  # as it is called there, e.g. `validation_matched`
    home: Path  # the folder in which the whole data set lies, relative
    part: tuple[str, ...]  # what members have in common that are one split: the way of naming
    whole: Path  # a folder or glob that stands for all of these
    number: int | None = None


def split_of(path: Path, folder: Path | None = None) -> str | None:
    """The split that a file's name, or that of a folder between it and `folder`, says; None where they say nothing or two things."""
    member = _member(path.relative_to(folder) if folder is not None else Path(path.name))
    return member.split if member else None


def split_in(path: Path) -> str | None:
    """The split that one word of a file's name says, as in `mydata_train.csv` or `test-v2.csv`; None where none does, or several."""
    member = _by_word(path)
    return member.split if member else None


def by_split(paths: Iterable[Path], where: str, mend: str = "{where}/{path}") -> dict[str, tuple[Path, ...]]:
    """Which of these relative paths belong to which split, train first; those that say nothing are left out.

    Where no name is a split's, a word in it is enough (`mydata_train.csv`), if the other words are the same for all splits.
    `mend` is how one of them is named by itself.

    Raises:
        DataError: several could be the same split, or they lie in folders of different data sets.
    """
    paths = tuple(paths)
    torn = [path for path in paths if _contradicts(path)]
    if torn:
        raise DataError(f"{where}: {torn[0]}: its folder says one split and its name another; {_naming({}, where, mend)}")
    members = [member for member in map(_member, paths) if member is not None]
    if not members and len(paths) > 1:
        members = [member for member in map(_by_word, paths) if member is not None]
    parts: dict[str, dict[tuple[str, ...], list[Member]]] = {split: {} for split in SPLIT_NAMES}
    for member in members:
        parts[member.split].setdefault((str(member.home), *member.part), []).append(member)
    first = {split: next(iter(there.values())) for split, there in parts.items() if there}
    for split, there in parts.items():
        if len(there) > 1:
            seen = listing((_together(part) for part in there.values()), _SHOWN)
            raise DataError(f"{where}: {seen} could each be {split}; {_naming(first, where, mend)}")
        for part in there.values():
            _refuse_versions(split, part, where, _naming(first, where, mend))
    _refuse_folds(members, where, mend)
    homes = {str(member.home): member.path for member in members}
    if len(homes) > 1:
        apart = "lie in different folders" if len({path.parent for path in homes.values()}) > 1 else "seem to be of different data sets"
        raise DataError(f"{where}: {listing(homes.values(), _SHOWN)} {apart}; {_naming(first, where, mend)}")
    return {split: tuple(member.path for member in part) for split, part in first.items()}


def missed(paths: Iterable[Path], splits: Mapping[str, object]) -> list[Path]:
    """Files that are not read, though they are named like a split that is not there and look like data."""
    found = ((path, _member(path)) for path in paths)
    return [path for path, member in found if member and member.split not in splits and (path.suffix.lower() in _DATA or format_of(path))]


def _member(path: Path) -> Member | None:
    folders = [part.lower() for part in path.parent.parts]
    file = _NAME.fullmatch(_stem(path))
    file = file if file and _split(file) else None
    for place in reversed(range(len(folders))):
        match = _NAME.fullmatch(_stem(Path(folders[place])))
        split = _split(match) if match and match["number"] is None else None
        if match and split:
            home = Path(*path.parent.parts[:place])
            return (
                None
                if file and _split(file) != split
                else Member(path, split, match["name"], home, ("folder", folders[place]), Path(*path.parent.parts[: place + 1]))
            )
    if file is None:
        return None
    if file["number"] is None:
        return Member(path, _split(file) or "", file["name"], path.parent, ("file", file["name"]), path)
    ending = "".join(path.suffixes[-2:] if compression_of(path) else path.suffixes[-1:])
    shards = ("shards", file["name"], f"of {file['of']}", ending)
    whole = path.with_name(f"{path.name[: file.start('number')]}*{ending}")
    return Member(path, _split(file) or "", file["name"], path.parent, shards, whole, None if file["of"] else int(file["number"]))


def _by_word(path: Path) -> Member | None:
    stem = _stem(path)
    shard = _SHARD.search(stem)
    words = re.split(r"[-_.\s]+", stem[: shard.start()] if shard else stem)
    said = [word for word in words if _called(word)]
    if len(said) != 1 or _ABOUT & set(words):
        return None
    rest = " ".join("*" if word == said[0] else word for word in words)
    ending = "".join(path.suffixes[-2:] if compression_of(path) else path.suffixes[-1:])
    whole = path.with_name(f"{path.name[: shard.start()]}*{ending}") if shard else path
    part = ("word", rest, said[0], f"of {shard['of']}" if shard else "", ending if shard else "")
    return Member(path, _called(said[0]) or "", said[0], path.parent / rest, part, whole)


def _stem(path: Path) -> str:
    """The name in small letters without any ending of data."""
    while path.suffix.lower() in (*FORMATS, *COMPRESSIONS, *_DATA):
        path = path.with_suffix("")
    return path.name.lower()


def _split(match: re.Match[str]) -> str | None:
    return _called(match["split"])


def _called(word: str) -> str | None:
    return next((split for split, names in SPLIT_NAMES.items() if word in names), None)


def _contradicts(path: Path) -> bool:
    return _member(path) is None and any(_member(Path(part, "x")) for part in path.parent.parts) and _member(Path(path.name)) is not None


def _refuse_versions(split: str, part: Sequence[Member], where: str, mend: str) -> None:
    """Files of one split that are the same thing twice: unpacked and packed, in two formats, in two folders."""
    seen: dict[object, Path] = {}
    for member in part:
        within = member.part[0] == "folder"
        same = _stem(member.path) if within or member.number is None else member.number
        other = seen.setdefault(same, member.path)
        if other != member.path:
            raise DataError(f"{where}: {other} and {member.path} are both {split}, by their names the same data twice; {mend}")


def _refuse_folds(members: Sequence[Member], where: str, mend: str) -> None:
    """Numbered files of several splits with the same numbers are folds of a cross-validation, and no shards."""
    numbers: dict[str, set[int]] = {}
    for member in members:
        if member.number is not None:
            numbers.setdefault(member.split, set()).add(member.number)
    folds = [split for split, found in numbers.items() if len(found) > 1]
    if len(folds) > 1 and len({frozenset(numbers[split]) for split in folds}) == 1:
        paths = [str(member.path) for member in members if member.split in folds]
        lowest = min(numbers[folds[0]])
        one = {split: [member for member in members if (member.split, member.number) == (split, lowest)] for split in folds}
        mend = _naming(one, where, mend)
        seen = listing(paths, _SHOWN)
        raise DataError(f"{where}: {seen} may be folds as well as shards; {mend}, or write shards as train-00000-of-00002")


def _naming(parts: Mapping[str, Sequence[Member]], where: str, mend: str) -> str:
    named = ", ".join(f"`{split}: {mend.format(where=where, path=_together(part))}`" for split, part in parts.items())
    return f"name what is meant{', e.g. ' + named if named else ' with `train:`, `dev:` and `test:`'}"


def _together(part: Sequence[Member]) -> Path:
    return part[0].path if len(part) == 1 and part[0].part[0] != "folder" else part[0].whole
