"""The model of an artifact as a whole folder: where a stage left adapters alone, they are merged into the model that they belong to.

That is done when somebody first asks for it, and kept in the cache: `<root>/cache/merged-<first 16 digits of the key>/model`.
"""

from pathlib import Path

from acclimate.data.caches import made_once, seal_cache
from acclimate.locks import SILENT, Patience
from acclimate.modeling.adapter_settings import is_adapter
from acclimate.study.store.artifacts import Store
from acclimate.study.store.entries import ADAPTER_OF
from acclimate.study.store.keys import SHORT
from acclimate.study.store.seal import sealed_record

FACTS = "merged.json"


def whole_model(store: Store, folder: Path, patience: Patience = SILENT) -> Path:
    """The folder of a model that can be loaded; `folder` is the one of an artifact of the store.

    Raises:
        StoreError: it is an adapter, and the model that it belongs to is gone.
    """
    store.fetch(folder.parent)
    if not is_adapter(folder):
        return folder
    record = sealed_record(folder.parent)
    key, before = record["key"], record[ADAPTER_OF]
    place = store.cache / f"merged-{key[:SHORT]}"

    def write(temporary: Path) -> None:
        from acclimate.modeling.adapters import merge_adapter
        from acclimate.modeling.folder import ModelFolder

        with store.using(before, patience) as parent:
            merged = merge_adapter(folder, ModelFolder(whole_model(store, parent / "model", patience)), temporary / "model")
        files = [file.relative_to(temporary).as_posix() for file in sorted(merged.path.rglob("*")) if file.is_file()]
        seal_cache(temporary, FACTS, {"key": key}, files)

    made_once(place, FACTS, lambda facts: facts.get("key") == key, write, patience)
    return place / "model"
