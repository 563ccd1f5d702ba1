"""The comparison of a study as rows, as a table for the terminal, and as Markdown."""

from dataclasses import dataclass
from statistics import stdev

from rich.table import Table
from rich.text import Text

from acclimate.inert import one_line
from acclimate.report.pages.markdown import plain, written_table
from acclimate.report.results.facts import Claim
from acclimate.report.results.finished import Results
from acclimate.report.tables.general_text import HEADING, general_cells
from acclimate.report.words.text import amount, duration, interval, label_count, score, signed

_STYLES: dict[str, str] = {"better": "green", "worse": "red"}


@dataclass(frozen=True)
class Row:
    """One recipe at one label budget. Scores and differences are in units of the metric; None where nothing was measured or compared."""

    recipe: str
    labels: str
    mean: float | None  # over the seeds that were done
    spread: float | None  # standard deviation over those seeds; None for fewer than two
    difference: float | None  # to the reference, over the seeds that both have
    low: float | None  # 95 % interval of the difference
    high: float | None
    p_holm: float | None
    detectable: float | None  # the smallest difference this comparison could have seen
    verdict: Claim | None  # None for the reference, and where nothing could be compared
    seconds: float | None  # mean for one run, its whole chain of stages counted in full
    tokens: float | None
    seeds: int  # seeds that were done
    failed: int
    is_reference: bool
    is_chosen: bool  # by the dev set
    general: str = ""  # what it knows of general text, where that was measured
    without_labels: bool = False  # it answers the task and learned from none of its labels
    labels_read: str = ""  # `10,000`; of what learned from none `0`, at every budget

    @property
    def outcome(self) -> str:
        """The verdict in a word or two, never empty."""
        if self.seeds == 0:
            return "failed"
        return "reference" if self.is_reference else self.verdict or "not compared"

    @property
    def compared(self) -> str:
        """`+0.034 [+0.015 to +0.053]`, or a dash."""
        if self.difference is None:
            return "–"
        return signed(self.difference) + (f" [{interval(self.low, self.high)}]" if self.low is not None else "")

    @property
    def seeds_done(self) -> str:
        """`3`, or `2 of 3` where a run failed."""
        return f"{self.seeds} of {self.seeds + self.failed}" if self.failed else str(self.seeds)


def table_rows(results: Results) -> tuple[Row, ...]:
    """A row for every recipe and label budget that has a run, smallest budget first, recipes in the study's order."""
    pairs = ((recipe, labels) for labels in results.budgets for recipe in results.recipes)
    general = general_cells(results)
    return tuple(_row(results, recipe, labels, general.get(recipe, "")) for recipe, labels in pairs if results.runs_of(recipe, labels))


def console_table(results: Results) -> Table:
    """The comparison for a terminal; names from the study are never read as markup."""
    several = len(results.budgets) > 1 or bool(results.without_labels)
    on = f"\njudged on {results.judged_on}" if results.judged_on else ""
    table = Table(title=Text(f"{results.judged_by}, mean ± standard deviation over seeds{on}"), title_justify="left")
    table.add_column("recipe", overflow="fold")
    if several:
        table.add_column("labels", justify="right")
    for heading in (results.score.words, "difference [95 %]"):
        table.add_column(Text(heading), justify="right")
    table.add_column("verdict")
    rows = table_rows(results)
    measured = [HEADING] if any(row.general for row in rows) else []
    for heading in (*measured, "seeds", "time a run", "tokens"):
        table.add_column(Text(heading), justify="right")
    last = results.budgets[0] if results.budgets else ""
    for row in rows:
        if row.labels != last:
            table.add_section()
        last = row.labels
        name = Text(one_line(row.recipe), style="bold" if row.is_chosen else "")
        cells = [name, *([Text(row.labels_read)] if several else []), Text(_mean(row)), Text(row.compared)]
        cells += [
            Text(row.outcome, style=_STYLES.get(row.outcome, "")),
            *([Text(row.general)] if measured else []),
            Text(row.seeds_done),
            Text(duration(row.seconds)),
            Text(amount(row.tokens)),
        ]
        table.add_row(*cells)
    return table


def markdown_table(results: Results) -> str:
    """The comparison as a Markdown table, one line a row; text from the study cannot become markup or break a cell."""
    found = table_rows(results)
    measured = [HEADING] if any(row.general for row in found) else []
    headings = ("recipe", "labels", results.score.words, "difference [95 %]", "verdict", *measured, "seeds", "time a run", "tokens")
    rows = []
    for row in found:
        name = plain(row.recipe)
        cells = [f"**{name}**" if row.is_chosen else name, row.labels_read, _mean(row), row.compared, row.outcome]
        rows.append([*cells, *([row.general] if measured else []), row.seeds_done, duration(row.seconds), amount(row.tokens)])
    return written_table(headings, rows, (0, 4)) + "\n"


def _row(results: Results, recipe: str, labels: str, general: str) -> Row:
    values = results.values(recipe, labels, results.metric)
    runs = results.runs_of(recipe, labels)
    verdict = results.verdict_of(recipe, labels) if values else None
    done = sum(run.done for run in runs)
    return Row(
        recipe=recipe,
        labels=labels,
        mean=results.mean(recipe, labels, results.metric),
        spread=stdev(values) if len(values) > 1 else None,
        difference=verdict.difference if verdict else None,
        low=verdict.low if verdict else None,
        high=verdict.high if verdict else None,
        p_holm=verdict.p_holm if verdict else None,
        detectable=verdict.detectable if verdict else None,
        verdict=verdict.claim if verdict else None,
        seconds=results.mean(recipe, labels, "seconds"),
        tokens=results.mean(recipe, labels, "tokens"),
        seeds=done,
        failed=len(runs) - done,
        is_reference=recipe == results.reference,
        is_chosen=recipe == results.chosen,
        general=general,
        without_labels=recipe in results.without_labels,
        labels_read=label_count(results.labels_read(recipe, labels)),
    )


def _mean(row: Row) -> str:
    return score(row.mean) + (f" ± {score(row.spread)}" if row.spread is not None else "")
