"""Markdown in which text from the study stays text: names, labels and commands can neither become markup nor break a line or a cell."""

import re
from collections.abc import Iterable, Sequence

from acclimate.inert import inert, one_line
from acclimate.report.tables.grid import Grid
from acclimate.report.words.text import quoted

_LIST = re.compile(r"^(\s*)(\d*)((?<=\d)[.)](?=\s|$)|(?<!\d)[#+>-])")  # the sign that would make a line a list, heading or quote
_MARKUP = re.compile(r"([\\`*_\[\]|~$])")


def plain(text: str) -> str:
    """Text from anywhere on one line, inert and escaped; to stand inside a line, not to begin one."""
    return escaped(one_line(text))


def named(name: str) -> str:
    """A name in quotes, as in `text.quoted`."""
    return escaped(quoted(name))


def escaped(text: str) -> str:
    """Text that is inert already (our own sentences), every sign escaped that could be markup, a link or a formula."""
    text = _MARKUP.sub(r"\\\1", text)
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # Addresses become links by themselves.
    return re.sub("www\\.", "www&#46;", text.replace("://", ":&#47;/"), flags=re.IGNORECASE).replace("@", "&#64;")


def block(text: str, language: str = "") -> str:
    """Text as it is, in a fence that it cannot close."""
    text = inert(text)
    longest = max((len(ticks) for ticks in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], words: Iterable[int] = (0,)) -> str:
    """A table of plain cells; columns in `words` stand to the left, numbers to the right."""
    return written_table([plain(heading) for heading in headings], ([plain(cell) for cell in row] for row in rows), words)


def written_table(headings: Sequence[str], rows: Iterable[Sequence[str]], words: Iterable[int] = (0,)) -> str:
    """A table whose cells are Markdown already."""
    left = frozenset(words)
    lines = [_line(headings), _line("---" if place in left else "---:" for place in range(len(headings)))]
    return "\n".join((*lines, *map(_line, rows)))


def grid(value: Grid) -> str:
    """A grid with its caption."""
    return f"{plain(value.caption)}:\n\n{table(value.headings, value.rows, value.words)}"


def bullets(lines: Iterable[str]) -> str:
    """A list of lines that are Markdown already; none of them becomes a heading, a list or a number of one."""
    return "\n".join("- " + _LIST.sub(r"\1\2\\\3", line) for line in lines)


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"
