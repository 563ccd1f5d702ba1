"""Rows of parquet files, streamed; pyarrow is imported only when one is opened."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from acclimate.data.compressed import open_bytes
from acclimate.data.endings import compression_of
from acclimate.errors import DataError


def parquet_columns(file: Path) -> tuple[str, ...]:
    """The column names of the schema."""
    with _parquet(file) as table:
        return tuple(str(name) for name in table.schema_arrow.names)


def parquet_rows(file: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each row, from 1, with these columns."""
    import pyarrow

    with _parquet(file) as table:
        number = 0
        try:
            for batch in table.iter_batches(columns=list(columns), batch_size=1_000):
                for values in batch.to_pylist():
                    number += 1
                    yield number, values
        except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
            raise DataError(f"{file}:{number + 1}: damaged parquet near this row ({error})") from error


@contextmanager
def _parquet(file: Path) -> Iterator[Any]:
    import pyarrow
    import pyarrow.parquet

    # Parquet is read from its end, so a compressed one is unpacked beside first.
    with open_bytes(file, "parquet") as content, tempfile.TemporaryFile() as unpacked:
        seekable = content
        if compression_of(file):
            shutil.copyfileobj(content, unpacked)
            unpacked.seek(0)
            seekable = unpacked
        try:
            table = pyarrow.parquet.ParquetFile(seekable)
        except (pyarrow.ArrowException, OSError) as error:
            raise DataError(f"{file}: cannot be read as parquet ({error})") from error
        yield table
