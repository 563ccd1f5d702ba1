"""What it changes that a handed-over decoder is rounded to the precision of its base: some test items are asked of both."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acclimate.data.ragged import Ragged
from acclimate.tasks.kind import Form, many
from acclimate.tasks.split import Split
from acclimate.tasks.task import Task

ITEMS = 64  # of test, spread evenly over it: they take one pass of each model


def told_of_rounding(name: str, dtype: str, task: Task, before: Path, after: Path) -> str:
    """What should be known of a folder that is handed over in `dtype`, `after` what its weights were `before`."""
    changed = _changed(task, before, after)
    items = many(task.kind.item)
    answers = "" if changed is None else f", and of {len(changed):,} test {items} {int(changed.sum()):,} are answered otherwise by it"
    return (
        f"{name}/ comes in {dtype}, as its base does, in half the room; scores are those of the float32 weights that it was rounded "
        f"from{answers} (`acclimate evaluate` tells more)"
    )


def _changed(task: Task, before: Path, after: Path) -> NDArray[np.bool_] | None:
    """[n] whether items of test are answered otherwise; None where answers are no names, or a model cannot be asked."""
    form: Form = "sequence" if task.test.words is None else "tokens"
    if not task.names or form not in task.kind.answered:
        return None
    split = task.test.take(np.unique(np.linspace(0, len(task.test) - 1, min(ITEMS, len(task.test))).astype(np.int64)))
    try:
        one, other = (_predicted(task, split, form, folder) for folder in (before, after))
    except Exception:  # memory for two models, perhaps: whatever it is, scores that took hours are worth more
        return None
    return np.array([not np.array_equal(one[row], other[row]) for row in range(len(split))])


def _predicted(task: Task, split: Split, form: Form, folder: Path) -> Any:
    from acclimate.evaluation.predictor import load_predictor
    from acclimate.modeling.baselines.table import outputs_of

    predictor = load_predictor(folder)
    found = task.kind.decoded(form, outputs_of(predictor, split), split, predictor.thresholds)["predicted"]
    return found if isinstance(found, Ragged) else np.asarray(found)
