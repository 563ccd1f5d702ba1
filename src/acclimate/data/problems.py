"""Collects what is wrong with input files, so that a user sees all kinds of mistakes at once and not one a run."""

import json
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from acclimate.errors import DataError
from acclimate.files import atomic_file

SHOWN_OF_EACH_KIND = 5


def place(file: Path | str, line: int | None) -> str:
    """Where something stands, e.g. `train.csv:118`; lines and table rows are counted from 1."""
    return f"{file}:{line}" if line is not None else str(file)


@dataclass
class _Kind:
    count: int = 0
    shown: list[str] = field(default_factory=list)
    skippable: bool = True


class Problems:
    """A `with` block around reading; leaving it raises one DataError with the first five problems of each kind and their counts.

    With `skip_bad` a bad record is counted and written to `rejects` (jsonl: file, line, problem, message, record) instead;
    `fatal` problems, which concern a whole file or task, are raised all the same. With `at_once` the first problem is raised where it
    is met, for re-reading files that were checked before.

    Raises:
        DataError: when the block ends and there are problems that may not be skipped.
    """

    def __init__(self, skip_bad: bool = False, rejects: Path | None = None, at_once: bool = False) -> None:
        self.skip_bad = skip_bad
        self.rejects = rejects
        self._at_once = at_once
        self._kinds: dict[str, _Kind] = {}
        self._stack = ExitStack()
        self._writer: TextIO | None = None

    def add(
        self, kind: str, file: Path | str, line: int | None, message: str, record: object = None, hint: Callable[[], str] | None = None
    ) -> None:
        """Note a record that cannot be used; `record` is its raw content for the rejects file.

        `hint` gives what stands after the message where it is shown: what was meant is looked for there only, not for every row.
        """
        if self.skip_bad:
            self._write({"file": str(file), "line": line, "problem": kind, "message": message, "record": record})
        self._note(kind, file, line, message, hint, skippable=True)

    def fatal(self, kind: str, file: Path | str, line: int | None, message: str, hint: Callable[[], str] | None = None) -> None:
        """Note a mistake that skipping records cannot mend, such as a missing column; `hint` as in `add`."""
        self._note(kind, file, line, message, hint, skippable=False)

    @property
    def counts(self) -> dict[str, int]:
        """How many problems of each kind were met."""
        return {name: kind.count for name, kind in self._kinds.items()}

    @property
    def rejected(self) -> int:
        """How many records were skipped (0 unless `skip_bad`)."""
        return sum(kind.count for kind in self._kinds.values() if kind.skippable) if self.skip_bad else 0

    @property
    def rejects_file(self) -> Path | None:
        """The file that holds the rejects; None when nothing was written."""
        return self.rejects if self._writer is not None else None

    def raise_if_any(self) -> None:
        """Raise what was collected so far and may not be skipped; nothing happens when there is nothing."""
        standing = {name: kind for name, kind in self._kinds.items() if not (kind.skippable and self.skip_bad)}
        if not standing:
            return
        lines = []
        for name, kind in standing.items():
            lines.append(f"{name} ({kind.count:,}):")
            lines += [f"  {message}" for message in kind.shown]
            if kind.count > len(kind.shown):
                lines.append(f"  ... and {kind.count - len(kind.shown):,} more")
        if all(kind.skippable for kind in standing.values()):
            lines.append("Mend the files, or set `skip_bad: true` to skip, count and keep such records in a file.")
        raise DataError("\n".join(lines))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        # The exit stack drops a half-written rejects file when reading itself failed.
        if self._writer is not None:
            self._writer.close()
        self._stack.__exit__(kind, error, trace)
        if error is None:
            self.raise_if_any()

    def _note(self, name: str, file: Path | str, line: int | None, message: str, hint: Callable[[], str] | None, skippable: bool) -> None:
        if self._at_once and not (skippable and self.skip_bad):
            raise DataError(f"{place(file, line)}: {message}{hint() if hint else ''}")
        kind = self._kinds.setdefault(name, _Kind(skippable=skippable))
        assert kind.skippable == skippable, f"{name!r} is used both for records and for whole files"
        kind.count += 1
        if len(kind.shown) < SHOWN_OF_EACH_KIND:
            kind.shown.append(f"{place(file, line)}: {message}{hint() if hint else ''}")

    def _write(self, reject: dict[str, object]) -> None:
        if self.rejects is None:
            return
        if self._writer is None:
            temporary = self._stack.enter_context(atomic_file(self.rejects))
            self._writer = temporary.open("w", encoding="utf-8")
        # ASCII escapes: a reject may hold bytes that are no UTF-8 (kept as lone surrogates).
        self._writer.write(json.dumps(reject, default=str) + "\n")
