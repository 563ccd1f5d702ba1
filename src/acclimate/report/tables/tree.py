"""The graph of a study's stages as nested lists: each stage under the one it starts from, what several runs shared said once."""

from dataclasses import dataclass

from acclimate.report.results.facts import StageFact
from acclimate.report.results.finished import Results
from acclimate.report.results.groups import Group, groups, of_recipes
from acclimate.report.words.text import duration, with_labels
from acclimate.wording import side_by_side


@dataclass(frozen=True)
class Branch:
    """A stage of some recipes, its seeds together, and what starts from it."""

    name: str
    recipes: tuple[str, ...]
    about: str  # seeds, budget, time, what sharing saved
    state: str  # "done", "from the store", "failed" or what else became of it
    branches: tuple["Branch", ...]


@dataclass(frozen=True)
class Saving:
    """What sharing spared this study, in seconds of computing."""

    spent: float
    apart: float  # had every run computed all of its stages by itself

    @property
    def sentence(self) -> str:
        """In words."""
        if self.apart <= self.spent * 1.005:
            return "No stage of this study was shared by several runs."
        return (
            f"The stages took {duration(self.spent)} of computing; run by run, without sharing, they would have taken "
            f"{duration(self.apart)}: {self.apart / max(self.spent, 1e-9):.1f} times as much."
        )


def saving(results: Results) -> Saving:
    """Each stage once against each stage for every run that used it."""
    known = [(stage.seconds, max(1, stage.runs)) for stage in of_recipes(results.stages) if stage.seconds is not None]
    return Saving(sum(seconds for seconds, _ in known), sum(seconds * runs for seconds, runs in known))


def tree(results: Results) -> tuple[Branch, ...]:
    """The stages that start from nothing, with everything that was built on them."""
    keys = {stage.key for stage in results.stages}
    return _branches(results, [stage for stage in of_recipes(results.stages) if stage.parent not in keys])


def _branches(results: Results, stages: list[StageFact]) -> tuple[Branch, ...]:
    return tuple(
        Branch(
            group.name,
            group.recipes,
            _about(results, group),
            _state(group),
            _branches(results, [stage for stage in of_recipes(results.stages) if stage.parent in {each.key for each in group.stages}]),
        )
        for group in groups(stages)
    )


def _about(results: Results, group: Group) -> str:
    parts = []
    beside = dict.fromkeys(recipe for stage in group.stages for recipe in stage.beside)
    if beside:
        parts.append(f"beside {side_by_side(beside)}")
    seeds = sorted({stage.seed for stage in group.stages if stage.seed is not None})
    if seeds:
        parts.append(f"{len(seeds)} seeds" if len(seeds) > 1 else f"seed {seeds[0]}")
    if group.labels_read is not None and len(results.budgets) > 1:
        parts.append(with_labels(group.labels_read))
    known = [stage.seconds for stage in group.stages if stage.seconds is not None]
    if known:
        parts.append(duration(sum(known)))
    spared = sum((stage.runs - 1) * (stage.seconds or 0.0) for stage in group.stages if stage.runs > 1)
    runs = sum(stage.runs for stage in group.stages)
    if runs > len(group.stages):
        parts.append(f"shared by {runs} runs" + (f", which saved {duration(spared)}" if spared >= 1 else ""))
    return ", ".join(parts)


def _state(group: Group) -> str:
    states = {"from the store" if stage.cached and stage.status == "done" else stage.status for stage in group.stages}
    return states.pop() if len(states) == 1 else ", ".join(sorted(states))
