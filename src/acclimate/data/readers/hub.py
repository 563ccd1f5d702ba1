"""Hugging Face datasets, on disk or by hub id; the `datasets` library is imported only when one is opened."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acclimate.data.readers.class_names import class_name
from acclimate.data.readers.endings import format_of
from acclimate.errors import DataError, first_line

_HUB_ID = re.compile(
    r"(?P<name>[A-Za-z0-9][\w.-]*/[\w.-]+?)"  # owner/name
    r"(?::(?P<config>[\w.-]+))?"  # :configuration
    r"(?:@(?P<revision>[\w.-]+))?"  # @revision
    r"(?:\[(?P<split>\w+)\])?"  # [split]
)
_BATCH = 1_000  # rows turned into Python objects at a time


@dataclass(frozen=True)
class HubReference:
    """A dataset on the hub as one writes it: `owner/name:configuration@revision[split]`, all but owner and name optional."""

    name: str
    config: str | None = None
    revision: str | None = None
    split: str | None = None


def hub_reference(pattern: str, root: Path) -> HubReference | None:
    """What a string means as a hub id; None when it is, or looks like, a path."""
    match = _HUB_ID.fullmatch(pattern)
    if match is None or format_of(Path(pattern)) is not None:
        return None
    # Where a folder of the owner's name is at hand, a path was meant, perhaps with a typing mistake.
    if (root / match["name"].split("/")[0]).exists():
        return None
    return HubReference(**match.groupdict())


def load_hub(reference: HubReference) -> dict[str, Any]:
    """All splits of a hub dataset by name (only the named split when the reference names one).

    Raises:
        DataError: it does not exist, or the network or the dataset does not allow to load it.
    """
    import datasets

    _must_exist(reference)
    try:
        loaded = datasets.load_dataset(reference.name, reference.config, revision=reference.revision)
    except Exception as error:  # the library raises errors of many libraries beneath it
        why = first_line(error)
        raise DataError(f"{reference.name}: no such file or folder here, and not loaded as a Hugging Face dataset: {why}") from error
    splits = dict(loaded)
    if reference.split is not None:
        if reference.split not in splits:
            raise DataError(f"{reference.name}: no split {reference.split!r}; it has {', '.join(map(str, splits))}")
        return {reference.split: splits[reference.split]}
    return {str(name): split for name, split in splits.items()}


def _must_exist(reference: HubReference) -> None:
    """Ask the hub once whether it has this dataset: `load_dataset` by itself retries for half a minute when there is no network."""
    import datasets
    import huggingface_hub
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

    if any(Path(datasets.config.HF_DATASETS_CACHE).glob(reference.name.replace("/", "___") + "*")):
        return  # downloaded before, which is enough without a network
    here = f"{reference.name}: no such file or folder here"
    try:
        huggingface_hub.HfApi().dataset_info(reference.name, revision=reference.revision, timeout=10)
    except RepositoryNotFoundError as error:
        raise DataError(f"{here}, and no such dataset on the Hugging Face hub (or a private one: log in first)") from error
    except RevisionNotFoundError as error:
        raise DataError(f"{reference.name}: the dataset has no revision {reference.revision!r}") from error
    except Exception as error:  # every way in which a network can be absent
        raise DataError(f"{here}, and the Hugging Face hub cannot be reached to look for a dataset ({type(error).__name__})") from error


def load_folder(path: Path) -> dict[str, Any]:
    """All splits in a folder written by `save_to_disk`; a folder of a single split gives it under the folder's name.

    Raises:
        DataError: the folder is damaged.
    """
    import datasets

    try:
        loaded = datasets.load_from_disk(str(path))
    except Exception as error:
        raise DataError(f"{path}: cannot be read as a Hugging Face dataset folder ({error})") from error
    if isinstance(loaded, Mapping):
        return {str(name): split for name, split in loaded.items()}
    return {path.name: loaded}


def dataset_rows(dataset: Any, columns: Sequence[str] | None) -> Iterator[dict[str, Any]]:
    """Rows as dictionaries, streamed from the memory-mapped files; class numbers become class names, -1 (no label) None."""
    if columns is not None:
        dataset = dataset.select_columns(list(columns))
    names = class_names_in(dataset.features)
    rows = 0
    for batch in dataset.with_format(None).iter(batch_size=_BATCH):
        for column, classes in names.items():
            where = f"{dataset.cache_files[0]['filename'] if dataset.cache_files else 'the dataset'}: row {rows + 1:,} or soon after"
            batch[column] = [class_name(number, classes, where) for number in batch[column]]
        rows += _BATCH
        keys = list(batch)
        for values in zip(*batch.values(), strict=True):
            yield dict(zip(keys, values, strict=True))


def class_names_in(features: Mapping[str, Any]) -> dict[str, list[str]]:
    """By column the names of its classes, of one that holds class numbers or lists of them."""
    classes_in = {column: getattr(feature, "feature", feature) for column, feature in features.items()}  # of a list, its items'
    return {column: feature.names for column, feature in classes_in.items() if type(feature).__name__ == "ClassLabel"}


def dataset_files(dataset: Any) -> tuple[Path, ...]:
    """The files on disk that hold a dataset's bytes."""
    return tuple(Path(entry["filename"]) for entry in dataset.cache_files)
