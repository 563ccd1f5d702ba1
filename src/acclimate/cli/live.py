"""A study's graph of stages on a terminal, as it is now: one frame a `Status`, cut to the height and width that there is."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from acclimate.cli.streams import raw
from acclimate.inert import one_line
from acclimate.report.words.watched import SIGNS, stage_facts, summary

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.text import Text

    from acclimate.study.watch.status import StageStatus, Status

LOUD = ("running", "failed", "interrupted")  # are shown one by one where there is not room for all
REFRESH = 4  # frames a second


def wanted() -> bool:
    """Whether standard error is a terminal on which something can be drawn again and again."""
    if not sys.stderr.isatty():
        return False
    from rich.console import Console

    return not Console(file=raw(sys.stderr)).is_dumb_terminal


@contextmanager
def live(snapshot: "Callable[[], Status]") -> Iterator[None]:
    """Draw the study on standard error while the block runs; what is printed meanwhile appears above, and nothing of it stays behind."""
    from rich.console import Console
    from rich.live import Live

    with Live(get_renderable=lambda: Frame(snapshot()), console=Console(file=raw(sys.stderr)), refresh_per_second=REFRESH, transient=True):
        yield


class Frame:
    """One look at a study; `note` is a last line, e.g. that it died."""

    def __init__(self, status: "Status", note: str = "", whole: bool = False) -> None:
        self._status, self._note = status, note
        self._whole = whole  # not cut to the terminal's height

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "RenderResult":
        below = [*summary(self._status), *([self._note] if self._note else [])]
        # A line more than the terminal has would make it scroll at every frame; one stays free for the cursor.
        room = 10**9 if self._whole else max(1, console.height - len(below) - 1)
        yield from stage_lines(self._status.stages, room, options.max_width, options.ascii_only)
        from rich.text import Text

        for line in below:
            yield Text(line, no_wrap=True, overflow="ellipsis")


def stage_lines(stages: "tuple[StageStatus, ...]", room: int, width: int, ascii_only: bool = False) -> "list[Text]":
    """At most `room` lines: all stages as a tree where that is room enough; else those that run or failed and what they are made from, the
    others counted; else only those that run or failed."""
    tree = _Tree(stages, width, ascii_only)
    lines = tree.lines({stage.key for stage in stages}) if len(stages) <= room else []
    if len(stages) > room:
        lines = tree.lines(tree.leading_to(stage.key for stage in stages if stage.state in LOUD))
    return lines if len(lines) <= room else tree.flat(room)


class _Tree:
    """The stages of a plan, each under its parent."""

    def __init__(self, stages: "tuple[StageStatus, ...]", width: int, ascii_only: bool) -> None:
        self._stages = {stage.key: stage for stage in stages}
        self._width, self._ascii = width, ascii_only
        self._children: dict[str, list[str]] = {}
        for stage in stages:
            self._children.setdefault(stage.parent if stage.parent in self._stages else "", []).append(stage.key)

    def leading_to(self, keys: "Iterator[str]") -> set[str]:
        """These stages and all that they are made from."""
        found: set[str] = set()
        for key in keys:
            open_keys = [key]
            while open_keys:
                at = open_keys.pop()
                if at in self._stages and at not in found:
                    found.add(at)
                    open_keys += self._stages[at].parents
        return found

    def lines(self, shown: set[str]) -> "list[Text]":
        """The tree of the stages `shown`; below each of them the others are counted in one line."""
        found: list[Text] = []
        fork, last, bar, gap = ("+- ", "`- ", "|  ", "   ") if self._ascii else ("├─ ", "└─ ", "│  ", "   ")

        def below(parent: str, guide: str, top: bool) -> None:
            children = self._children.get(parent, [])
            single = [key for key in children if key in shown]
            rest: Counter[str] = Counter()
            for key in children:
                if key not in shown:
                    rest += self._counted(key)
            for number, key in enumerate(single):
                final = number == len(single) - 1 and not rest
                found.append(self._line(self._stages[key], guide + ("" if top else last if final else fork)))
                below(key, guide + ("" if top else gap if final else bar), False)
            if rest:
                found.append(self._counts(rest, guide + ("" if top else last)))

        below("", "", True)
        return found

    def flat(self, room: int) -> "list[Text]":
        """The stages that run, then those that failed, as many as there is room for; the others counted in the last line."""
        loud = [self._stages[key] for state in LOUD for key in self._stages if self._stages[key].state == state]
        shown = loud[: max(0, room - 1)]
        rest = Counter[str](stage.state for stage in self._stages.values())
        rest.subtract(stage.state for stage in shown)
        return [*(self._line(stage, "") for stage in shown), self._counts(rest, "")]

    def _counted(self, key: str) -> "Counter[str]":
        counted: Counter[str] = Counter()
        open_keys = [key]
        while open_keys:
            at = open_keys.pop()
            counted[self._stages[at].state] += 1
            open_keys += self._children.get(at, [])
        return counted

    def _counts(self, counts: "Counter[str]", guide: str) -> "Text":
        from rich.text import Text

        line = Text(f"{guide}{'...' if self._ascii else '…'} ", no_wrap=True, overflow="ellipsis")
        for number, state in enumerate(state for state in SIGNS if counts[state]):
            line.append(", " if number else "")
            line.append(f"{self._sign(state)} {counts[state]} {state}", SIGNS[state][2])
        return line

    def _line(self, stage: "StageStatus", guide: str) -> "Text":
        from rich.text import Text

        colour = SIGNS[stage.state][2]
        line = Text(guide, no_wrap=True, overflow="ellipsis")
        line.append(f"{self._sign(stage.state)} {stage.state:8}", colour)
        shared = f" ({stage.recipes} recipes)" if stage.recipes > 1 else ""
        others = ", ".join(one_line(self._stages[key].title) for key in stage.beside if key in self._stages)
        beside = f" (beside {others})" if others else ""
        facts = f"  {told}" if (told := stage_facts(stage)) else ""
        # The numbers are what one looks for; a long title gives way to them.
        title = Text(f" {one_line(stage.title)}{shared}{beside}", end="")
        title.truncate(max(16, self._width - line.cell_len - len(facts)), overflow="ellipsis")
        line.append_text(title)
        line.append(facts, "red" if stage.state == "failed" else "cyan" if stage.state == "running" else "dim")
        line.truncate(self._width, overflow="ellipsis")
        return line

    def _sign(self, state: str) -> str:
        return SIGNS[state][1 if self._ascii else 0]
