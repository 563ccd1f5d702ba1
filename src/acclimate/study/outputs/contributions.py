"""What every test item contributes to the score of every run, from which any two recipes of a study can be compared later."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from acclimate.files import atomic_file
from acclimate.tasks.grouping import numbered
from acclimate.tasks.split import Split

NAME = "contributions.parquet"
SCHEMA = pa.schema(
    [
        ("recipe", pa.string()),
        ("seed", pa.int64()),
        ("labels", pa.string()),
        ("index", pa.int64()),  # the item's row in its file, as in predictions.parquet
        ("group", pa.int64()),  # of the items that belong together, numbered; null where every item stands by itself
        ("contribution", pa.float64()),  # their mean over the items of a run is its score
    ]
)
Write = Callable[[str, int, str, NDArray[np.float64]], None]


@contextmanager
def written_contributions(out: Path, test: Split) -> Iterator[Write]:
    """Yield what writes the contributions [N] of a run (recipe, seed, label budget) into `contributions.parquet`."""
    count = len(test)
    groups = pa.nulls(count, pa.int64()) if test.groups is None else pa.array(numbered(test.groups), pa.int64())
    with atomic_file(out / NAME) as path, pq.ParquetWriter(path, SCHEMA, compression="zstd") as writer:

        def write(recipe: str, seed: int, labels: str, each: NDArray[np.float64]) -> None:
            columns = [pa.array([recipe] * count), pa.array([seed] * count), pa.array([labels] * count), pa.array(test.index), groups]
            writer.write_table(pa.table([*columns, pa.array(each)], schema=SCHEMA))

        yield write
