"""Predictions as a table, a row per evaluated item: `split, index, gold`, and the answers (`predicted, probabilities`)."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from acclimate.data.ragged import Ragged
from acclimate.files import atomic_file, read_table
from acclimate.tasks.split import Answers, Column, Split

ABOUT = ("split", "index", "gold")  # the columns that are no answers
RAGGED = {b"acclimate": b"ragged"}  # said of a column of rows of different lengths: those of one length are a matrix


def write_predictions(path: Path, splits: Mapping[str, tuple[Split, Answers]]) -> None:
    """Write gold and answers of each split; `index` is the row in the source file."""
    tables = [_table(name, split, answers) for name, (split, answers) in splits.items()]
    with atomic_file(path) as temporary:
        pq.write_table(pa.concat_tables(tables), temporary)


def read_predictions(path: Path) -> dict[str, dict[str, Column]]:
    """For each split its columns: index, gold, and the answers."""
    table = read_table(path)
    return {name: _columns(table, name, table.column_names) for name in dict.fromkeys(table["split"].to_pylist())}


def read_answers(path: Path, split: str, columns: Iterable[str]) -> dict[str, Column]:
    """Some columns of one split; the others, which may be most of the file, are not read."""
    wanted = list(columns)
    return _columns(read_table(path, columns=wanted, filters=[("split", "==", split)]), None, wanted)


class StoredAnswers(Mapping[str, Column]):
    """The answers to one split, each column read when it is asked for and not kept: of thousands of classes they are gigabytes."""

    def __init__(self, path: Path, split: str) -> None:
        self._path, self._split = path, split
        self._names = [name for name in pq.read_schema(path).names if name not in ABOUT]

    def __getitem__(self, name: str) -> Column:
        if name not in self._names:
            raise KeyError(name)
        return read_answers(self._path, self._split, (name,))[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def to_arrow(column: Column) -> pa.Array:
    """A column of items as arrow keeps it: numbers, texts, or lists."""
    if isinstance(column, tuple):
        return pa.array(column, pa.string())
    if isinstance(column, Ragged) and column.values.ndim == 2:
        vectors = to_arrow(column.values)  # of each row a list of vectors
        return pa.LargeListArray.from_arrays(column.offsets, vectors).cast(pa.list_(vectors.type))
    if isinstance(column, Ragged):
        return pa.LargeListArray.from_arrays(column.offsets, column.values).cast(pa.list_(pa.array(column.values[:0]).type))
    if column.ndim == 1:
        return pa.array(column)
    count, width = column.shape
    # Lists over the array as it is: as Python's floats, thousands of classes would take gigabytes.
    starts = np.arange(0, count * width + 1, width, dtype=np.int64) if width else np.zeros(count + 1, dtype=np.int64)
    values = pa.array(column.ravel())
    return pa.LargeListArray.from_arrays(starts, values).cast(pa.list_(values.type))


def from_arrow(column: pa.ChunkedArray, field: pa.Field) -> Column:
    """The column that `to_arrow` was given."""
    if pa.types.is_string(field.type):
        return tuple(column.to_pylist())
    if not pa.types.is_list(field.type):
        return np.asarray(column.to_numpy())
    whole = column.combine_chunks()
    whole = whole.chunk(0) if isinstance(whole, pa.ChunkedArray) else whole
    values, offsets = whole.flatten().to_numpy(zero_copy_only=False), whole.offsets.to_numpy().astype(np.int64)
    if field.metadata == RAGGED:
        if pa.types.is_list(field.type.value_type):
            count = int(offsets[-1] - offsets[0])
            values = whole.flatten().flatten().to_numpy(zero_copy_only=False).reshape(count, -1)
        return Ragged(values, offsets - offsets[0])
    return np.asarray(values.reshape(len(whole), -1)) if len(whole) else np.zeros((0, 0))


def _table(name: str, split: Split, answers: Answers) -> pa.Table:
    columns: dict[str, Column] = {"index": split.index, "gold": split.gold, **answers}
    fields = [pa.field("split", pa.string())]
    arrays: list[Any] = [pa.array([name] * len(split), pa.string())]
    for each, column in columns.items():
        arrays.append(to_arrow(column))
        fields.append(pa.field(each, arrays[-1].type, metadata=RAGGED if isinstance(column, Ragged) else None))
    return pa.table(arrays, schema=pa.schema(fields))


def _columns(table: pa.Table, split: str | None, names: Iterable[str]) -> dict[str, Column]:
    rows: NDArray[np.int64] | None = None
    if split is not None:
        rows = np.flatnonzero(np.array(table["split"].to_pylist()) == split)
        table = table.take(rows)
    return {name: from_arrow(table[name], table.schema.field(name)) for name in names if name != "split"}
