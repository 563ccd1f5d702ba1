"""Leaks as a person reads them: counts by corpus, split and kind, and examples with both texts."""

from rich.table import Table
from rich.text import Text

from acclimate.cli import show
from acclimate.data.leaks import FEWEST_WORDS, KINDS
from acclimate.inert import one_line
from acclimate.study.leaks import short_texts
from acclimate.tasks.kind import many
from acclimate.tasks.leaks import JUDGING, Leak, beginning
from acclimate.tasks.opened import Data


def leaks(data: Data, examples: int) -> None:
    """A table, and so many examples of each corpus and kind."""
    assert data.task is not None
    items, holdings = many(data.task.kind.item), data.found.holdings.values()
    table = Table("corpus", "split", items, *KINDS, "of them", "documents", box=None, header_style="bold")
    for holding in holdings:
        counts = holding.counts()
        for number, split in enumerate(each for each in JUDGING if each in counts or not counts):
            if not counts and number:
                continue
            found = counts.get(split, dict.fromkeys(KINDS, 0))
            whole = len(data.task.splits[split]) if counts else sum(len(data.task.splits[each]) for each in JUDGING)
            table.add_row(
                Text(one_line(holding.corpus)), split if counts else "dev, test", f"{whole:,}", *(f"{found[kind]:,}" for kind in KINDS),
                f"{100 * sum(found.values()) / max(1, whole):.1f} %",
                "" if number else f"{sum(holding.documents.values()):,}{' (dropped)' if holding.dropped else ''}",
            )  # fmt: skip
    page = show.console()
    page.print(table)
    for holding in holdings:
        for leak in holding.examples(examples):
            page.print()
            for line in _example(leak):
                page.print(Text(line), soft_wrap=True)
    if any(holding.leaks and holding.of_corpus and not holding.dropped for holding in holdings):
        print("\nCorpora are read without the documents that hold them with `leaks: drop` under `data:`; train is left as it is.")
    if short := sum(short_texts(data).values()):
        have = "1 text has" if short == 1 else f"{short:,} texts have"
        print(f"{have} fewer than {FEWEST_WORDS} words, looked for as whole documents only.")


def _example(leak: Leak) -> list[str]:
    where = leak.place or f"document {leak.document:,}" if leak.corpus != "train" else f"row {leak.document:,}"
    more = f" (and {leak.documents - 1:,} more)" if leak.documents > 1 else ""
    return [
        f"{leak.split} {leak.index:,}, {leak.kind} {leak.similarity:.2f}, in {one_line(leak.corpus)}, {where}{more}",
        f"  {leak.split}: {one_line(beginning(leak.text))}",
        f"  {one_line(leak.corpus)}: {one_line(beginning(leak.found))}",
    ]
