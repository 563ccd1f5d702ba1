"""Predictions as a table: `split, index, gold, predicted, probabilities`, a row per evaluated text."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from acclimate.data.task import Split
from acclimate.files import atomic_file


def write_predictions(path: Path, splits: Mapping[str, tuple[Split, NDArray[np.float64]]]) -> None:
    """Write gold and predicted class numbers and the probabilities [N, L] of each split; `index` is the row in the source file."""
    columns: dict[str, list[Any]] = {"split": [], "index": [], "gold": [], "predicted": [], "probabilities": []}
    for name, (split, probabilities_NL) in splits.items():
        columns["split"] += [name] * len(split.texts)
        columns["index"] += split.index.tolist()
        columns["gold"] += split.labels.tolist()
        columns["predicted"] += probabilities_NL.argmax(axis=1).tolist()
        columns["probabilities"] += probabilities_NL.tolist()
    with atomic_file(path) as temporary:
        pq.write_table(pa.table(columns), temporary)


def read_predictions(path: Path) -> dict[str, dict[str, NDArray[Any]]]:
    """For each split its columns as arrays: index [N], gold [N], predicted [N], probabilities [N, L]."""
    table = pq.read_table(path)
    split = np.array(table["split"].to_pylist())
    return {
        str(name): {
            "index": table["index"].to_numpy()[split == name],
            "gold": table["gold"].to_numpy()[split == name],
            "predicted": table["predicted"].to_numpy()[split == name],
            "probabilities": np.array(table["probabilities"].to_pylist(), dtype=np.float64)[split == name],
        }
        for name in dict.fromkeys(split.tolist())
    }
