"""How one model came to be: its run, and the stages from the base to it, found in the facts of a study."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from acclimate.data.mixture import shares
from acclimate.report.results.facts import Run, StageFact
from acclimate.report.results.finished import Results


@dataclass(frozen=True)
class Chain:
    """A run of a study with its stages."""

    results: Results
    run: Run

    @staticmethod
    def of(results: Results, recipe: str, seed: int, labels: str) -> "Chain | None":
        """The chain of a run that was done; None where there is none."""
        for run in results.runs_of(recipe, labels):
            if run.seed == seed and run.done:
                return Chain(results, run)
        return None

    @staticmethod
    def of_run(results: Results) -> "Chain":
        """The chain of results that hold one run."""
        (run,) = results.runs
        return Chain(results, run)

    @cached_property
    def stages(self) -> tuple[StageFact, ...]:
        """From the base to the end; empty where the study does not tell its stages' keys."""
        by_key = {stage.key: stage for stage in self.results.stages}
        found: list[StageFact] = []
        stage = by_key.get(self.run.key)
        while stage is not None and stage not in found:
            found.insert(0, stage)
            stage = by_key.get(stage.parent or "")
        return tuple(found)

    @property
    def without_labels(self) -> bool:
        """Whether it has learned from no label of the study's task."""
        return self.run.recipe in self.results.without_labels

    @property
    def pretrainings(self) -> tuple[StageFact, ...]:
        """The stages that learned from text, with labels beside it or without."""
        return tuple(stage for stage in self.stages if stage.role == "pretrains" or stage.settings.get("auxiliary"))

    @property
    def corpora(self) -> tuple[str, ...]:
        """The corpora that its pretrainings learned from, by name."""
        return _corpora(self.pretrainings)

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that it learned on the way to the study's, by name."""
        return tuple(dict.fromkeys(stage.about for stage in self.stages if stage.about is not None))

    @property
    def read(self) -> tuple[str, ...]:
        """All corpora that its stages read, by name: those that a vocabulary was cut to, too."""
        return _corpora(self.stages)

    @cached_property
    def base(self) -> Mapping[str, Any] | None:
        """What is known of the pretrained model it starts from; None for plain baselines."""
        digests = [stage.settings.get("digest") for stage in self.stages if stage.role == "start"]
        return next((base for base in self.results.study.get("bases") or () if base.get("digest") in digests), None)

    @property
    def random(self) -> bool:
        """Whether the base's weights were thrown away, and only architecture and tokenizer taken."""
        return any(stage.role == "start" and stage.settings.get("random") for stage in self.stages)

    @property
    def hub_task(self) -> str | None:
        """The task's hub id; None for local files."""
        found = (self.results.study.get("hub_datasets") or {}).get("task") or ()
        return str(found[0]) if found else None

    @property
    def hub_datasets(self) -> list[str]:
        """The hub ids of all that this model was trained on."""
        by_name = self.results.study.get("hub_datasets") or {}
        own = [] if self.without_labels and "task" not in self.read else ["task"]
        # A pretraining on the task also reads its unlabelled texts.
        names = [*own, *(f"task {name}" for name in self.tasks), *self.read, *(["task unlabeled"] if "task" in self.read else [])]
        return list(dict.fromkeys(str(each) for name in names for each in by_name.get(name) or ()))


def _corpora(stages: Iterable[StageFact]) -> tuple[str, ...]:
    """What they read, by name; of what they mixed in themselves their metrics tell."""
    named = (
        name
        for stage in stages
        if (corpus := stage.settings.get("corpus"))
        for name in (*shares(corpus), *(stage.metrics.get("corpora") or {}))
    )
    return tuple(dict.fromkeys(named))
