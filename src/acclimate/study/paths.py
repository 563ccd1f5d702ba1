"""The paths of a resolved study, so that it runs from the folder where it is written down."""

import os
from pathlib import Path
from typing import Any

RANDOM = "random"  # a base that is no path, even where a folder is called so
SPLITS = ("path", "train", "dev", "test")


def relocated(resolved: dict[str, Any], root: Path, to: Path) -> dict[str, Any]:
    """The resolved study with its paths relative to the folder `to` instead of `root`; hub ids stay as they are."""
    data = dict(resolved["data"])

    def moved(path: Any) -> Any:
        if isinstance(path, list | tuple):
            return [moved(each) for each in path]
        if path is None or Path(path).expanduser().is_absolute():
            return path
        # Globs stand for files below their first plain folders; what is neither a file nor a folder here is a hub id.
        plain = root / path.split("*")[0].split("?")[0].split("[")[0]
        if not (plain.exists() or (plain.parent.exists() and plain.parent != root)):
            return path
        return os.path.relpath(root / path, to.resolve())

    def corpus(settings: Any) -> Any:
        return settings and {**settings, "path": moved(settings["path"])}

    if data.get("task"):
        task = data["task"]
        data["task"] = {**task, **{name: moved(task[name]) for name in SPLITS}, "unlabeled": corpus(task["unlabeled"])}
    for role in ("domain", "general", "transfer"):
        data[role] = corpus(data.get(role))
    data["corpora"] = {name: corpus(settings) for name, settings in data["corpora"].items()}

    def start(base: Any) -> Any:
        match base:
            case str():
                return base if base == RANDOM else moved(base)
            case {"layers_of": str(model)} if model not in resolved["recipes"]:
                return {**base, "layers_of": moved(model)}
            case {"random": {"tokenizer": str(folder)} as shape}:
                return {"random": {**shape, "tokenizer": moved(folder)}}
        return base

    recipes = {name: {**recipe, "base": start(recipe.get("base"))} for name, recipe in resolved["recipes"].items()}
    return {**resolved, "base": moved(resolved["base"]), "data": data, "recipes": recipes}
