"""`acclimate encode`: the vectors of all texts of a file, in order, in memory that does not grow with it."""

import hashlib
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acclimate.data.corpus import CorpusSettings
from acclimate.data.readers.every_text import Asked, RowTexts, every_text
from acclimate.data.readers.problems import Problems
from acclimate.data.readers.records import Source
from acclimate.errors import DataError, Interrupted
from acclimate.evaluation.asked_rows import CHUNK_TEXTS, NAMED, chunks_of, notes_of, texts_of_files, without_text
from acclimate.evaluation.encoder import Encoder, Encoding
from acclimate.evaluation.plain_encoder import PlainEncoder, PlainEncoding
from acclimate.evaluation.vector_file import VectorFile
from acclimate.evaluation.writing import check_out
from acclimate.files import atomic_file, digest_json
from acclimate.modeling.embedding_form import Side
from acclimate.training.interrupt import StopRequest, stop_on_signals
from acclimate.training.progress import Reporter

ENDINGS = (".npy", ".parquet")


@dataclass(frozen=True)
class Looked:
    """What a first reading of the rows found."""

    rows: int
    texts: int
    digest: str
    """Of all texts in their order, and where there is none."""
    bad: Counter[str]
    named: tuple[str, ...]


def encode_file(
    encoding: Encoding | PlainEncoding, asked: CorpusSettings, out: Path, reporter: Reporter, side: Side | None = None,
    split: str | None = None, strict: bool = False, batch: int = CHUNK_TEXTS,
) -> Looked:  # fmt: skip
    """Write the vector of every row of the input, in order: an array [N, D] of float32 (.npy), or a table (.parquet).

    The table has `index`, from 0, `vector`, and where there are several files `file` and `line`. A row without a text that could be read
    has a vector of NaN, in the table none and a `problem`; all of them are counted at the end. With `strict` the first look at them is an
    error; with `asked.skip_bad` they are left out, and in the table `index` counts on. `batch` texts are sorted by length and written at a
    time. The same call goes on where it was stopped or killed, and gives the same bytes.

    Raises:
        SettingsError: `out` is neither .npy nor .parquet, or would overwrite what is read or the model.
        DataError: the files cannot be read, or it is not clear which split or column is meant.
        ModelError: the model cannot be read, or its vectors are not finite.
        StoreError: another process writes the same file.
        Interrupted: a stop was asked for; what is done is kept.
    """
    source, wanted = texts_of_files(asked, split)
    for note in (*notes_of(str(asked.path), source, wanted.columns), *encoding.told()):
        reporter.say(note)
    folder = Path(str(asked.path)).expanduser()
    check_out(out, encoding.folder, source.files, folder if folder.is_dir() else None, ENDINGS, "vectors")
    looked = _look_through(source, wanted, strict)
    kept = looked.texts if asked.skip_bad else looked.rows
    key = digest_json({"how": encoding.key(side), "texts": looked.digest, "batch": batch, "skip": bool(asked.skip_bad)})
    stop = StopRequest()
    with stop_on_signals(stop), VectorFile.begun(out, key, (kept, encoding.dimensions)) as file:
        work = _Work(encoding.load(), file, side, bool(asked.skip_bad), reporter, stop)
        work.run(every_text(source, wanted), looked.rows, batch)
        if out.suffix == ".npy":
            file.become(out)
        else:
            several = len(source.files) > 1 and source.format != "hf"
            _write_table(out, file, every_text(source, wanted), several, bool(asked.skip_bad), batch)
        file.remove()
    for line in _counts(work.encoder):
        reporter.say(line)
    if looked.bad:
        done = "left out" if asked.skip_bad else f"marked with {'NaN' if out.suffix == '.npy' else 'a `problem`'} in the place of a vector"
        reporter.say(without_text(looked.bad, looked.rows, list(looked.named), done))
    reporter.say(f"{out}: {kept:,} vectors of {encoding.dimensions} dimensions")
    return looked


@dataclass
class _Work:
    """The rows that are left to encode."""

    encoder: Encoder | PlainEncoder
    file: VectorFile
    side: Side | None
    skip: bool
    reporter: Reporter
    stop: StopRequest

    def run(self, rows: Iterator[RowTexts], every: int, batch: int) -> None:
        """Encode what is left of the `every` rows."""
        first = self.file.rows
        self.encoder.count_from(self.file.state)
        self.reporter.start("encode", every, first)
        began, before = time.monotonic(), self.encoder.unread.units
        for chunk in chunks_of(islice(rows, first, None), batch):
            vectors = self._vectors(chunk)
            self.file.add(vectors, len(chunk), self.encoder.counts)
            speed = (self.encoder.unread.units - before) / max(time.monotonic() - began, 1e-9)
            self.reporter.step(self.file.rows, speed, None)
        self.reporter.close()

    def _vectors(self, chunk: list[RowTexts]) -> NDArray[np.float32]:
        texts = [row.texts[0] for row in chunk if row.texts is not None]
        found = self.encoder.encode(texts, self.side, self._told) if texts else np.zeros((0, self.encoder.dimensions), np.float32)
        if self.skip or len(texts) == len(chunk):
            return found
        vectors = np.full((len(chunk), self.encoder.dimensions), np.nan, np.float32)
        vectors[[row.texts is not None for row in chunk]] = found
        return vectors

    def _told(self, done: int, every: int) -> None:
        if self.stop.asked:
            self.reporter.close()
            raise Interrupted(f"stopped after {self.file.rows:,} rows; their vectors are kept: the same command goes on")


def _look_through(source: Source, wanted: Asked, strict: bool) -> Looked:
    """Read everything once: what is wrong with a file is known before anything is encoded, and how much there is."""
    digest, bad, named = hashlib.blake2b(digest_size=32), Counter[str](), list[str]()
    rows = 0
    with Problems() as problems:
        for row in every_text(source, wanted):
            rows += 1
            if row.texts is not None:
                text = row.texts[0].encode()
                digest.update(b"%d " % len(text))
                digest.update(text)
                continue
            digest.update(b"none ")
            bad[row.kind] += 1
            named += [row.problem] if len(named) < NAMED else []
            if strict:
                problems.add(row.kind, row.file, row.line, row.message)
    if rows == sum(bad.values()):
        raise DataError(f"{source.files[0]}: there is no text to encode{f' ({named[0]})' if named else ''}")
    return Looked(rows, rows - sum(bad.values()), digest.hexdigest(), bad, tuple(named))


def _counts(encoder: Encoder | PlainEncoder) -> Iterator[str]:
    if told := encoder.unread.told():
        yield told
    if encoder.unknown:
        units = max(encoder.unread.units, encoder.unknown)
        share = 100 * encoder.unknown / units
        yield f"{encoder.unknown:,} of {units:,} {encoder.unread.unit} are unknown to this vocabulary ({share:.1f} %)"
    if encoder.empty:
        texts = encoder.unread.texts
        yield f"{encoder.empty:,} of {texts:,} texts have no word that the model knows: their vectors are nothing but zeros"


def _write_table(out: Path, file: VectorFile, rows: Iterator[RowTexts], several: bool, skip: bool, batch: int) -> None:
    """A row group for each part of the rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    where = [("file", pa.string()), ("line", pa.int64())] if several else []
    schema = pa.schema([("index", pa.int64()), *where, ("vector", pa.list_(pa.float32())), ("problem", pa.string())])
    begin = 0
    # Numbers of vectors do not repeat: a dictionary and compression would take time and save nothing.
    with atomic_file(out) as temporary, pq.ParquetWriter(temporary, schema, compression="none", use_dictionary=False) as writer:
        for chunk in chunks_of(rows, batch):
            kept = [row for row in chunk if row.texts is not None] if skip else chunk
            missing = np.array([row.texts is None for row in kept], dtype=bool)
            own = file.part(begin, begin + len(kept))
            # Not lists of a fixed size: of those pyarrow up to 25 cannot read back a missing one.
            ends = np.concatenate([[0], np.cumsum(~missing)]) * own.shape[1]
            begin += len(kept)
            columns: dict[str, Any] = {
                "index": pa.array([row.row for row in kept], pa.int64()),
                "file": [str(row.file) for row in kept],
                "line": [row.line for row in kept],
                "vector": pa.ListArray.from_arrays(pa.array(ends, pa.int32()), pa.array(own[~missing].ravel()), mask=pa.array(missing)),
                "problem": pa.array([row.problem if row.texts is None else None for row in kept], pa.string()),
            }
            writer.write_table(pa.table([columns[name] for name in schema.names], schema=schema))
