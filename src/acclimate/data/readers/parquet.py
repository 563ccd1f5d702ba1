"""Rows of parquet files, streamed; pyarrow is imported only when one is opened."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO

from acclimate.data.readers.class_names import class_name, names_in_schema
from acclimate.data.readers.compressed import open_bytes
from acclimate.data.readers.endings import compression_of
from acclimate.errors import DataError, first_line


def parquet_columns(file: Path) -> tuple[str, ...]:
    """The column names of the schema."""
    with _parquet(file) as table:
        return tuple(str(name) for name in table.schema_arrow.names)


def parquet_rows(file: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each row, from 1, with these columns; class numbers that `datasets` has written become class names, -1 (no label) None."""
    with _parquet(file) as table:
        named = {column: names for column, names in names_in_schema(table.schema_arrow.metadata).items() if column in columns}
        batches = table.iter_batches(columns=list(columns), batch_size=1_000)
        number = 0
        while True:
            try:
                batch = next(batches, None)
                rows = [] if batch is None else batch.to_pylist()
            except Exception as error:  # damaged bytes end in errors of many kinds
                raise DataError(f"{file}:{number + 1}: damaged parquet near this row ({first_line(error)})") from error
            if batch is None:
                return
            for values in rows:
                number += 1
                for column, names in named.items():
                    values[column] = class_name(values[column], names, f"{file}:{number}")
                yield number, values


@contextmanager
def _parquet(file: Path) -> Iterator[Any]:
    import pyarrow.parquet

    # Parquet is read from its end, so a compressed one is unpacked beside first.
    with open_bytes(file, "parquet") as content, tempfile.TemporaryFile() as unpacked:
        seekable = content
        if compression_of(file):
            _unpack(content, unpacked)
            seekable = unpacked
        try:
            table = pyarrow.parquet.ParquetFile(seekable)
            table.schema_arrow  # noqa: B018 (of damaged files it may be what cannot be read)
        except Exception as error:  # damaged bytes end in errors of many kinds
            raise DataError(f"{file}: cannot be read as parquet ({first_line(error)}); was a download interrupted?") from error
        yield table


def _unpack(content: BinaryIO, unpacked: IO[bytes]) -> None:
    for piece in iter(lambda: content.read(1 << 20), b""):
        try:
            unpacked.write(piece)
        except OSError as error:
            raise DataError(f"{tempfile.gettempdir()}: no room to unpack a parquet file ({error.strerror or error})") from error
    unpacked.seek(0)
