"""Predictions as a table: `split, index, gold, predicted, probabilities`, a row per evaluated text."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from acclimate.files import atomic_file
from acclimate.tasks.task import Split


def write_predictions(path: Path, splits: Mapping[str, tuple[Split, NDArray[np.float64]]]) -> None:
    """Write gold and predicted class numbers and the probabilities [N, L] of each split; `index` is the row in the source file."""
    tables = [_table(name, split, np.asarray(probabilities_NL, dtype=np.float64)) for name, (split, probabilities_NL) in splits.items()]
    with atomic_file(path) as temporary:
        pq.write_table(pa.concat_tables(tables), temporary)


def read_predictions(path: Path) -> dict[str, dict[str, NDArray[Any]]]:
    """For each split its columns as arrays: index [N], gold [N], predicted [N], probabilities [N, L]."""
    table = pq.read_table(path)
    split = np.array(table["split"].to_pylist())
    probabilities_NL = pc.list_flatten(table["probabilities"]).to_numpy().reshape(table.num_rows, -1)
    return {
        str(name): {
            **{column: table[column].to_numpy()[split == name] for column in ("index", "gold", "predicted")},
            "probabilities": probabilities_NL[split == name],
        }
        for name in dict.fromkeys(split.tolist())
    }


def read_predicted(path: Path, split: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The class numbers of one split, gold [N] and predicted [N]; the probabilities, which are most of the file, are not read."""
    table = pq.read_table(path, columns=["gold", "predicted"], filters=[("split", "==", split)])
    return table["gold"].to_numpy(), table["predicted"].to_numpy()


def _table(name: str, split: Split, probabilities_NL: NDArray[np.float64]) -> pa.Table:
    count, classes = probabilities_NL.shape
    # Lists over the array as it is: as Python's floats, thousands of classes would take gigabytes.
    starts = np.arange(0, count * classes + 1, classes, dtype=np.int64)
    return pa.table(
        {
            "split": [name] * count,
            "index": split.index,
            "gold": split.labels,
            "predicted": probabilities_NL.argmax(axis=1),
            "probabilities": pa.LargeListArray.from_arrays(starts, probabilities_NL.ravel()).cast(pa.list_(pa.float64())),
        }
    )
