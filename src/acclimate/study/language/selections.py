"""What can be wrong with corpora that are chosen from others: names that are not there, circles, and nothing to be like."""

from collections.abc import Iterator

from acclimate.data.selection.settings import LEARNING_TASK, Selection
from acclimate.files import word_of
from acclimate.study.language.mistakes import Mistake, did_you_mean
from acclimate.study.language.yaml import Place
from acclimate.tasks.opened import DataSettings


def selection_mistakes(data: DataSettings, base_is_none: bool) -> Iterator[Mistake]:
    """Every corpus that a selection names must be there, and the way from one to the next must end in files.

    `base_is_none`: the study's base is no pretrained model.
    """
    selections = data.selections()
    circles = {name: way for name in selections if (way := _circle(selections, name))}
    kept_as: dict[str, str] = {}
    for name, selection in selections.items():
        path: Place = ("data", "corpora", name, "select")
        if (other := kept_as.setdefault(word_of(name), name)) != name:
            yield Mistake(path, f"is kept in the same file as {other!r}, selected/{word_of(name)}.parquet; rename one of both")
        if selection.like == LEARNING_TASK and selection.method != "random" and (data.task is None or not data.task.learned):
            why = "there is no `task`" if data.task is None else f"a task of the kind {data.task.kind} has no texts to learn from"
            yield Mistake((*path, "like"), f"{why}; name a corpus that the chosen documents are to be like")
        like = () if selection.like == LEARNING_TASK else (selection.like,)
        for key, names in (("like", like), ("among", selection.sources)):
            also = (LEARNING_TASK,) if key == "like" else ()
            yield from (Mistake((*path, key), wrong) for other in names if (wrong := _unknown(data, name, other, also)))
        if selection.asks_base and base_is_none:
            yield Mistake((*path, "method"), f"{selection.method} asks the study's `base`, which is no pretrained model here; name one")
        if name in circles:
            yield Mistake(path, f"goes in a circle: {' needs '.join(circles[name])}")
    for name in getattr(data.task, "corpora_named", ()):
        if name in selections and not circles:
            files = " and ".join(data.sources(name))
            yield Mistake(
                ("data", "task", "on"), f"{name!r} is chosen while the study runs; hold documents out of {files}, and it gets none"
            )


def _unknown(data: DataSettings, name: str, other: str, also: tuple[str, ...]) -> str | None:
    """What is wrong with a name that the corpus `name` is chosen by, where there are corpora, and what may `also` stand there."""
    known = (*data.corpora_by_name(), *data.selections(), *also)
    if other == LEARNING_TASK:
        return "the task is no corpus to choose from; name one (files that stand in `unlabeled`, say, under `corpora:`)"
    if other in known:
        return None
    among = f"those in `data` are {', '.join(each for each in known if each != name) or 'none'}"
    return f"there is no corpus {other!r}{did_you_mean(other, known)}; {among}"


def _circle(selections: dict[str, Selection], name: str) -> tuple[str, ...] | None:
    """The way from a corpus back to itself over what each is chosen by; None where there is none."""
    seen = set[str]()
    ways: list[tuple[str, ...]] = [(name,)]
    while ways:
        way = ways.pop()
        for other in selections[way[-1]].named if way[-1] in selections else ():
            if other == name:
                return (*way, other)
            if other not in seen:
                seen.add(other)
                ways.append((*way, other))
    return None
