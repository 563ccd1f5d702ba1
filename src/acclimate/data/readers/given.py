"""Rows that come from Python: frames, datasets, lists, generators. They are read once, and written down as they would stand in jsonl.

From that file every process of a study reads them as often as it needs, by the same rules as any file. What JSON cannot hold (bytes, dates,
tensors) stands there as what it was, so that whoever reads such a column says so, and nobody else minds.
"""

import hashlib
import json
import math
import re
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from acclimate.data.readers.class_names import class_name
from acclimate.data.readers.endings import ROWS
from acclimate.data.readers.hub import class_names_in
from acclimate.data.readers.lines import too_long
from acclimate.data.readers.problems import FromPython, Problems, place
from acclimate.errors import DataError, DiskFullError
from acclimate.files import TEMPORARY_PREFIX, disk_errors

_NO_JSON = "not JSON, from Python"  # the only key of what stands for a value that JSON cannot hold
_MEDIA = frozenset(("Image", "Audio", "Video", "Pdf"))  # features of `datasets` that would be decoded, and hold neither text nor labels
_MISSING = frozenset(("NAType", "NaTType"))  # pandas' own
_LONGEST_INT = 10_000  # bits; Python reads no number of more than 4,300 digits
_PAIR = 'a pair of texts is wanted, ("...", "..."), or a mapping of both columns'
_SHOWN = 80  # characters of a value that JSON cannot hold
_NUMBERS = 8  # more numbers with fractions than these are an embedding, and would take more room than all the text
_LOOK = 10_000  # rows after which it is seen what room they take


def keep_rows(given: Any, name: str, folder: Path, bare: Sequence[str] = ()) -> Path:
    """Write rows down below `folder`, once, under their content; `name` is what messages call them, e.g. `train`.

    A pandas frame (its index is ignored), a dataset of `datasets`, or any iterable of mappings from columns to values. `bare` are the
    columns of which the values may stand alone in the place of a row, as unlabelled texts may, and pairs of them, each a tuple or list.

    Raises:
        DataError: they are no such rows, or there is none; names the row, from 1.
        DiskFullError: they take more than half of the room that is left, as those of a generator without an end do.
    """
    where = FromPython(name)
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f"{TEMPORARY_PREFIX}{uuid.uuid4().hex}-rows"
    digest = hashlib.sha256()
    try:
        with disk_errors(folder), temporary.open("wb") as file:
            size = count = 0
            for count, row in enumerate(_rows(given, where), start=1):
                line = _line(_row(_named(row, bare), where, count, bare), where, count)
                file.write(line)
                digest.update(line)
                size += len(line)
                if count % _LOOK == 0 and size > shutil.disk_usage(folder).free:
                    raise DiskFullError(
                        f"{name}: {count:,} rows so far, which take half of the room there was in {folder}; does this iterator end?"
                    )
        if not count:
            raise DataError(f"{name}: there is no row{_why_none(given)}")
        kept = folder / f"rows-{digest.hexdigest()[:32]}" / f"{name}{ROWS}"
        kept.parent.mkdir(exist_ok=True)
        # The same content under the same name: whoever reads the old file reads on.
        temporary.replace(kept)
        return kept
    finally:
        temporary.unlink(missing_ok=True)


def given_rows(kept: Path, name: Path, problems: Problems, longest: int) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """Each row that `keep_rows` wrote down with its number, from 1; None in place of one that is too long.

    Raises:
        DataError: the file is not there any more.
    """
    try:
        file = kept.open("rb")
    except OSError as error:
        raise DataError(f"{name}: the rows are no longer where they were written down ({kept}); run the same call again") from error
    with file:
        for number, line in enumerate(file, start=1):
            if len(line) > longest:
                problems.add("too long", name, number, too_long("the row", longest))
                yield number, None
            else:
                yield number, json.loads(line, object_hook=_restored)


def _rows(given: Any, where: FromPython) -> Iterator[Any]:
    """Whatever stands for a row, one after the other."""
    if isinstance(given, str | bytes | Path):
        raise DataError(f"{where}: rows are wanted, and {given!r} is a path: say it in the study, under `data:`")
    if hasattr(given, "itertuples") and hasattr(given, "columns"):  # a pandas frame
        names = list(map(str, given.columns))
        _refuse_twice(names, str(where))
        return (dict(zip(names, values, strict=True)) for values in given.itertuples(index=False, name=None))
    if hasattr(given, "with_format") and hasattr(given, "features"):  # a dataset of `datasets`
        return _of_dataset(given, where)
    if isinstance(given, Mapping) or not isinstance(given, Iterable):
        raise DataError(f"{where}: rows are wanted (a frame, a dataset, an iterable of mappings), not a {type(given).__name__}")
    return iter(given)


def _of_dataset(dataset: Any, where: FromPython) -> Iterator[Any]:
    features = dataset.features or {}  # a stream may not know them
    media = [column for column, feature in features.items() if type(feature).__name__ in _MEDIA]
    names = class_names_in(features)
    for number, row in enumerate((dataset.remove_columns(media) if media else dataset).with_format(None), start=1):
        for column, classes in names.items():
            row[column] = class_name(row[column], classes, place(where, number), "the dataset")
        yield row


def _named(row: Any, bare: Sequence[str]) -> Any:
    """A row that has no names by those of its columns, where it may stand so; else as it is."""
    if len(bare) == 1 and not isinstance(row, Mapping):
        return {bare[0]: row}
    return dict(zip(bare, row, strict=True)) if bare and isinstance(row, list | tuple) and len(row) == len(bare) else row


def _row(row: Any, where: FromPython, number: int, bare: Sequence[str]) -> dict[str, Any]:
    """A row as JSON has it."""
    if not isinstance(row, Mapping):
        several = hasattr(row, "itertuples") or hasattr(row, "with_format")
        wanted = 'a mapping such as {"text": ..., "label": ...} is wanted'
        wanted += '; splits are given by name, {"train": ..., "test": ...}' if several else ""
        raise DataError(f"{place(where, number)}: is a {type(row).__name__}, and {_PAIR if len(bare) > 1 else wanted}")
    odd = next((name for name in row if not isinstance(name, str | int | np.integer)), "")
    if odd != "":
        raise DataError(f"{place(where, number)}: {odd!r} is no name of a column; a string is wanted")
    try:
        plain = {str(name): _plain(value) for name, value in row.items()}
    except RecursionError:
        raise DataError(f"{place(where, number)}: is nested too deeply") from None
    if len(plain) < len(row):
        _refuse_twice(list(map(str, row)), place(where, number))
    return plain


def _line(row: dict[str, Any], where: FromPython, number: int) -> bytes:
    try:
        return f"{json.dumps(row, ensure_ascii=False)}\n".encode()
    except UnicodeEncodeError:  # half of a surrogate pair, of which the reader knows what to say
        return f"{json.dumps(row)}\n".encode()
    except RecursionError:
        raise DataError(f"{place(where, number)}: is nested too deeply") from None


def _plain(value: Any) -> Any:
    """A value as JSON has it, a missing one as None; what JSON cannot hold as a mapping that says what it was."""
    if value is None or isinstance(value, bool | np.bool_):
        return None if value is None else bool(value)
    if isinstance(value, str):
        return str.__str__(value)  # of a class of its own (an enumeration's, numpy's) the text
    if isinstance(value, int | np.integer):
        return int(value) if int(value).bit_length() <= _LONGEST_INT else _no_json(value)
    if isinstance(value, float | np.floating):
        return None if math.isnan(value) else float(value)
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufUO":
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        embedding = len(value) > _NUMBERS and all(isinstance(each, float | np.floating) for each in islice(value, _NUMBERS))
        return _no_json(value) if embedding else [_plain(each) for each in value]
    if isinstance(value, set | frozenset):
        return [_plain(each) for each in sorted(value, key=str)]
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    return None if type(value).__name__ in _MISSING else _no_json(value)


def _no_json(value: Any) -> dict[str, Any]:
    try:
        shown = repr(value[:_SHOWN] if isinstance(value, bytes | list | tuple) else value)
    except Exception:  # of somebody's class, or of a number of more digits than Python writes
        shown = f"<{type(value).__name__}>"
    shown = re.sub(r" at 0x[0-9a-fA-F]+", "", shown)  # an object lies elsewhere each time, and is the same
    return {_NO_JSON: [type(value).__name__, shown if len(shown) <= _SHOWN else f"{shown[: _SHOWN - 1]}…"]}


def _restored(found: dict[str, Any]) -> Any:
    match found.get(_NO_JSON):
        case [str(kind), str(shown)] if len(found) == 1:
            return _stand_in(kind)(shown)
    return found


class _StandIn:
    """Stands for a value that JSON cannot hold: a class of the same name whose repr is that of the value, for messages."""

    def __init__(self, shown: str) -> None:
        self._shown = shown

    def __repr__(self) -> str:
        return self._shown


@cache
def _stand_in(kind: str) -> type[_StandIn]:
    return type(kind, (_StandIn,), {})


def _refuse_twice(names: list[str], where: str) -> None:
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"{where}: two columns are called {twice!r}; rename or drop one")


def _why_none(given: Any) -> str:
    return "; was this iterator used up before? It can be read once" if isinstance(given, Iterator) else ""
