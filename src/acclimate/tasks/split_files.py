"""Finds a task's splits: named one by one, in a folder with train/dev/test files, in a Hugging Face dataset, or one pool to be split."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from os.path import commonprefix
from pathlib import Path
from typing import Any

from acclimate.data.readers import hub
from acclimate.data.readers.conll import looks_like_sentences
from acclimate.data.readers.endings import format_of
from acclimate.data.readers.folders import Found, find, is_dataset_folder, named, nothing_read
from acclimate.data.readers.listing import listing
from acclimate.data.readers.reading import Reading
from acclimate.data.readers.records import Source, open_source, source_of_dataset
from acclimate.data.readers.split_names import SPLIT_NAMES, by_split, missed, split_in, split_of
from acclimate.errors import DataError

_UNLABELLED = re.compile(r"unlabell?ed|no_?labels?|without_?labels?|hidden|blind", re.IGNORECASE)  # as benchmarks call such files


def open_splits(named: Mapping[str, str | None], path: str | None, root: Path, reading: Reading) -> dict[str, Source]:
    """A source for each split that is there, train first; with a path that is one pool, it alone under `train`.

    What lies in a folder and belongs to no split is `unread` in the source of train.

    Raises:
        DataError: nothing is there, or names do not tell which file belongs to which split.
    """
    if path is None:
        sources = {split: _one(split, pattern, root, reading) for split, pattern in named.items() if pattern is not None}
    else:
        sources = _whole(path, root, reading)
    for source in sources.values():
        reading.check(source.format, source.files[0])
        if source.format == "txt":
            raise DataError(f"{source.files[0]}: a task needs labels, and a txt file has none; say {reading.with_labels}")
    return sources


def location(source: Source, path: str, root: Path) -> str:
    """How a study file names one split of a task that was given as a `path` as a whole."""
    if "split" in source.detected:
        reference = hub.hub_reference(path, root)
        return f"{path}[{source.detected['split']}]" if reference is not None else f"{path}/{source.detected['split']}"
    files = [str(file.relative_to(root)) if file.is_relative_to(root) else str(file) for file in source.files]
    if len(files) == 1:
        return files[0]
    below = os.path.commonpath(files) or "."
    return below if below != os.path.normpath(path) else f"{commonprefix(files)}*"  # noqa: RUF071 (a glob, not a folder)


def _one(split: str, pattern: str, root: Path, reading: Reading) -> Source:
    source = open_source(pattern, root, reading, splits=SPLIT_NAMES[split])
    _refuse_several(source, pattern, f"name the file that is {split}, or say `path: {pattern}` for all of them")
    return source


def _whole(path: str, root: Path, reading: Reading) -> dict[str, Source]:
    reference = hub.hub_reference(path, root) if reading.format in (None, "hf") else None
    if reference is not None:
        return _dataset_splits(hub.load_hub(reference), reference.name, "{where}[{path}]")
    folder = root / Path(path).expanduser() if path else root
    if is_dataset_folder(folder):
        return _dataset_splits(hub.load_folder(folder), path, "{where}/{path}")
    if not os.path.isdir(folder):
        source = open_source(path, root, reading)
        _refuse_several(source, path, "name the folder that holds them, or `train:` and `test:` one by one")
        return {"train": source}
    return _of_folder(path, folder, find(path, root, reading.format), root, reading)


def _of_folder(path: str, folder: Path, found: Found, root: Path, reading: Reading) -> dict[str, Source]:
    # Json beside other formats mostly describes these; where it is named like a split it may be that.
    beside = () if reading.format else ("json", *(("conll",) if reading.sentences else ()))
    like_splits = (each for each in found.unread if format_of(each) in beside and split_of(each, folder))
    candidates = (*found.files, *like_splits, *found.datasets)
    tables = [each for each in candidates if format_of(each) != "txt" or _sentences(each, reading)]
    splits = by_split((each.relative_to(folder) for each in tables), path)
    read = {folder / each for members in splits.values() for each in members}
    unread = [each for each in (*found.files, *found.unread, *found.datasets) if each not in read]
    if not splits and len(tables) == 1:
        splits, unread = {"train": (tables[0].relative_to(folder),)}, [each for each in unread if each != tables[0]]
    if "train" not in splits:
        if not tables:
            raise DataError(nothing_read(path, root, Found((), (*found.files, *found.unread)), reading.format))
        seen = named([str(each.relative_to(folder)) for each in tables])
        raise DataError(f"{folder}: no train file among {seen}; call it train.jsonl (or .csv, ...), or name `train:` in the study file")
    _refuse_like_splits(path, folder, unread, splits)
    lost = missed((each.relative_to(folder) for each in unread), splits)
    if lost:
        split = split_of(folder / lost[0], folder)
        why = "a txt file has no labels" if format_of(lost[0]) == "txt" else "it is not read as it is"
        mend = f"convert it, name `{split}:` in the study file, or move it away"
        raise DataError(f"{folder / lost[0]}: named like {split}, but {why}, and {split} would be taken out of train; {mend}")
    # One by one, a name is not taken for a pattern; together, they must share one format.
    sources = {split: open_source(tuple(str(folder / each) for each in members), root, reading) for split, members in splits.items()}
    return {**sources, "train": replace(sources["train"], unread=tuple(unread))}


def _sentences(file: Path, reading: Reading) -> bool:
    """Whether a txt file is read as sentences in columns."""
    return reading.format == "conll" or (reading.sentences and reading.format is None and looks_like_sentences(file, reading.encoding))


def _refuse_like_splits(path: str, folder: Path, unread: Sequence[Path], splits: Mapping[str, Sequence[Path]]) -> None:
    """No split is taken out of train where a file seems to be that split: `mydata_test.csv` beside `train.csv`."""
    for each in unread:
        split = split_in(each) if format_of(each) not in (None, "json", "txt") else None
        if split is not None and split not in splits:
            name = each.relative_to(folder)
            named = ", ".join(f"`{known}: {path}/{members[0] if len(members) == 1 else '...'}`" for known, members in splits.items())
            if _UNLABELLED.search(each.name):
                judge = " (or judge by dev: name it `test:`)" if split == "test" and "dev" in splits else ""
                raise DataError(
                    f"{each}: the {split} split has no labels, as its name says; say {named} instead of the folder, and acclimate takes "
                    f"{split} out of train{judge}"
                )
            raise DataError(
                f"{each}: is this {split}? It would be taken out of train; name the files one by one ({named}, `{split}: {path}/{name}`), "
                "or move it away"
            )


def _refuse_several(source: Source, pattern: str, mend: str) -> None:
    """A folder or glob is no single split where its files are named like several."""
    if source.format == "hf" or len(source.files) < 2:
        return
    top = Path(os.path.commonpath([file.parent for file in source.files]))
    splits: dict[str, Path] = {}
    for file in source.files:
        splits.setdefault(split_of(file, top) or "", file)
    splits.pop("", None)
    splits = splits or {split: file for file in source.files if (split := split_in(file))}
    if len(splits) > 1:
        seen = " and ".join(str(file.relative_to(top)) for file in splits.values())
        raise DataError(f"{pattern}: stands for files of several splits ({seen}); {mend}")


def _dataset_splits(splits: dict[str, Any], name: str, mend: str) -> dict[str, Source]:
    members = by_split(map(Path, splits), name, mend)
    if "train" not in members:
        if len(splits) != 1:
            raise DataError(f"{name}: has no train split, only {', '.join(splits)}")
        members = {"train": (Path(next(iter(splits))),)}
    several = next((paths for paths in members.values() if len(paths) > 1), None)
    if several:
        raise DataError(
            f"{name}: {listing(several)} could each be {split_of(several[0])}; name what is meant with `train:`, `dev:` and `test:`"
        )
    sources = {split: source_of_dataset(splits, name, (str(path),)) for split, (path,) in members.items()}
    read = {str(path) for (path,) in members.values()}
    unread = tuple(Path(f"{name}[{split}]") for split in splits if split not in read)
    return {**sources, "train": replace(sources["train"], unread=unread)}
