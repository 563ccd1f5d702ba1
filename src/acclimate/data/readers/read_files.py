"""What the plan and the runs say of files: how many rows each gave, what lies beside them unread, what seems to be read twice."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from acclimate.data.readers.endings import format_of
from acclimate.data.readers.problems import FromPython

GIVEN = "given from Python"  # in the place of a file's name
MOST_LISTED = 200  # files listed one by one
_NAMED = 5
_MANY_REPEATED = 0.1  # of a split's rows: more are hardly by chance
_LEAST_REPEATED = 5


def if_empty(files: Sequence[Path]) -> str:
    """What to add where nothing was found, if there is nothing in the files."""
    if not files or any(isinstance(file, FromPython) or file.stat().st_size for file in files):
        return ""
    return f": {'the file is' if len(files) == 1 else 'the files are'} empty (0 bytes); was a download interrupted?"


def rows_by_file(files: Sequence[Path], rows: Mapping[Path, int]) -> dict[str, int]:
    """How many rows each file gave, unusable ones counted too; of very many files by the folder they lie in."""
    if any(isinstance(file, FromPython) for file in files):
        return {GIVEN: sum(rows.get(file, 0) for file in files)}
    counted = [file for file in files if file in rows]
    if len(counted) < len(files) and len(counted) == 1:  # the files of one dataset, read as one table
        return {f"{files[0].parent} ({len(files):,} files)": rows[counted[0]]}
    if len(files) <= MOST_LISTED:
        return {str(file): rows.get(file, 0) for file in files}
    folders: dict[Path, list[int]] = {}
    for file in files:
        folders.setdefault(file.parent, []).append(rows.get(file, 0))
    return {f"{folder} ({len(each):,} files)": sum(each) for folder, each in folders.items()}


def unread_facts(unread: Sequence[Path]) -> list[str]:
    """The names of what was not read, for the plan; of very many a few and their number."""
    names = [f"{path}/" if path.is_dir() else str(path) for path in unread[:MOST_LISTED]]
    return names + ([f"and {len(unread) - MOST_LISTED:,} more"] if len(unread) > MOST_LISTED else [])


def file_notes(what: str, rows: Mapping[str, int], unread: Sequence[Path]) -> Iterator[str]:
    """What to say of the files of a split or corpus, before anything is spent."""
    empty = [name for name, count in rows.items() if not count]
    if empty:
        yield f"{what}: {_some(empty)} {'holds' if len(empty) == 1 else 'hold'} no record"
    # Descriptions of data (README.md, LICENSE) are seen in the plan; what may be data is said aloud.
    data = [path.name for path in unread if format_of(path) is not None or path.is_dir() or not path.suffix]
    others = len(unread) - len(data)
    if data:
        more = f", nor {others:,} of unknown endings" if others else ""
        yield f"{what}: not read, though it lies in the folder: {_some(data)}{more}"
    elif others:
        yield f"{what}: {others:,} {'file' if others == 1 else 'files'} in the folder not read: {_some([path.name for path in unread])}"


def task_notes(
    files: Mapping[str, Mapping[str, int]],  # by split: rows of each file
    unread: Sequence[Path],
    examples: Mapping[str, int],  # by split, as they were read
    within: Mapping[str, int],  # by split: those that repeat an earlier text
    made: Sequence[str],
) -> Iterator[str]:
    """What to say of the files of a task, before anything is spent."""
    for split, its in files.items():
        if split not in made:
            yield from file_notes(split, its, unread if split == "train" else ())
    if made and unread:
        yield f"{' and '.join(reversed(made))} {'are' if len(made) > 1 else 'is'} taken out of train"
    yield from _repetitions(within, examples, files)


def _repetitions(within: Mapping[str, int], rows: Mapping[str, int], files: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    """Splits in which many texts stand twice, as they do where the same data is read twice."""
    for split, repeated in within.items():
        if repeated >= max(_LEAST_REPEATED, _MANY_REPEATED * rows[split]):
            by = f" ({_some([Path(name).name for name in files[split]])})" if len(files.get(split, ())) > 1 else ""
            yield f"{split}: {repeated:,} of {rows[split]:,} texts repeat an earlier one; is the same data read twice?{by}"


def _some(names: Sequence[str]) -> str:
    return ", ".join(Path(name).name for name in names[:_NAMED]) + (f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else "")
