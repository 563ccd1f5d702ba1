"""The paths that a study names: moved, so that a resolved one runs from the folder where it is written down, and kept from harm."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from acclimate.modeling.named import NAMED
from acclimate.study.language.bases import RANDOM, EndOf, LayersOf, New
from acclimate.study.language.study import Study

SPLITS = ("path", "train", "dev", "test")


def relocated(resolved: dict[str, Any], root: Path, to: Path) -> dict[str, Any]:
    """The resolved study with its paths relative to the folder `to` instead of `root`; hub ids stay as they are."""
    data = dict(resolved["data"])

    def moved(path: Any) -> Any:
        if isinstance(path, list | tuple):
            return [moved(each) for each in path]
        if path is None or Path(path).expanduser().is_absolute():
            return path
        # What is neither a file nor a folder here is a hub id.
        plain = root / without_magic(path)
        if not (plain.exists() or (plain.parent.exists() and plain.parent != root)):
            return path
        return os.path.relpath(root / path, to.resolve())

    def corpus(settings: Any) -> Any:
        return settings and (settings if "select" in settings else {**settings, "path": moved(settings["path"])})

    def of_task(task: Any) -> Any:
        splits = {name: moved(task[name]) for name in SPLITS if name in task}
        texts = {"unlabeled": corpus(task["unlabeled"])} if "unlabeled" in task else {}
        held = {"on": {name: corpus(settings) for name, settings in task["on"].items()}} if isinstance(task.get("on"), dict) else {}
        more = {"documents": corpus(task["documents"])} if isinstance(task.get("documents"), dict) else {}
        return {**task, **splits, **texts, **held, **more}

    if data.get("task"):
        data["task"] = of_task(data["task"])
    data["tasks"] = {name: of_task(task) for name, task in data.get("tasks", {}).items()}
    for role in ("domain", "general", "transfer"):
        data[role] = corpus(data.get(role))
    data["corpora"] = {name: corpus(settings) for name, settings in data["corpora"].items()}

    def start(base: Any) -> Any:
        match base:
            case str():
                return base if base == RANDOM else moved(base)
            case {"layers_of": str(model)} if model not in resolved["recipes"]:
                return {**base, "layers_of": moved(model)}
            case {"end_of": str(model)} if model not in resolved["recipes"]:
                return {**base, "end_of": moved(model)}
            case {"random": {"tokenizer": str(folder)} as shape}:
                return {"random": {**shape, "tokenizer": moved(folder)}}
        return base

    def teacher(said: Any) -> Any:
        if isinstance(said, dict):
            return {**said, "model": teacher(said["model"])}
        return said if said in resolved["recipes"] else moved(said)

    def stages(written: list[Any]) -> list[Any]:
        # What stages need besides is a recipe, or (of a teacher) a model by name.
        return [
            {word: {**settings, "teacher": teacher(settings["teacher"])} if "teacher" in settings else settings}
            for stage in written
            for word, settings in stage.items()
        ]

    recipes = {
        name: {**recipe, "base": start(recipe.get("base")), **({"stages": stages(recipe["stages"])} if "stages" in recipe else {})}
        for name, recipe in resolved["recipes"].items()
    }
    return {**resolved, "base": moved(resolved["base"]), "data": data, "recipes": recipes}


def precious(study: Study, root: Path, store: Path) -> dict[str, list[Path]]:
    """What an output folder must not be or hold, by what to call it: the store, and the folders of the data and of the bases."""
    bases = [place for base in named_bases(study) if (place := root / Path(base).expanduser()).exists()]
    return {"the store": [store], "the folder of the data": list(_data_folders(study, root)), "the folder of the base": bases}


def named_bases(study: Study) -> list[str]:
    """The models that a study names, but for short names: folders, or names on a hub."""
    return [base for base in _bases(study) if base not in (RANDOM, *NAMED)]


def data_paths(study: Study) -> Iterator[str]:
    """The files, globs, folders and names on a hub of a study's data."""
    tasks = [*([study.data.task] if study.data.task is not None else []), *study.data.tasks.values()]
    corpora = [*study.data.corpora_by_name().values(), *(corpus for task in tasks for corpus in task.corpora().values())]
    yield from (path for corpus in corpora for path in ([corpus.path] if isinstance(corpus.path, str) else corpus.path))
    yield from (path for task in tasks for path in task.paths())


def _data_folders(study: Study, root: Path) -> Iterator[Path]:
    for path in data_paths(study):
        place = root / Path(without_magic(path)).expanduser()
        if place.is_dir():
            yield place
        elif place.exists() or (place.parent != root and place.parent.is_dir()):
            yield place.parent


def without_magic(path: str) -> str:
    """The plain beginning of a glob, which stands for files below it."""
    return re.split(r"[*?\[]", path, maxsplit=1)[0]


def _bases(study: Study) -> Iterator[str]:
    yield study.base
    for recipe in study.recipes.values():
        match recipe.base:
            case str():
                yield recipe.base
            case LayersOf():
                yield recipe.base.layers_of
            case EndOf():
                yield recipe.base.end_of
            case New() if recipe.base.random.tokenizer is not None:
                yield recipe.base.random.tokenizer
        besides = (name for stage in recipe.stages if stage.beside_models != "none" for name in stage.beside())
        yield from (name for name in besides if name not in study.recipes)
