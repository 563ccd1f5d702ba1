"""Finds a task's splits: named one by one, in a folder with train/dev/test files, in a Hugging Face dataset, or one pool to be split."""

import re
from collections.abc import Mapping
from os.path import commonprefix
from pathlib import Path

from acclimate.data import hub
from acclimate.data.endings import format_of, stem_of
from acclimate.data.folders import is_dataset_folder, resolve
from acclimate.data.reading import Reading
from acclimate.data.records import Source, open_source, source_of_dataset
from acclimate.errors import DataError

# What the splits are called elsewhere.
SPLIT_NAMES = {
    "train": ("train", "training"),
    "dev": ("dev", "validation", "valid", "val", "development"),
    "test": ("test", "testing"),
}
_SHARD = re.compile(r"(?P<split>[a-z]+)(?:-\d+(?:-of-\d+)?)?")  # train, train-00000-of-00002


def open_splits(named: Mapping[str, str | None], path: str | None, root: Path, reading: Reading) -> dict[str, Source]:
    """A source for each split that is there, train first; with a path that is one pool, it alone under `train`.

    Raises:
        DataError: nothing is there, or a folder's files do not tell which of them is train.
    """
    if path is None:
        sources = {
            split: open_source(pattern, root, reading, splits=SPLIT_NAMES[split]) for split, pattern in named.items() if pattern is not None
        }
    else:
        sources = _whole(path, root, reading)
    for source in sources.values():
        reading.check(source.format, source.files[0])
        if source.format == "txt":
            raise DataError(f"{source.files[0]}: a task needs labels, and a txt file has none; use jsonl, csv, tsv or parquet")
    return sources


def location(source: Source, path: str, root: Path) -> str:
    """How a study file names one split of a task that was given as a `path` as a whole."""
    if "split" in source.detected:
        reference = hub.hub_reference(path, root)
        return f"{path}[{source.detected['split']}]" if reference is not None else f"{path}/{source.detected['split']}"
    files = [str(file.relative_to(root)) if file.is_relative_to(root) else str(file) for file in source.files]
    return files[0] if len(files) == 1 else f"{commonprefix(files)}*"  # noqa: RUF071 (a glob, not a folder)


def _whole(path: str, root: Path, reading: Reading) -> dict[str, Source]:
    reference = hub.hub_reference(path, root) if reading.format in (None, "hf") else None
    if reference is not None:
        return _dataset_splits(hub.load_hub(reference), reference.name)
    folder = root / Path(path).expanduser()
    if is_dataset_folder(folder):
        return _dataset_splits(hub.load_folder(folder), str(folder))
    if not folder.is_dir():
        return {"train": open_source(path, root, reading)}
    files = resolve(path, root, reading.format)
    found: dict[str, list[str]] = {}
    for file in files:
        match = _SHARD.fullmatch(stem_of(file).lower())
        split = match and next((split for split, names in SPLIT_NAMES.items() if match["split"] in names), None)
        if split and (format_of(file) != "txt"):
            found.setdefault(split, []).append(str(file))
    if "train" in found:
        # Other files in the folder (an unlabelled one, say) belong to no split.
        return {split: _opened(found[split], root, reading) for split in SPLIT_NAMES if split in found}
    if len(files) == 1 and not found:
        return {"train": open_source(str(files[0]), root, reading)}
    names = ", ".join(file.name for file in files[:5])
    raise DataError(f"{folder}: no train file among {names}; call it train.jsonl (or .csv, ...), or name `train:` in the study file")


def _opened(files: list[str], root: Path, reading: Reading) -> Source:
    # One by one, a name is not taken for a pattern; together, they must share one format.
    return open_source(tuple(files), root, reading)


def _dataset_splits(splits: dict[str, object], name: str) -> dict[str, Source]:
    found = {}
    for split, names in SPLIT_NAMES.items():
        known = next((known for known in names if known in splits), None)
        if known is not None:
            found[split] = source_of_dataset(splits, name, (known,))
    if "train" not in found:
        if len(splits) != 1:
            raise DataError(f"{name}: has no train split, only {', '.join(splits)}")
        found = {"train": source_of_dataset(splits, name, tuple(splits))}
    return found
