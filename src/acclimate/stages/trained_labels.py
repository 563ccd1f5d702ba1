"""Whether a trained classifier answers what a task asks, and which of its outputs is which label of the task."""

from collections.abc import Mapping, Sequence

from acclimate.errors import SettingsError, did_you_mean
from acclimate.modeling.hypotheses import check_words
from acclimate.stages.planned import Classifier
from acclimate.tasks.kind import Form, Link
from acclimate.tasks.task import Task

GIVES: dict[Link, str] = {"softmax": "one of its labels", "sigmoid": "each of its labels by itself", "none": "a number"}


def check_fit(found: Classifier, task: Task, form: Form, model: str, mend: str) -> None:
    """Refuse a classifier that answers another kind of task; `form` is what is asked for, `model` what messages call it.

    Raises:
        SettingsError: it does.
    """
    kind = task.kind
    texts, link = kind.texts(), kind.head(task.names, form).link
    if found.form != form:
        learned, asks = ("words", "a text as a whole") if found.form == "tokens" else ("texts as a whole", "every word")
        raise SettingsError(f"{model} learned to answer {learned}, and {kind.kind} asks about {asks}; {mend}")
    if found.texts not in (None, texts):
        learned, asks = ("pairs of texts", "single texts") if texts == 1 else ("single texts", "pairs of texts")
        raise SettingsError(f"{model} learned to answer {learned}, and {kind.kind} asks about {asks}; {mend}")
    if found.link != link:
        raise SettingsError(
            f"{model} gives {GIVES[found.link]}, and {kind.kind} asks for {GIVES[link]} (`problem_type` in its config.json); {mend}"
        )


def rows_of(task: Task, form: Form, outputs: Sequence[str], said: Mapping[str, str], mend: str) -> tuple[int, ...]:
    """[L] for each output that the task needs, in order, which one of a model's `outputs` it is.

    `said`: what the model calls a label, where that was said; `mend`: how that may be said, with a place for `{label}`.

    Raises:
        SettingsError: these are not the labels of the task, by their names or by what was said.
    """
    head = task.kind.head(task.names, form)
    if head.link == "none":
        if said:
            raise SettingsError(f"names: {task.kind.kind} has no labels; leave `names` out")
        if len(outputs) != len(head.names):
            raise SettingsError(f"it gives {len(outputs)} numbers, and {task.kind.kind} asks for one")
        return (0,)
    check_words(said, head.names)
    rows = tuple(_row(label, head.names, outputs, said, mend) for label in head.names)
    if left := [name for number, name in enumerate(outputs) if number not in rows]:
        raise SettingsError(
            f"it also gives {', '.join(left)}, which no label of the task is: those are {', '.join(head.names)}; "
            "name every label that there may be with `labels:` under `task:`, or take a model of these alone"
        )
    if len(set(rows)) < len(rows):
        raise SettingsError(f"two labels of the task ({', '.join(head.names)}) are the same label of the model; `names` tells them apart")
    return rows


def _row(label: str, labels: Sequence[str], outputs: Sequence[str], said: Mapping[str, str], mend: str) -> int:
    wanted = said.get(label, label)
    exact = [number for number, name in enumerate(outputs) if name == wanted]
    found = exact or [number for number, name in enumerate(outputs) if name.casefold() == wanted.casefold()]
    if len(found) == 1:
        return found[0]
    if label in said:
        raise SettingsError(
            f"names: the model has no label {wanted!r}{did_you_mean(wanted, list(outputs))}; its labels are {_some(outputs)}"
        )
    raise SettingsError(
        f"its labels are {_some(outputs)}, and none of them is {label!r} of the task's {_some(labels)}; where they mean the same, say "
        f"{mend.format(label=label)}"
    )


def _some(names: Sequence[str], most: int = 12) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most:,} more" if len(names) > most else "")
