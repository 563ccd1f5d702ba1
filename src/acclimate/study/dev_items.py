"""Dev of the study that handed a model over: what a copy of the model is judged by where nothing else is named."""

from collections.abc import Callable
from pathlib import Path

from acclimate.errors import AcclimateError
from acclimate.evaluation.labelled_file import LabelledItems
from acclimate.study.language.language import BUILT_IN
from acclimate.study.outputs.output_folder import RECORD
from acclimate.tasks.labelled_kind import LabelledKind
from acclimate.tasks.task import Task

STUDY = "study.yaml"


def dev_items(model: str, say: Callable[[str], None]) -> LabelledItems | None:
    """Dev of the study in whose output folder `model` lies (`results/NAME/best`), read from the study's own files; None elsewhere.

    Where they cannot be read as the study read them, it says why, and gives None.
    """
    folder = Path(model).expanduser().resolve().parent
    if not all((folder / name).is_file() for name in (RECORD, STUDY)):
        return None
    try:
        kind = BUILT_IN.load(folder / STUDY).data.task
        if not isinstance(kind, LabelledKind):
            return None
        task = Task.open(kind, folder)
    except AcclimateError as error:
        say(f"the study's dev cannot be read, name labelled texts by --data: {error}")
        return None
    assert isinstance(task.kind, LabelledKind)
    return LabelledItems(task.kind, task.dev)
