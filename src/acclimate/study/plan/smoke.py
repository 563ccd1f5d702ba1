"""A sliver of a study: every stage runs, nothing is learned. It shows in a minute or two that a night's work will not fail at its end."""

from dataclasses import replace

import numpy as np

from acclimate.study.language.study import Study
from acclimate.tasks.collection import among_fewer
from acclimate.tasks.opened import Data
from acclimate.tasks.split import Split
from acclimate.tasks.task import Task

TEXTS, DOCUMENTS = 64, 8  # of each split
CHOSEN = 64  # documents of a corpus that is chosen
TRIALS = 2  # of a search


def smoke_study(study: Study) -> Study:
    """The same recipes with slivers of stages, one seed, all labels of the sliver."""
    recipes = {
        name: recipe.model_copy(update={"stages": tuple(stage.sliver().with_trials(TRIALS) for stage in recipe.stages)})
        for name, recipe in study.recipes.items()
    }
    return study.model_copy(update={"recipes": recipes, "seeds": study.seed_list[:1], "labels": ("all",)})


def sliver(data: Data) -> Data:
    """The same data with at most 64 texts a split, every label of train among them; corpora stay, stages read little of them."""
    task = None if data.task is None else _sliver(data.task)
    few = {"tokens": None, "documents": CHOSEN}
    selections = {name: selection.model_copy(update=few) for name, selection in data.selections.items()}
    tasks = {name: _sliver(other) for name, other in data.tasks.items()}
    general = None if data.general is None else data.general.sliver()
    return replace(data, task=task, selections=selections, tasks=tasks, general=general)


def _sliver(task: Task) -> Task:
    wanted = min(TEXTS, len(task.train))
    train = task.budget(max(wanted, len(task.names)), seed=0).train if wanted < len(task.train) else task.train
    dev, test = _some(task, task.dev), _some(task, task.test)
    if train.collection is not None:  # all of it would be read by every recipe
        train, dev, test = among_fewer((train, dev, test), TEXTS)
    return replace(task, train=train, dev=dev, test=test, text=train.documents_fingerprint)


def _some(task: Task, split: Split) -> Split:
    if task.kind.learned:
        return split.take(np.arange(min(TEXTS, len(split))))
    # Documents may be long, and those of a corpus stand together: a few of each.
    return split.take(np.unique(np.linspace(0, len(split) - 1, min(DOCUMENTS, len(split))).astype(np.int64)))
