"""Where a study's models and data come from, as far as it matters to whoever gets the trained model: names, licences, hub ids."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from acclimate.data.readers.hub import hub_reference
from acclimate.modeling.base_files import inside
from acclimate.modeling.source import Source
from acclimate.tasks.opened import DataSettings

CARD = "README.md"
NO_LICENSE: dict[str, str | None] = {"license": None, "license_name": None, "license_link": None}
_LICENSE = re.compile(r"[a-z0-9][a-z0-9.-]*")  # as the hub writes identifiers of licences


def base_facts(sources: Iterable[Source]) -> list[dict[str, Any]]:
    """Of each base its name (of a folder the last part alone: the rest is about this machine), its digest and its licence."""
    facts = []
    for source in sources:
        facts.append(
            {
                "name": source.hub or (source.name if source.shape is not None else Path(source.name).name),
                "hub": source.hub is not None,
                "digest": source.digest,
                "model_type": source.config.get("model_type"),
                "parameters": source.parameters,
                # A model made here from nothing is nobody else's.
                **(license_of(source.folder) if source.shape is None else dict(NO_LICENSE)),
            }
        )
    return facts


def license_of(folder: Path) -> dict[str, str | None]:
    """`license`, `license_name` and `license_link` of the card in a model's folder; None for each that it does not say."""
    nothing: dict[str, str | None] = dict(NO_LICENSE)
    if not (folder / CARD).is_file() or not inside(folder / CARD):
        return nothing
    from huggingface_hub import ModelCard

    try:
        said = ModelCard.load(folder / CARD, ignore_metadata_errors=True).data.to_dict()
    except Exception:  # somebody else's file: whatever is wrong with it, the licence is not known
        return nothing
    found = {name: value if isinstance(value := said.get(name), str) else None for name in nothing}
    return found if found["license"] and _LICENSE.fullmatch(found["license"]) else nothing


def hub_datasets(data: DataSettings, root: Path) -> dict[str, list[str]]:
    """The hub ids of data sets, by `task` or the corpus's name; local files have none."""
    paths: dict[str, list[str | None]] = {}
    if data.task is not None:
        paths["task"] = list(data.task.paths())
    paths |= {f"task {name}": list(task.paths()) for name, task in data.tasks.items()}
    for name, corpus in {**(data.task.corpora() if data.task is not None else {}), **data.corpora_by_name()}.items():
        paths[name] = _listed(corpus.path)
    found = {name: [each.name for path in given if path and (each := hub_reference(path, root))] for name, given in paths.items()}
    return {name: list(dict.fromkeys(ids)) for name, ids in found.items() if ids}


def _listed(path: str | tuple[str, ...]) -> list[str | None]:
    return [path] if isinstance(path, str) else list(path)
