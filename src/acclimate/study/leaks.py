"""What of a study's dev and test stands in what it learns from, looked at by itself: nothing is planned, nothing refused."""

from pathlib import Path
from typing import Any

from acclimate.data.leaks import FEWEST_WORDS
from acclimate.errors import SettingsError
from acclimate.study.language.study import Study, refuse_incomplete
from acclimate.tasks.labelled_kind import LabelledKind
from acclimate.tasks.leaks import JUDGING
from acclimate.tasks.opened import Data


def look_for_leaks(study: Study, root: Path) -> Data:
    """The study's data, read and looked through; texts that stand in train and test are no error here.

    Raises:
        DataError: something cannot be read.
        SettingsError: the study has no task, so that nothing is judged by texts.
    """
    refuse_incomplete(study)
    task = study.data.task
    if task is None:
        raise SettingsError("the study has no `task`: there is no dev and no test whose texts could stand in its corpora")
    if isinstance(task, LabelledKind) and task.duplicates == "error":
        task = task.model_copy(update={"duplicates": "keep"})
    return Data.open(study.data.model_copy(update={"task": task}), root)


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
