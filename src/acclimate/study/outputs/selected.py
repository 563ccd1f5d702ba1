"""Which documents were chosen where a study says `select`: `selected/NAME.parquet`, a row a document, without its text."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import pyarrow.parquet as pq

from acclimate.data.selection.chosen import Chosen
from acclimate.files import atomic_file, digest_json, word_of
from acclimate.owned import mark_made

FOLDER: Literal["selected"] = "selected"


def write_selected(chosen: Mapping[str, Chosen], out: Path) -> None:
    """Columns: corpus, document (its number there, from 0), score, tokens; and `near` and `rank` where documents are near to a text."""
    for name, each in chosen.items():
        with atomic_file(out / FOLDER / f"{word_of(name)}.parquet") as path:
            pq.write_table(each.without_texts(), path)
    if chosen:
        mark_made(out / FOLDER, FOLDER, digest_json([each.key for each in chosen.values()]))
