"""Documents in plain text files: a document a line, blank-line separated, or a file a document."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from acclimate.data.lines import text_lines
from acclimate.data.problems import Problems
from acclimate.data.reading import DocumentMode

_PEEK_LINES = 2_000
_MANY_FILES = 5
_SMALL_BYTES = 256 * 1024  # a file a document: files of this size at most, on average
_LINES_OF_A_PARAGRAPH = 50  # blank-line separated: documents of this many lines at most, on average


def documents_of(path: Path, mode: DocumentMode, problems: Problems, encoding: str | None = None) -> Iterator[tuple[int, str | None]]:
    """Each document with the number of its first line; None in place of one that holds bad UTF-8. Blank lines are no documents."""
    if mode == "line":
        for number, text in text_lines(path, problems, encoding):
            if text is None or text.strip():
                yield number, text
        return
    block: list[str] = []
    start, good = 1, True
    for number, text in text_lines(path, problems, encoding):
        if text is not None and not text.strip():
            if mode == "blank" and (block or not good):
                yield start, "\n".join(block) if good else None
                block, good = [], True
            elif block:  # a blank line inside a file's only document
                block.append("")
            continue
        if not block and good:
            start = number
        if text is None:
            good = False
        else:
            block.append(text)
    if block or not good:
        yield start, "\n".join(block).rstrip() if good else None
    elif mode == "file":
        problems.add("empty text", path, 1, "the file holds no text")


def detect_documents(files: Sequence[Path], encoding: str | None = None) -> DocumentMode:
    """What a document is in these files, guessed from their number, size and first lines; the guess is shown to the user.

    Many small files: a file a document. Else blank-line separated where blank lines come often enough to separate paragraphs. Else a
    document a line.
    """
    if len(files) >= _MANY_FILES and sum(file.stat().st_size for file in files) / len(files) <= _SMALL_BYTES:
        return "file"
    peek = Problems(skip_bad=True)
    blanks = texts = 0
    previous_blank = True
    for _, line in islice(text_lines(files[0], peek, encoding), _PEEK_LINES):
        blank = line is not None and not line.strip()
        # A run of blank lines separates once, and those before the first document not at all.
        blanks += blank and not previous_blank
        texts += not blank
        previous_blank = blank
    # One stray blank line in a large file of one-line documents must not glue all of them together.
    return "blank" if blanks and texts / (blanks + 1) <= _LINES_OF_A_PARAGRAPH else "line"
