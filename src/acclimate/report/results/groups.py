"""The stages of a study as a reader sees them: one for all its seeds."""

from collections.abc import Iterable
from dataclasses import dataclass

from acclimate.report.results.facts import StageFact


@dataclass(frozen=True)
class Group:
    """The same step of the same recipes at one label budget (None: it does not depend on labels), over all seeds."""

    name: str  # `pretrain on domain`, `finetune`
    recipes: tuple[str, ...]
    labels: str | None
    stages: tuple[StageFact, ...]

    @property
    def labels_read(self) -> str | None:
        """The budget, or `0` where it is given labels and learned from none."""
        return "0" if all(stage.without_labels for stage in self.stages) else self.labels


def of_recipes(stages: Iterable[StageFact]) -> list[StageFact]:
    """Those that recipes are made of: what stands beside them to measure a model is told by itself, and costs no recipe anything."""
    return [stage for stage in stages if stage.role != "measures"]


def groups(stages: Iterable[StageFact]) -> list[Group]:
    """The stages by what they do, in the order of the plan; two pretrainings of one recipe are two groups."""
    found: dict[tuple[str, tuple[str, ...], str | None], list[StageFact]] = {}
    for stage in stages:
        found.setdefault((stage.does, stage.recipes, stage.labels), []).append(stage)
    return [Group(*key, tuple(group)) for key, group in found.items()]
