"""Collects what is wrong with input files, so that a user sees all kinds of mistakes at once and not one a run."""

import json
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path, PosixPath
from types import TracebackType
from typing import Self, TextIO

from acclimate.errors import DataError
from acclimate.files import atomic_file

SHOWN_OF_EACH_KIND = 5
# Where these stand, leaving records out would be the wrong mend: the whole file is read in the wrong way.
_READ_WRONGLY = frozenset({"bad UTF-8", "bad encoding", "swallowed rows", "quotes"})
_MANY = 0.1  # of a file's rows: so many are hardly bad by accident, and what is left may lack a class


class FromPython(PosixPath):
    """In the place of a file's name what to call rows that come from Python, e.g. `train`: there is no file that a user would know."""


def place(file: Path | str, line: int | None) -> str:
    """Where something stands, e.g. `train.csv:118`, or `train row 118` of rows from Python; lines and table rows are counted from 1."""
    if line is None:
        return str(file)
    return f"{file} row {line}" if isinstance(file, FromPython) else f"{file}:{line}"


@dataclass
class _Kind:
    count: int = 0
    shown: list[str] = field(default_factory=list)


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
        self.rows: dict[Path, int] = {}  # of each file that was read to its end, unusable rows counted too
        self._bad: dict[Path, int] = {}  # records of each file that cannot be used
        self._records: dict[str, _Kind] = {}
        self._files: dict[str, _Kind] = {}
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
        its = file if isinstance(file, Path) else Path(file)
        self._bad[its] = self._bad.get(its, 0) + 1
        self._note(self._records, kind, f"{place(file, line)}: {message}", hint, at_once=self._at_once and not self.skip_bad)

    def fatal(self, kind: str, file: Path | str, line: int | None, message: str, hint: Callable[[], str] | None = None) -> None:
        """Note a mistake that skipping records cannot mend, such as a missing column; `hint` as in `add`."""
        self._note(self._files, kind, f"{place(file, line)}: {message}", hint, at_once=self._at_once)

    @property
    def counts(self) -> dict[str, int]:
        """How many problems of each kind were met."""
        return {name: sum(kind.count for kind in kinds) for name, kinds in _by_name(self._records, self._files).items()}

    @property
    def rejected(self) -> int:
        """How many records were skipped (0 unless `skip_bad`)."""
        return sum(kind.count for kind in self._records.values()) if self.skip_bad else 0

    @property
    def rejects_file(self) -> Path | None:
        """The file that holds the rejects; None when nothing was written."""
        return self.rejects if self._writer is not None else None

    @property
    def told(self) -> bool:
        """Whether something will be raised when the block ends."""
        return bool(self._files) or (bool(self._records) and not self.skip_bad)

    def raise_if_any(self) -> None:
        """Raise what was collected so far and may not be skipped; nothing happens when there is nothing."""
        records = {} if self.skip_bad else self._records
        if not records and not self._files:
            return
        lines = []
        for name, kinds in _by_name(records, self._files).items():
            count, shown = sum(kind.count for kind in kinds), [message for kind in kinds for message in kind.shown]
            lines.append(f"{name} ({count:,}):")
            lines += [f"  {message}" for message in shown]
            if count > len(shown):
                lines.append(f"  ... and {count - len(shown):,} more")
        if not self._files and not _READ_WRONGLY & records.keys():
            lines.append(self._mend())
        raise DataError("\n".join(lines))

    def _mend(self) -> str:
        """The last line of a message about records: what skipping them would do, or that it would leave nothing."""
        things = "rows" if all(isinstance(file, FromPython) for file in self._bad) else "files"
        done = "to skip, count and keep such records in a file" if self.rejects else "to skip and count such records"
        share = {file: count / self.rows[file] for file, count in self._bad.items() if self.rows.get(file)}
        most = max(share, key=lambda file: share[file], default=None)
        if most is None or share[most] <= _MANY:
            return f"Mend the {things}, or set `skip_bad: true` {done}."
        if share[most] >= 1:
            return f"Mend the {things}: no record of {most} can be used."
        lost = f"{self._bad[most]:,} of the {self.rows[most]:,} records of {most}, and with them perhaps a class"
        return f"Mend the {things}, or set `skip_bad: true` {done}; that leaves out {lost}."

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        # The exit stack drops a half-written rejects file when reading itself failed.
        if self._writer is not None:
            self._writer.close()
        self._stack.__exit__(kind, error, trace)
        if error is None:
            self.raise_if_any()

    def _note(self, kinds: dict[str, _Kind], name: str, message: str, hint: Callable[[], str] | None, at_once: bool) -> None:
        if at_once:
            raise DataError(f"{message}{hint() if hint else ''}")
        kind = kinds.setdefault(name, _Kind())
        kind.count += 1
        if len(kind.shown) < SHOWN_OF_EACH_KIND:
            kind.shown.append(f"{message}{hint() if hint else ''}")

    def _write(self, reject: dict[str, object]) -> None:
        if self.rejects is None:
            return
        if self._writer is None:
            temporary = self._stack.enter_context(atomic_file(self.rejects))
            self._writer = temporary.open("w", encoding="utf-8")
        # ASCII escapes: a reject may hold bytes that are no UTF-8 (kept as lone surrogates).
        self._writer.write(json.dumps(reject, default=str) + "\n")


def _by_name(*accounts: dict[str, _Kind]) -> dict[str, list[_Kind]]:
    """The accounts of records and of whole files side by side: a missing column may be either, by the format of a split."""
    names = dict.fromkeys(name for account in accounts for name in account)
    return {name: [account[name] for account in accounts if name in account] for name in names}
