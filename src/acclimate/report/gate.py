"""Whether a finished study showed that a recipe is good enough, in one line: what a pipeline asks before it takes a model.

What is not shown is refused. A threshold is met by the worse end of the score's 95 % interval, not by the mean: by its mean a recipe whose
true score is the threshold would pass in half of all studies. `better than` is the study's verdict, corrected for all of its comparisons.
"""

import math
from dataclasses import dataclass

from acclimate.errors import SettingsError, did_you_mean
from acclimate.report.results.contributions import Compared
from acclimate.report.results.finished import Results
from acclimate.report.words.text import interval, labels_of, listing, quoted, score, signed

EVERY = "every"  # label budget


@dataclass(frozen=True)
class Asked:
    """What must have been shown. With nothing said, that the recipe is better than the study's reference."""

    recipe: str | None = None  # None: the one that dev chose
    at_least: float | None = None  # in units of the study's metric; where lower is better, at most
    better_than: str | None = None  # another recipe
    labels: tuple[str, ...] = ()  # label budgets at all of which it must hold; empty: the largest, (EVERY,): all of the study's


@dataclass(frozen=True)
class Answer:
    """Whether all that was asked was shown, and a line that says of what, by which numbers."""

    passed: bool
    line: str


def gate(results: Results, asked: Asked) -> Answer:
    """What a study's results say of what is asked.

    Raises:
        SettingsError: there is no such recipe or label budget, a recipe is compared with itself, or what is needed is not in the folder.
    """
    budgets = _budgets(results, asked.labels)
    _known("recipe", asked.recipe, results.recipes)
    _known("recipe", asked.better_than, results.recipes)
    if asked.at_least is not None and not math.isfinite(asked.at_least):
        raise SettingsError(f"--at-least {asked.at_least}: not a number that a score could reach")
    if asked.recipe is not None and asked.recipe == asked.better_than:
        raise SettingsError(f"--better-than: {asked.recipe!r} cannot be better than itself; name another recipe")
    if results.study.get("smoke"):
        return Answer(False, "refused: a smoke run on a sliver of the data shows nothing of any recipe")
    recipe = asked.recipe or results.chosen
    if recipe is None:
        return Answer(False, "refused: no run was done at the largest label budget, so dev chose no recipe")
    found = [_at(results, asked, recipe, labels) for labels in budgets]
    passed = all(each.passed for each in found)
    return Answer(passed, f"{'passed' if passed else 'refused'}: {quoted(recipe)} {'; '.join(each.line for each in found)}")


def _at(results: Results, asked: Asked, recipe: str, labels: str) -> Answer:
    """One label budget."""
    compared = Compared(results, labels)
    runs = results.runs_of(recipe, labels)
    done = sum(run.done for run in runs)
    where = f"with {labels_of(labels)}"
    if not done:
        return Answer(False, f"{where}: all {len(runs)} runs failed" if runs else f"{where}: was not run")
    answers = []
    if asked.at_least is not None:
        answers.append(_reaches(compared, recipe, asked.at_least))
    else:
        answers.append(Answer(True, f"{results.judged_by} {score(results.mean(recipe, labels, results.metric))}"))
    if asked.better_than is not None or asked.at_least is None:
        answers.append(_better(compared, recipe, asked.better_than or results.reference))
    failed = f" ({len(runs) - done} of {len(runs)} seeds failed)" if done < len(runs) else ""
    return Answer(all(each.passed for each in answers), f"{where}{failed}: {', '.join(each.line for each in answers)}")


def _reaches(compared: Compared, recipe: str, threshold: float) -> Answer:
    level, lower = compared.level(recipe), compared.lower_is_better
    if level is None:
        return Answer(False, "nothing is known of its score")
    told, word = f"{compared.results.judged_by} {score(level.mean)}", "at most" if lower else "at least"
    if level.low is None or level.high is None:
        why = "one seed has no interval" if level.seeds < 2 else "one test item has no interval"
        return Answer(False, f"{told}, cannot tell whether it is {word} {threshold:g}: {why}")
    end = level.high if lower else level.low
    passed = end <= threshold if lower else end >= threshold
    bounds = f"{told} [{score(level.low)} to {score(level.high)}]"
    return Answer(passed, f"{bounds}, {'' if passed else 'not shown to be '}{word} {threshold:g} (the interval's {_end(lower)} end counts)")


def _better(compared: Compared, recipe: str, reference: str) -> Answer:
    if recipe == reference:
        return Answer(False, f"is the reference itself, which dev chose: nothing was chosen that could be better than {quoted(reference)}")
    verdict = compared.verdict(recipe, reference)
    if verdict is None:
        return Answer(False, f"could not be compared with {quoted(reference)}: no seed of both was done")
    claim = f"cannot be told from {quoted(reference)}" if verdict.claim == "cannot tell" else f"{verdict.claim} than {quoted(reference)}"
    numbers = f"{signed(verdict.difference)} [{interval(verdict.low, verdict.high)}]"
    seeds = ", one seed" if verdict.seeds == 1 else ""
    once = ", for this checkpoint: its pretraining was run once" if compared.results.checkpoint_only(recipe) else ""
    return Answer(verdict.claim == "better", f"{claim} ({numbers}{seeds}{once})")


def _end(lower: bool) -> str:
    return "upper" if lower else "lower"


def _budgets(results: Results, labels: tuple[str, ...]) -> tuple[str, ...]:
    if not results.budgets:
        raise SettingsError(f"{results.folder}: the study has no runs")
    if labels == (EVERY,):
        return results.budgets
    for each in labels:
        _known("label budget", each, results.budgets)
    return tuple(dict.fromkeys(labels)) or results.budgets[-1:]


def _known(what: str, name: str | None, names: tuple[str, ...]) -> None:
    if name is not None and name not in names:
        mend = did_you_mean(name, list(names)) or f"; it has {listing([repr(each) for each in names])}"
        raise SettingsError(f"the study has no {what} {name!r}{mend}")
