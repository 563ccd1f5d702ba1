"""Where answers are written: jsonl or csv, as UTF-8 whatever the terminal's encoding, harmless to whoever opens or prints them."""

import csv
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from acclimate.errors import SettingsError
from acclimate.evaluation.answers import AnswerForm
from acclimate.files import atomic_file
from acclimate.inert import cell, inert


class Writer(Protocol):
    """Takes one answer after the other."""

    def write(self, place: dict[str, Any], answer: dict[str, Any], problem: str) -> None:
        """Write where a row stands, what was answered, and why nothing was."""


@contextmanager
def opened(out: Path | None, standard: BinaryIO) -> Iterator[BinaryIO]:
    """The stream that answers go to; a file appears when all is written.

    It is begun at once: that a folder cannot be written is known before anything is predicted.
    """
    if out is None:
        yield standard
        standard.flush()  # here, where a pipe that nobody reads is still noticed
        return
    with atomic_file(out) as path, path.open("wb") as stream:
        yield stream


def writer_of(stream: BinaryIO, out: Path | None, answers: AnswerForm, with_file: bool) -> Writer:
    """The writer for a file of this name; jsonl where there is none."""
    return CsvWriter(stream, answers, with_file) if out is not None and out.suffix == ".csv" else JsonlWriter(stream)


class JsonlWriter:
    """A JSON object a line; `problem` only where there is one."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, place: dict[str, Any], answer: dict[str, Any], problem: str) -> None:
        """Write one line."""
        line = json.dumps(place | answer | ({"problem": problem} if problem else {}), ensure_ascii=False)
        self._stream.write(f"{inert(line)}\n".encode())


class CsvWriter:
    """A table with a header; `problem` is its last column."""

    def __init__(self, stream: BinaryIO, answers: AnswerForm, with_file: bool) -> None:
        self._text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=True)
        self._answers = answers
        self._writer = csv.writer(self._text)
        self._row(["index", *(("file", "line") if with_file else ()), *answers.columns, "problem"])

    def write(self, place: dict[str, Any], answer: dict[str, Any], problem: str) -> None:
        """Write one row."""
        self._row([*place.values(), *self._answers.cells(answer), problem])

    def _row(self, cells: list[Any]) -> None:
        self._writer.writerow([cell(inert(each)) if isinstance(each, str) else each for each in cells])


def check_out(
    out: Path | None, model: Path, files: tuple[Path, ...], folder: Path | None, endings: tuple[str, ...] = (".jsonl", ".csv"),
    what: str = "predictions",
) -> None:  # fmt: skip
    """Refuse a file to write that has none of these endings, is read itself, or stands where it would be lost or read the next time.

    Raises:
        SettingsError: such a file.
    """
    if out is None:
        return
    if out.suffix not in endings:
        raise SettingsError(f"{out}: {what} are written as {' or '.join(endings)}")
    if out.is_dir():
        raise SettingsError(f"{out}: this is a folder; name a file in it")
    same = next((file for file in files if _same(out, file)), None)
    if same is not None:
        raise SettingsError(f"{out}: this is {same}, which is read; name another --out")
    if model.resolve() in out.resolve().parents:
        raise SettingsError(f"{out}: stands in the model's own folder, which is replaced when the model is made again; name another --out")
    if folder is not None and folder.resolve() in out.resolve().parents:
        raise SettingsError(f"{out}: stands in the folder that is read, and would be read itself the next time; name another --out")


def _same(one: Path, other: Path) -> bool:
    if one.resolve() == other.resolve():
        return True
    return one.exists() and other.exists() and one.samefile(other)
