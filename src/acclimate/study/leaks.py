"""What of a study's dev and test stands in what it learns from, looked at by itself: nothing is planned, nothing refused."""

from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from acclimate.data.leaks import FEWEST_WORDS
from acclimate.study.language.implied import with_task
from acclimate.study.language.study import Study, refuse_incomplete
from acclimate.tasks.kind import TaskKind
from acclimate.tasks.labelled_kind import LabelledKind
from acclimate.tasks.leaks import JUDGING
from acclimate.tasks.opened import Data

T = TypeVar("T", bound=TaskKind | None)


def look_for_leaks(study: Study, root: Path) -> Data:
    """The study's data, read and looked through; texts that stand in train and test are no error here, nor is a corpus of such texts alone.

    Where it has no task, the documents that it holds out are looked for, as when it is run.

    Raises:
        DataError: something cannot be read.
        SettingsError: nothing is judged by texts.
    """
    refuse_incomplete(study)
    study = with_task(study)[0] if study.data.task is None else study
    drops, tasks = study.data.leaks == "drop", {name: _kept(task) for name, task in study.data.tasks.items()}
    shown = study.data.model_copy(update={"task": _kept(study.data.task), "tasks": tasks, "leaks": "keep"})
    data = Data.open(shown, root, general=study.general_text)
    held = data.found.holdings
    found = {name: replace(each, dropped=drops and each.of_corpus and bool(each.digests)) for name, each in held.items()}
    return replace(data, found=replace(data.found, holdings=found))


def _kept(task: T) -> T:
    """A task whose texts may stand in train and in test."""
    if isinstance(task, LabelledKind) and task.duplicates == "error":
        return task.model_copy(update={"duplicates": "keep"})
    return task


def leaks_json(data: Data) -> dict[str, Any]:
    """Every leak, and what they come to."""
    assert data.task is not None
    holdings = data.found.holdings
    return {
        "leaks": [leak.as_dict() for holding in holdings.values() for leak in holding.leaks],
        "corpora": {name: holding.facts() for name, holding in holdings.items()},
        "judged": {split: len(data.task.splits[split]) for split in JUDGING},
        "short": short_texts(data),
    }


def short_texts(data: Data) -> dict[str, int]:
    """By split, texts that are so short that they are only looked for as whole documents."""
    assert data.task is not None
    return {split: sum(len(text.split()) < FEWEST_WORDS for text in data.task.splits[split].documents()) for split in JUDGING}
