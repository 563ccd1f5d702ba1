"""Which documents were chosen where a study says `select`: `selected/NAME.parquet`, a row a document, without its text."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import pyarrow.parquet as pq

from acclimate.data.selection.chosen import KEY, Chosen
from acclimate.files import atomic_file, digest_json, word_of
from acclimate.owned import mark_made

FOLDER: Literal["selected"] = "selected"


def write_selected(keys: Mapping[str, str], chosen: Mapping[str, Chosen], out: Path, before: Path) -> None:
    """Columns: corpus, document (its number there, from 0), score, tokens; and `near` and `rank` where documents are near to a text.

    `keys` are those of all that decides what is chosen, by corpus. What is no longer in the store is taken from the results `before`.
    """
    written = {}
    for name, key in keys.items():
        file, earlier = out / FOLDER / f"{word_of(name)}.parquet", before / FOLDER / f"{word_of(name)}.parquet"
        if name in chosen:
            with atomic_file(file) as path:
                pq.write_table(chosen[name].without_texts(), path)
        elif _tells_of(earlier, key):
            file.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(earlier, file)
        else:
            continue
        written[name] = key
    if written:
        mark_made(out / FOLDER, FOLDER, digest_json([*written.values()]))


def _tells_of(file: Path, key: str) -> bool:
    return file.is_file() and (pq.read_schema(file).metadata or {}).get(KEY) == key.encode()
