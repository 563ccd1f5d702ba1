"""One labelled file by itself, for measuring a trained model on it."""

from pathlib import Path

from acclimate.data.problems import Problems
from acclimate.data.reading import Reading
from acclimate.data.rows import read_rows
from acclimate.data.task import TaskSettings, columns_of
from acclimate.data.task_files import open_splits


def read_labelled(path: str, root: Path, text: str | None = None, label: str | None = None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The texts and their labels, read as strictly as a study reads them; columns are detected where they are not named.

    Raises:
        DataError: the file is missing or malformed; names file and line.
    """
    source = open_splits({"train": path, "dev": None, "test": None}, None, root, Reading())["train"]
    text, label, _ = columns_of(TaskSettings(train=path, text=text, label=label), source)
    with Problems(False, None) as problems:
        rows = read_rows(source, text, label, None, None, problems)
    return tuple(rows.texts), tuple(rows.labels)
