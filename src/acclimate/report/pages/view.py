"""Everything that is said of one study, computed once, for the page, the Markdown and the plots alike."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, TypeVar

from acclimate.report.charts import drawn as charts
from acclimate.report.charts.curves import Curves, curves
from acclimate.report.charts.forest import Axis, Mark, axis_of
from acclimate.report.charts.general_text import forgetting_chart
from acclimate.report.charts.speeds import latency_chart, size_chart
from acclimate.report.charts.svg import Figure, NotDrawn, unchecked
from acclimate.report.charts.trials import trials_figures
from acclimate.report.results.facts import Run
from acclimate.report.results.finished import Results
from acclimate.report.results.public import public_command, public_study, without_folders
from acclimate.report.tables.attention import Attended, attended
from acclimate.report.tables.chosen import Lines, Listed, Shaded, grid_of, lines_of, listed, shaded
from acclimate.report.tables.comparison import Row, table_rows
from acclimate.report.tables.data_facts import DataFacts, data_facts
from acclimate.report.tables.general_text import general_grids
from acclimate.report.tables.grid import Grid
from acclimate.report.tables.leaks import leak_grids
from acclimate.report.tables.speeds import speeds_grids
from acclimate.report.tables.text_overlap import matrices, texts_grid
from acclimate.report.tables.tree import Branch, Saving, saving, tree
from acclimate.report.tables.trials import trials_grids
from acclimate.report.tables.vocabularies import vocabulary_grids
from acclimate.report.tables.work import scores_grid, size_grid, stages_grid, time_grid
from acclimate.report.words import text
from acclimate.report.words.general_text import forgetting_sentence
from acclimate.report.words.searches import unequal_searches
from acclimate.report.words.sentences import Said, recipe_sentences
from acclimate.report.words.speeds import speed_sentence
from acclimate.report.words.verdict import verdict_sentences
from acclimate.tasks.blocks import Examples, Marked, Matrix, Points, Table
from acclimate.wording import side_by_side

T = TypeVar("T")
Told = Grid | Shaded | Figure | Listed | Lines

LONGEST_NAME = 60  # of a chart's file
_NO_NAME = re.compile(r"[^a-z0-9]+")
_DECIMAL = re.compile(r"\d+\.\d+")


@dataclass(frozen=True)
class Budget:
    """The recipes at one number of labels."""

    labels: str
    rows: list[Row]
    marks: tuple[Mark, ...]
    said: tuple[Said, ...]


@dataclass(frozen=True)
class View:
    """One study as it is shown. `prefix` keeps the names of its places apart from those of other studies on the same page."""

    results: Results
    prefix: str = ""
    public: bool = False  # without texts of the data, and without folders of this machine
    _not_drawn: list[str] = field(default_factory=list, repr=False, compare=False)  # why charts are missing

    @property
    def study(self) -> Any:
        return self.results.study

    @property
    def name(self) -> str:
        return str(self.study.get("name") or "without a name")

    @property
    def title(self) -> str:
        """`Study contracts`; a study file that is called study.yaml says nothing more."""
        return "Study" if self.name == "study" else f"Study {self.name}"

    @cached_property
    def sentences(self) -> tuple[str, str]:
        return verdict_sentences(self.results)

    @property
    def metric(self) -> str:
        return self.results.score.words

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        return table_rows(self.results)

    @cached_property
    def axis(self) -> Axis:
        return axis_of(self.rows)

    @cached_property
    def budgets(self) -> list[Budget]:
        """The largest first, since the verdict speaks of it."""
        of = {labels: [row for row in self.rows if row.labels == labels] for labels in reversed(self.results.budgets)}
        return [Budget(labels, rows, self.axis.marks(rows), recipe_sentences(self.results, labels)) for labels, rows in of.items()]

    @property
    def _largest(self) -> list[Row]:
        return self.budgets[0].rows if self.budgets else []

    @cached_property
    def pareto(self) -> Figure | None:
        return self._drawn(lambda: charts.pareto(self.results, self._largest))

    @cached_property
    def axes(self) -> list[tuple[str, Figure]]:
        """Cost against quality by each cost that is known, with what to call it: time of a run, time for one text, size on disk."""
        known = {
            "training time": self.pareto,
            f"time for one {self.results.kind.item}": self._drawn(lambda: latency_chart(self.results, self._largest)),
            "size on disk": self._drawn(lambda: size_chart(self.results, self._largest)),
        }
        return [(name, figure) for name, figure in known.items() if figure is not None]

    @cached_property
    def speeds(self) -> tuple[Grid, ...]:
        """How large and how fast the models are; none where they were not timed."""
        return speeds_grids(self.results)

    @cached_property
    def faster(self) -> str:
        """How much smaller and faster they are than the teacher, or the largest; empty where they were not timed."""
        return speed_sentence(self.results)

    @cached_property
    def forgetting(self) -> Figure | None:
        return self._drawn(lambda: forgetting_chart(self.results, self._largest))

    @cached_property
    def general(self) -> list[Grid]:
        """What each recipe knows of general text, stage by stage; none where that was not measured."""
        return general_grids(self.results)

    @cached_property
    def forgot(self) -> str:
        """A sentence on what was forgotten of general text; empty where that was not measured."""
        return forgetting_sentence(self.results)

    @cached_property
    def efficiency(self) -> Figure | None:
        return self._drawn(lambda: charts.efficiency(self.results, list(self.rows)))

    @cached_property
    def differences(self) -> Figure | None:
        return self._drawn(lambda: charts.differences(self.results, self._largest))

    @cached_property
    def curves(self) -> list[Curves]:
        return self._drawn(lambda: curves(self.results)) or []

    def _drawn(self, draw: Callable[[], T]) -> T | None:
        # After the first chart that could not be drawn none is tried: a report without charts is better than none.
        if self._not_drawn:
            return None
        try:
            with unchecked():
                return draw()
        except (NotDrawn, MemoryError) as error:
            self._not_drawn.append(str(error) or "out of memory")
            return None

    @cached_property
    def told(self) -> list[Told]:
        """What the kind of task tells of the chosen recipe. Examples and marked texts are of the data, and so not for others."""
        found: list[Told] = []
        for block in self.results.blocks:
            match block:
                case Table():
                    found.append(grid_of(block))
                case Matrix():
                    found.append(shaded(block))
                case Points():
                    figure = self._points(block)
                    found += [] if figure is None else [figure]
                case Examples() if not self.public:
                    found.append(listed(block))
                case Marked() if not self.public:
                    found.append(lines_of(block))
        return found

    def _points(self, block: Points) -> Figure | None:
        named = [_file_name(each.title) for each in self.results.blocks if isinstance(each, Points)]
        place = [each for each in self.results.blocks if isinstance(each, Points)].index(block)
        again = named[:place].count(named[place])
        return self._drawn(lambda: charts.points(self.results, block, named[place] + (f"-{again + 1}" if again else "")))

    @cached_property
    def searched(self) -> list[Told]:
        """The trials of every search, as tables, and as curves."""
        return [*trials_grids(self.results), *(self._drawn(lambda: trials_figures(self.results)) or [])]

    @cached_property
    def unequal(self) -> str:
        """A sentence where some recipes were searched more than others."""
        return unequal_searches(self.results)

    @property
    def disagreements(self) -> list[dict[str, Any]]:
        return [] if self.public else self.results.disagreements

    @property
    def study_yaml(self) -> str:
        """The study as resolved; for others, of each path the last part alone."""
        if not self.public:
            return self.results.study_yaml
        hub_ids = [base["name"] for base in self.study.get("bases") or () if base.get("hub")]
        for found in (self.study.get("hub_datasets") or {}).values():
            hub_ids += found
        return public_study(self.results.study_yaml, hub_ids)

    @property
    def command(self) -> str:
        command = str(self.study.get("command") or "")
        return public_command(command) if self.public else command

    def error(self, run: Run) -> str:
        """Why a run failed; a message may quote a text or name a folder, so it is not for others."""
        return "the message is left out of this page" if self.public else run.error or "no error was kept"

    @cached_property
    def data(self) -> DataFacts:
        return data_facts(self.results)

    @cached_property
    def vocabularies(self) -> tuple[Grid, ...]:
        return vocabulary_grids(self.results)

    @cached_property
    def leaks(self) -> tuple[Grid, ...]:
        """What of dev and test stands in what was learned from; for others, without the texts."""
        return leak_grids(self.study, examples=not self.public)

    @cached_property
    def alike(self) -> list[Told]:
        """How alike the texts are by their words; nothing where there is one text, or a study of before this was told."""
        facts = self.study.get("text_overlap")
        return [*matrices(facts), texts_grid(facts)] if facts else []

    @cached_property
    def attention(self) -> Attended | None:
        """The attention of a recipe's models, stage by stage; None where the study did not ask."""
        facts = self.results.attention
        return None if facts is None else attended(facts, self.public)

    @cached_property
    def scores(self) -> list[Grid]:
        of = ((labels, split) for split in ("test", "dev") for labels in reversed(self.results.budgets))
        return [grid for labels, split in of if (grid := scores_grid(self.results, labels, split)).rows]

    @cached_property
    def tree(self) -> tuple[Branch, ...]:
        return tree(self.results)

    @cached_property
    def saving(self) -> Saving:
        return saving(self.results)

    @cached_property
    def stages(self) -> Grid:
        return stages_grid(self.results)

    @cached_property
    def times(self) -> Grid:
        return time_grid(self.results)

    @cached_property
    def sizes(self) -> Grid:
        return size_grid(self.results)

    @property
    def seconds(self) -> float:
        return sum(run.values.get("seconds_shared_once") or 0 for run in self.results.runs)

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """The study's notes, and those of stages that the study did not repeat with the names of their recipes."""
        notes = [str(note) for note in self.study.get("notes") or ()]
        _ = self.figures  # whether they can be drawn is known afterwards
        if self._not_drawn:
            notes.append(
                f"this report has no charts: not enough memory to draw them ({self._not_drawn[0]}); `acclimate report` draws them anew"
            )
        for stage in self.results.stages:
            for note in stage.notes:
                if not any(known.endswith(note) for known in notes):
                    notes.append(f"{side_by_side(stage.recipes)}: {note}")
        notes = _told_once(notes, {note for stage in self.results.stages for note in stage.notes})
        return tuple(map(without_folders, notes) if self.public else notes)

    @property
    def created(self) -> str:
        """`2026-01-02 03:04 UTC` from ISO 8601; anything else as it stands."""
        written = str(self.study.get("created") or "")
        try:
            moment = datetime.fromisoformat(written)
        except ValueError:
            return written
        return f"{moment:%Y-%m-%d %H:%M} {moment.tzname() or ''}".rstrip()

    @property
    def machine(self) -> dict[str, str]:
        """Facts about the machine with their units."""
        return {
            name.removesuffix("_bytes").replace("_", " "): text.size(value) if name.endswith("_bytes") else str(value)
            for name, value in (self.study.get("machine") or {}).items()
        }

    @property
    def versions(self) -> dict[str, str]:
        return self.study.get("versions") or {}

    @property
    def figures(self) -> list[Figure]:
        """Every chart, for the folder of plots."""
        costs = [figure for _, figure in self.axes]
        alone = [figure for figure in (self.differences, *costs, self.efficiency, self.forgetting) if figure is not None]
        told = [each for each in (*self.told, *self.searched) if isinstance(each, Figure)]
        return [*alone, *told, *(figure for group in self.curves for figure in group.figures)]


def _file_name(title: str) -> str:
    return _NO_NAME.sub("-", title.lower()).strip("-")[:LONGEST_NAME] or "points"


def _told_once(lines: list[str], notes: set[str]) -> list[str]:
    """Of lines whose notes differ in decimals alone, as those of a stage's seeds do, the first, and how many more there are.

    Decimals before the note are part of a recipe's name, and tell recipes apart.
    """
    alike: dict[tuple[str, str], list[str]] = {}
    for line in lines:
        note = max((each for each in notes if line.endswith(each)), key=len, default="")
        alike.setdefault((line.removesuffix(note), _DECIMAL.sub("#", note)), []).append(line)
    return [f"{first} (and {len(more)} more like it, with other figures)" if more else first for first, *more in alike.values()]
