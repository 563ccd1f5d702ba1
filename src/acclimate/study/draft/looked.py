"""Files that a study file is to be written of: sorted into a task and text without labels, and read as a study reads them."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acclimate.data.readers import hub
from acclimate.errors import DataError
from acclimate.modeling.named import DEFAULT
from acclimate.study.draft.sorting import Sorted, columns_of, sort_paths
from acclimate.study.language.implied import KIND, STAGE
from acclimate.study.language.study import parse_study
from acclimate.study.language.yaml import dump, parse
from acclimate.tasks.opened import Data


@dataclass(frozen=True)
class Looked:
    """What was found in files."""

    found: Sorted
    opened: Data
    said: Mapping[str, Any]
    """`data:` as a study file says it."""
    dropped: bool
    """Whether texts that stand in train and test had to be dropped."""

    @property
    def words(self) -> dict[str, int]:
        """Of each corpus, by name."""
        return {name: self.opened.corpora[name].facts.words for name in self.found.corpora}


def look(paths: Sequence[str], here: Path, folder: Path, stated: Mapping[str, Any]) -> Looked:
    """Read these paths (from the folder `here`) for a study file in `folder`: its paths are relative to that. `stated`: of the task.

    Raises:
        DataError, SettingsError: something cannot be read, is inconsistent, or could be two things; it names the mend.
    """
    found = sort_paths(paths, here, stated)
    return Looked(found, *_opened(_data(found, here, folder, stated), folder))


def _data(found: Sorted, here: Path, folder: Path, stated: Mapping[str, Any]) -> dict[str, Any]:
    """`data:` as the file says it, columns that were detected written out."""

    def path(given: str) -> str:
        if hub.hub_reference(given, here) is not None or Path(given).is_absolute() or given.startswith("~"):
            return given
        return os.path.relpath(here / given, folder)

    data: dict[str, Any] = {}
    if found.task is not None:
        assert found.kind is not None
        assert found.train is not None
        task = {"kind": found.kind, **{name: path(given) for name, given in found.task.items()}, **stated}
        if found.train.format != "conll" and not found.why.startswith("the folder has"):
            task |= columns_of(found.kind, found.train, found.label, stated)
        data["task"] = task
    if "domain" in found.corpora:
        data["domain"] = path(found.corpora["domain"])
    elif found.corpora:
        data["corpora"] = {name: path(given) for name, given in found.corpora.items()}
    return {"task": {"kind": KIND, "on": [*found.corpora]}, **data} if found.task is None else data


def _opened(said: dict[str, Any], folder: Path) -> tuple[Data, dict[str, Any], bool]:
    """(the data, read and checked; its settings; whether texts that stand in train and test had to be dropped)."""

    def read(data: dict[str, Any]) -> Data:
        # A stage that answers the task, so that the data alone can be wrong.
        stage = {KIND: STAGE, "retrieve": "vectors"}.get(data["task"]["kind"], "finetune")
        recipes = {"a": {"base": DEFAULT, "stages": [stage]}}
        settings = parse_study({"data": data, "recipes": recipes}, parse(dump({"data": data, "recipes": recipes}), "the files")).data
        return Data.open(settings, folder)

    dropped = False
    try:
        opened = read(said)
    except DataError as error:
        if "duplicates" in said["task"] or said["task"]["kind"] in (KIND, "retrieve"):
            raise
        said, dropped = {**said, "task": {**said["task"], "duplicates": "drop"}}, True
        try:
            opened = read(said)
        except DataError:
            raise error from None
        if opened.task is None or not any(opened.task.facts.dropped.values()):
            raise  # what is wrong is something else
    if any(holding.leaks for name, holding in opened.found.holdings.items() if name in opened.corpora):
        said = {**said, "leaks": "drop"}
        opened = read(said)
    return opened, said, dropped
