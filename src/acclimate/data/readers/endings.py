"""What the name of a file or folder says: its format and its compression."""

from pathlib import Path

from acclimate.data.readers.reading import SourceFormat

FORMATS: dict[str, SourceFormat] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
    ".txt": "txt",
    ".conll": "conll",
    ".conllu": "conll",
    ".iob": "conll",
    ".iob2": "conll",
    ".bio": "conll",
    ".col": "conll",
}
SENTENCES: tuple[SourceFormat | None, ...] = ("txt", "tsv", None)  # what names of files may say that hold sentences in columns
ROWS = ".acclimate-rows"  # of the file in which rows from Python are kept while a study runs; nobody writes one by hand
COMPRESSIONS = {".gz": "gzip", ".zst": "zstandard", ".bz2": "bzip2", ".xz": "xz"}  # by ending; `compressed.py` unpacks them


def compression_of(path: Path) -> str | None:
    """The compression a name stands for; None when it says none."""
    return COMPRESSIONS.get(path.suffix.lower())


def format_of(path: Path) -> SourceFormat | None:
    """The format a name stands for, with any compression left out; None when the ending is not one of ours."""
    if path.suffix == ROWS:
        return "rows"
    return FORMATS.get(_unpacked(path).suffix.lower())


def known_endings() -> str:
    """The endings that are read, for messages."""
    return f"{', '.join(FORMATS)}, each also {', '.join(COMPRESSIONS)}"


def name_without_endings(path: str) -> str:
    """The name of a file without what its endings say (`news` of `old/news.jsonl.gz`); of anything else its last part."""
    name = Path(path)
    return _unpacked(name).stem if format_of(name) is not None or compression_of(name) else name.name


def _unpacked(path: Path) -> Path:
    return path.with_suffix("") if compression_of(path) and path.stem else path
