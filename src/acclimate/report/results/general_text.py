"""What a study's result files say of general text: what each recipe knew of it before, between and after its stages."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from acclimate.inert import one_line
from acclimate.report.results.finished import Results


@dataclass(frozen=True)
class State:
    """A model on the way, over the trainings that made it; differences are to the recipe's first state, in bits per byte."""

    after: str  # what the stage does that made it, e.g. `pretrain on domain`
    value: float
    difference: float | None  # None of the first state
    low: float | None  # 95 % interval of the difference
    high: float | None
    carried: bool  # labels were learned since the head that predicts words was last trained
    trainings: int


@dataclass(frozen=True)
class Known:
    """What a recipe knows of general text: its states in order, one at least."""

    recipe: str
    states: tuple[State, ...]
    began: bool
    """The first state is what stood before anything."""
    knew: bool
    """Something was known before: where it did not begin with that it was not measured, else the head was fresh, or the weights random."""

    @property
    def last(self) -> State | None:
        """Before labels are learned; None where that was never measured."""
        own = [state for state in self.states if not state.carried]
        return own[-1] if own else None

    @property
    def tuned(self) -> State | None:
        """At the end, with the head that was carried along; None where that was not measured."""
        return self.states[-1] if self.states[-1].carried else None


@dataclass(frozen=True)
class GeneralFacts:
    """The text, and what the recipes know of it at the largest label budget."""

    text: str
    documents: int
    seconds: float  # that measuring took, which no recipe pays for
    recipes: Mapping[str, Known]


def general_facts(results: Results) -> GeneralFacts | None:
    """None where forgetting was not measured."""
    block: Mapping[str, Any] | None = results.study.get("forgetting")
    if not block:
        return None
    recipes = {name: _known(name, told) for name, told in block["recipes"].items() if name in results.recipes}
    return GeneralFacts(one_line(str(block["text"])), int(block["documents"]), float(block["seconds"]), recipes) if recipes else None


def _known(recipe: str, told: Mapping[str, Any]) -> Known:
    stages: list[Mapping[str, Any]] = told["stages"]
    states = (
        State(
            one_line(str(each["after"])), float(each["bits_per_byte"]), each.get("difference"), each.get("low"), each.get("high"),
            bool(each["carried_head"]), int(each["trainings"]),
        )
        for each in stages
    )  # fmt: skip
    began = bool(stages[0]["before"])
    return Known(recipe, tuple(states), began, bool(told.get("knew_before", began)))
