"""The search for a stage's settings, as a step of the plan before it: trials on the first seed, judged on dev, of which one is taken."""

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import SerializeAsAny

from acclimate.errors import DivergedError, Interrupted, TrainingError
from acclimate.evaluation.cost import Cost
from acclimate.stages.base import Context, Outcome, Role, Stage
from acclimate.stages.planned import Reads, Sizes, Work
from acclimate.stages.proposals import check_installed, proposals
from acclimate.stages.trials import FOUND, Trial, best_of, is_behind, read_trials, write_trials
from acclimate.tasks.task import Task
from acclimate.versions import version

if TYPE_CHECKING:
    from acclimate.modeling.folder import ModelFolder

FILE = "trials.jsonl"


class Searching(Stage):
    """Train a stage with several values of its settings, and say which did best on dev; no trial sees test, and no model is kept."""

    role: ClassVar[Role] = "searches"
    libraries: ClassVar[tuple[str, ...]] = ()
    stage: Literal["search"] = "search"
    of: SerializeAsAny[Stage]
    """The stage, with what is searched in place of its settings."""

    def title(self) -> str:
        return f"search of {', '.join(self.of.searches)} for {self.of.title()}, {self.of.trials} trials"

    def reads(self) -> tuple[str, ...]:
        return self.of.reads()

    def beside(self) -> tuple[str, ...]:
        return self.of.beside()

    def asks_all_seeds(self) -> bool:
        return self.of.asks_all_seeds()

    def about(self) -> str | None:
        return self.of.about()

    def draws(self) -> bool:
        return self.of.draws() or not self.of.is_grid or self.of.trials != self.of.combinations

    def keyed(self) -> dict[str, Any]:
        libraries = (*self.of.libraries, *(() if self.of.is_grid else ("optuna",)))
        return {
            "stage": self.stage,
            "of": self.of.keyed(),
            "of_version": self.of.version,
            "searches": {name: search.model_dump(mode="json") for name, search in self.of.searches.items()},
            "libraries": {name: version(name) for name in libraries},
        }

    def check(self, given: Sizes, task: Task | None) -> Sizes:
        check_installed(self.of)
        for tried in self.of.ends():
            tried.check(given, task)
        return given

    def check_texts(self, given: Sizes, reads: Callable[[], Reads]) -> None:
        for tried in self.of.ends():
            tried.check_texts(given, reads)

    def notes(self, given: Sizes, reads: Callable[[], Reads]) -> tuple[str, ...]:
        # What is said of the stage itself is said of the highest values alone.
        return tuple(dict.fromkeys(note for tried in self.of.ends() for note in tried.notes(given, reads)))

    def work(self, given: Sizes, reads: Reads) -> Work:
        one, trials = self.of.work(given, reads), self.of.trials
        return replace(
            one, disk_bytes=0, tokens=trials * one.tokens, operations=trials * one.operations, seconds=trials * one.seconds
        )  # fmt: skip

    def run(self, parent: "ModelFolder | None", context: Context) -> Outcome:
        file, devices = context.work / FILE, context.runtime.devices
        is_main = devices.is_main
        before, trials = devices.told(read_trials(file) if is_main else []), list[Trial]()
        asked = proposals(self.of, context.seed)
        for number in range(1, self.of.trials + 1):
            values = dict(asked.ask())
            if len(before) >= number and before[number - 1].values == values:
                trial = before[number - 1]
            else:
                before = []
                same = next((each for each in trials if each.values == values), None)
                trial = self._try(parent, context, values, trials) if same is None else same.again(number)
                if is_main:
                    write_trials(file, [*trials, trial])
            trials.append(trial)
            asked.tell(trial.merit)
            if is_main:
                shutil.rmtree(_work(context, number), ignore_errors=True)
        best = best_of(trials)
        if best is None:
            tried = "; ".join(f"{name} {search.told()}" for name, search in self.of.searches.items())
            raise TrainingError(f"{context.title}: every trial diverged ({tried}); lower values usually mend this")
        metric = context.task().kind.metric(getattr(self.of, "select_by", None))
        return self._outcome(best, trials, f"dev_{metric.name}")

    def _try(self, parent: "ModelFolder | None", context: Context, values: dict[str, float], before: Sequence[Trial]) -> Trial:
        """One trial, from its checkpoint where there is one."""
        number, runtime = len(before) + 1, context.runtime
        if runtime.devices.sum(float(runtime.stop.asked)) > 0:  # signals reach processes at different times
            raise Interrupted(f"{context.title}: stopped before trial {number} of {self.of.trials}")
        work, output = _work(context, number), context.output / f"trial-{number}"
        for folder in (work, output):
            folder.mkdir(exist_ok=True)
        here = replace(
            context,
            title=f"{context.title}: trial {number} of {self.of.trials}",
            work=work,
            output=output,
            runtime=replace(runtime, log=None),  # the steps of several trials would run into each other
            began=time.monotonic(),
            trial=lambda step, best: is_behind(before, step, best),
        )
        runtime.reporter.start(here.title, 1, 0)  # a stage that trains by steps says more
        try:
            outcome = self.of.with_found(values).run(parent, here)
        except DivergedError:
            cost = Cost(seconds=time.monotonic() - here.began)
            return Trial(number, values, "diverged", None, None, cost.to_json())
        finally:
            shutil.rmtree(output, ignore_errors=True)
        metric = here.task().kind.metric(getattr(self.of, "select_by", None))
        devices = runtime.devices
        # One process decides for all: rounding may differ between them.
        score = float(devices.sum(outcome.metrics[f"dev_{metric.name}"] if devices.is_main else 0.0))
        curve = [[float(line["step"]), float(line["score"])] for line in outcome.log if "step" in line and "score" in line]
        state: Literal["pruned", "done"] = "pruned" if outcome.metrics.get("pruned") else "done"
        said = ", ".join(f"{name} {value:.3g}" for name, value in values.items())
        runtime.reporter.say(f"{here.title}: {said}: dev {metric.name} {score:.4f}{' (ended early)' if state == 'pruned' else ''}")
        return Trial(number, values, state, score, metric.merit(score), outcome.cost.to_json(), curve)

    def _outcome(self, best: Trial, trials: list[Trial], judged_by: str) -> Outcome:
        costs = [Cost.from_json(trial.cost) for trial in trials]
        cost = Cost(
            seconds=sum(each.seconds for each in costs),
            tokens=sum(each.tokens for each in costs),
            flops=sum(each.flops for each in costs),
            peak_memory_bytes=max((each.peak_memory_bytes for each in costs if each.peak_memory_bytes is not None), default=None),
        )
        metrics = {FOUND: best.values, "judged_by": judged_by, "best_trial": best.trial, "trials": [trial.told for trial in trials]}
        return Outcome(metrics, cost, self._told(best, trials))

    def _told(self, best: Trial, trials: list[Trial]) -> tuple[str, ...]:
        """What should be known of it: a best value near an end of what was tried, or trials that diverged."""
        notes = [
            f"the best {name} of the search, {best.values[name]:.3g}, is near an end of what was tried ({search.told()}): look further"
            for name, search in self.of.searches.items()
            if search.near_an_end(best.values[name])
        ]
        if diverged := sum(trial.state == "diverged" for trial in trials):
            notes.append(f"{diverged} of {len(trials)} trials diverged")
        if again := len(trials) - len({tuple(trial.values.values()) for trial in trials}):
            notes.append(f"{again} of {len(trials)} trials came to values that were tried before, and were not made again")
        return tuple(notes)


def _work(context: Context, number: int) -> Any:
    return context.work / f"trial-{number}"
