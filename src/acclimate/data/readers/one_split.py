"""What `predict` and `evaluate` read of a path: of several splits the one that was named, and none by default."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from acclimate.data.readers import hub
from acclimate.data.readers.folders import find, is_dataset_folder, nothing_read
from acclimate.data.readers.listing import listing
from acclimate.data.readers.reading import Reading
from acclimate.data.readers.records import Source, open_source, source_of_dataset
from acclimate.data.readers.split_names import SPLIT_NAMES, by_split, split_in, split_of
from acclimate.errors import DataError


def open_one(path: str, root: Path, reading: Reading, split: str | None) -> Source:
    """The source of a file, glob, folder, dataset folder or hub id; where there are several splits, that of `split`.

    `split` is `train`, `dev` or `test`, whatever these are called there, or any other name that a dataset gives to a split.

    Raises:
        DataError: nothing is there, there are several splits and none was named, or the named one is not there.
    """
    reference = hub.hub_reference(path, root) if reading.format in (None, "hf") else None
    if reference is not None:
        reading.check("hf", reference.name)
        return _of_dataset(hub.load_hub(reference), reference.name, split)
    whole = root / Path(path).expanduser()
    if is_dataset_folder(whole):
        reading.check("hf", path)
        return _of_dataset(hub.load_folder(whole), path, split)
    found = find(path, root, reading.format)
    if (*found.files, *found.datasets) == (whole,):
        if split is not None:
            raise DataError(f"{path}: a single file, and read whole; --split is for folders and datasets that hold several")
        return open_source(path, root, reading)
    top = whole if whole.is_dir() else Path(os.path.commonpath([file.parent for file in found.files]))
    members = _members((*found.files, *found.datasets), top, path, split)
    if members is None:
        if not found.files:
            raise DataError(nothing_read(path, root, found, reading.format))
        return open_source(path, root, reading)
    if is_dataset_folder(members[0]):
        return _of_dataset(hub.load_folder(members[0]), str(members[0]), None)
    return open_source(tuple(map(str, members)), root, reading)


def _of_dataset(splits: Mapping[str, Any], name: str, split: str | None) -> Source:
    return source_of_dataset(dict(splits), name, (chosen_split(splits, name, split),))


def _members(paths: Sequence[Path], top: Path, path: str, split: str | None) -> Sequence[Path] | None:
    """The files of one split; None where no file is named like a split."""
    groups: dict[str, list[Path]] = {}
    for each in paths:
        groups.setdefault(split_of(each, top) or "", []).append(each)
    others = groups.pop("", [])
    if not groups and len({split_in(each) for each in paths} - {None}) > 1:  # mydata_train.csv and mydata_test.csv
        for each in others:
            groups.setdefault(split_in(each) or "", []).append(each)
        others = groups.pop("", [])
    if not groups and split is None:
        return None
    if len(groups) == 1 and others and split is None:
        (only,) = groups
        raise DataError(
            f"{path}: has {only} ({groups[only][0].name}) and files of no split ({others[0].name}); "
            f"name the files themselves, or say --split {only}"
        )
    chosen = groups[chosen_split(groups, path, split)]
    by_split((each.relative_to(top) for each in chosen), path)  # refuses what is there twice, unpacked and packed for example
    return chosen


def chosen_split(splits: Iterable[str], name: str, split: str | None) -> str:
    """The name of the split that is read; `split` as in `open_one`.

    Raises:
        DataError: there are several and none was named, or the named one is not there.
    """
    kinds = {known: split_of(Path(known)) for known in splits}
    in_order = sorted(kinds, key=lambda known: [*SPLIT_NAMES, None].index(kinds[known]))
    listed = listing(in_order)
    if split is None:
        if len(kinds) == 1:
            return next(iter(kinds))
        example = "test" if "test" in kinds.values() else next(iter(kinds))
        raise DataError(f"{name}: has {listed}; name one with --split, e.g. --split {example}")
    if split in kinds:
        return split
    kind = split_of(Path(split))
    meant = [known for known in kinds if kind is not None and kinds[known] == kind]
    if len(meant) != 1:
        several = (
            f"{listing(meant)} could each be {split}; name one with --split"
            if meant
            else f"has no split {split!r}; it has {listed or 'none'}"
        )
        raise DataError(f"{name}: {several}")
    return meant[0]
