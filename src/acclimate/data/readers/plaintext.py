"""Documents in plain text files: a document a line, blank-line separated, or a file a document."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from acclimate.data.readers.lines import text_lines, too_long
from acclimate.data.readers.problems import Problems
from acclimate.data.readers.reading import LONGEST, DocumentMode

_PEEK_LINES = 2_000
_SMALL_BYTES = 256 * 1024  # several files, a document each: of this size at most, on average
_PROSE = 60  # characters of a line: lists of shorter ones are lists of texts
_LINES_OF_A_PARAGRAPH = 50  # blank-line separated: documents of this many lines at most, on average


def documents_of(
    path: Path, mode: DocumentMode, problems: Problems, encoding: str | None = None, longest: int = LONGEST
) -> Iterator[tuple[int, str | None]]:
    """Each document with the number of its first line; None in place of one that holds bad UTF-8. Blank lines are no documents."""
    if mode == "line":
        for number, text in text_lines(path, problems, encoding, longest):
            if text is None or text.strip():
                yield number, text
        return
    block: list[str] = []
    start, good, size, blank = 1, True, 0, 0
    for number, text in text_lines(path, problems, encoding, longest):
        if text is not None and not text.strip():
            if mode == "blank" and (block or not good):
                yield start, "\n".join(block) if good else None
                block, good, size = [], True, 0
            elif block:  # a blank line inside a file's only document, or behind it
                blank += 1
            continue
        if not block and good:
            start = number
        size += len(text or "") + (blank + 1 if block else 0)
        if text is not None and good and size > longest:
            problems.add(
                "too long", path, start, f"{too_long('the document that begins here', longest)}, or `documents: line` may be meant"
            )
            text, block = None, []
        if text is None:
            good = False
        elif good:
            block.append("\n" * blank + text)
        blank = 0
    if block or not good:
        yield start, "\n".join(block).rstrip() if good else None
    elif mode == "file":
        problems.add("empty text", path, 1, "the file holds no text")


@dataclass(frozen=True)
class _Look:
    """What the head of a file shows."""

    lines: int  # with text
    blocks: int  # of lines between blank ones
    longest: int  # characters of a line

    @property
    def is_list(self) -> bool:
        # One stray blank line in a large file of one-line documents must not glue all of them together.
        return self.lines / max(self.blocks, 1) > _LINES_OF_A_PARAGRAPH

    @property
    def is_prose(self) -> bool:
        return self.lines > 1 and not self.is_list and (self.blocks > 1 or self.longest >= _PROSE)

    @classmethod
    def at(cls, file: Path, encoding: str | None, most: int) -> "_Look":
        lines = blocks = longest = 0
        previous_blank = True
        for _, line in islice(text_lines(file, Problems(skip_bad=True), encoding, most), _PEEK_LINES):
            blank = line is not None and not line.strip()
            lines += not blank
            blocks += previous_blank and not blank
            longest = max(longest, len(line or ""))
            previous_blank = blank
        return cls(lines, blocks, longest)


def detect_documents(files: Sequence[Path], encoding: str | None = None, longest: int = LONGEST) -> tuple[dict[Path, DocumentMode], bool]:
    """What a document is in each of these files, and whether lines were put together by a guess.

    A file with many lines and hardly a blank one has a document a line, whatever the others hold. Of several other files, small on average,
    those that look like prose (blank or long lines) are a document each, and where these are the most, all are. One file that stands alone,
    or large ones: blank-line separated where there are blank lines. Whatever is left: a document a line.
    """
    looks = {file: _Look.at(file, encoding, longest) for file in files}
    several = len(files) > 1 and sum(file.stat().st_size for file in files) / len(files) <= _SMALL_BYTES
    texts = [look for look in looks.values() if look.lines > 1 and not look.is_list]
    mostly_prose = 2 * sum(look.is_prose for look in texts) > len(texts)
    modes: dict[Path, DocumentMode] = {}
    for file, look in looks.items():
        if several:
            modes[file] = "file" if not look.is_list and (look.is_prose or mostly_prose) else "line"
        else:
            modes[file] = "blank" if not look.is_list and look.blocks > 1 else "line"
    return modes, any(modes[file] != "line" and look.lines > 1 for file, look in looks.items())
