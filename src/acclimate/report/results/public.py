"""What a page for others leaves out: the folders of whoever made it."""

import re
from collections.abc import Collection
from pathlib import PurePath
from typing import Any

from acclimate.study.language.yaml import dump, parse

_FOLDERS = re.compile(r"(?<![\w.…~-])/(?:[^/\n\"',\]]+/)+")  # of an absolute path
# Keys of a study file whose text may be a path.
_FILES = frozenset(["path", "train", "dev", "test", "domain", "general", "transfer", "base", "layers_of", "tokenizer", "teacher"])


def without_folders(sentence: str) -> str:
    """A sentence with the last part alone of each absolute path in it."""
    return _FOLDERS.sub("…/", sentence)


def public_command(command: str) -> str:
    """A command with the last part alone of each path in it."""
    return " ".join(PurePath(word).name if "/" in word else word for word in command.split(" "))


def public_study(resolved: str, hub_ids: Collection[str]) -> str:
    """A resolved study file with the last part alone of each path, relative ones too; `hub_ids` are known not to be paths.

    Raises:
        SettingsError: it cannot be read.
    """
    value = parse(resolved, "study.yaml").value
    recipes = value.get("recipes") if isinstance(value, dict) else None
    return dump(_shortened(value, "", frozenset([*hub_ids, *(recipes if isinstance(recipes, dict) else ())])))


def _shortened(value: Any, key: str, names: Collection[str]) -> Any:
    if isinstance(value, dict):
        # A corpus may be written as its path alone, under a name of its own.
        return {name: _shortened(each, "path" if key == "corpora" else name, names) for name, each in value.items()}
    if isinstance(value, list):
        return [_shortened(each, key, names) for each in value]
    if not isinstance(value, str) or key not in _FILES or not set(value) & set("/\\~"):
        return value
    if re.split(r"[:@\[]", value)[0] in names or value in names:
        return value
    return f"…/{PurePath(value.replace(chr(92), '/')).name}"
