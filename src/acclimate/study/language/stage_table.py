"""The stages that a study may name, as a value: their words, and how one is read and written."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from acclimate.stages.base import Stage
from acclimate.study.language.mistakes import did_you_mean
from acclimate.tasks.kind import TaskKind


class StageTable:
    """A table of stages and the words that it puts into a study file."""

    def __init__(self, stages: Sequence[type[Stage]]) -> None:
        self.stages = tuple(stages)
        self.baselines = tuple(stage for stage in stages if stage.role == "baseline")
        self.asking_names = tuple(stage.word() for stage in stages if stage.asks_trained)
        self.names = tuple(stage.word() for stage in self.stages)
        self.baseline_names = tuple(stage.word() for stage in self.baselines)

    @property
    def to_be_compared(self) -> str:
        """What a recipe must be to have a score on labels, in words."""
        return self.to_answer(None)

    def to_answer(self, task: TaskKind | None) -> str:
        """What a recipe must be to have a score on a task, or (None) on one with labels, in words."""
        able = [stage for stage in self.stages if (stage.role != "answers" if task is None else stage.answers(task))]
        ending = " or ".join(stage.word() for stage in able if stage.role in ("learns", "answers"))
        plain = ", ".join(stage.word() for stage in able if stage.role == "baseline")
        return f"to be compared, a recipe ends with {ending}" + (f" (or is a plain baseline: {plain})" if plain else "")

    @cached_property
    def with_settings(self) -> str | None:
        """How a plain baseline is written, in words: `tfidf: {settings}`; None where there is none."""
        able = [stage for stage in self.baselines if len(stage.model_fields) > 1] or self.baselines
        return f"`{able[0].word()}: {{settings}}`" if able else None

    def as_written(self, value: Any) -> Any:
        """`finetune` or `{finetune: {lr: 2e-5}}` in the form of the models, `{stage: finetune, lr: 2e-5}`.

        Raises:
            ValueError: it is no stage, or none of this table.
        """
        if isinstance(value, Stage):
            return value
        name: Any
        settings: Any
        if isinstance(value, str):
            name, settings = value, None
        elif isinstance(value, Mapping) and "stage" in value:  # the models' own form: model_dump() is read back, too
            name, settings = value["stage"], value
        elif isinstance(value, Mapping) and len(value) == 1:
            ((name, settings),) = value.items()
        elif isinstance(value, Mapping) and value:
            raise ValueError(
                f"a stage is one name with its settings, not {len(value)} keys ({', '.join(map(str, value))}); indent the settings"
            )
        else:
            raise ValueError("a stage is its name, or `name: {settings}`")
        if name not in self.names:
            raise ValueError(f"unknown stage {name!r}{did_you_mean(str(name), self.names)}; stages are {', '.join(self.names)}")
        if settings is not None and not isinstance(settings, Mapping):
            raise ValueError(f"the settings of {name} are a mapping, `{name}: {{key: value}}`, not {settings!r}")
        return {**(settings or {}), "stage": name}


def written_out(stage: Stage) -> dict[str, Any]:
    """A stage with every default, as one would write it."""
    return {stage.word(): stage.model_dump(mode="json", exclude={"stage"})}
