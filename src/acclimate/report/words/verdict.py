"""The verdict of a study in two sentences that a manager understands, never stronger than the interval."""

import math
from collections.abc import Sequence

from acclimate.report.results.facts import Claim, Verdict
from acclimate.report.results.finished import Results
from acclimate.report.words.text import duration, interval, listing, quoted, score, signed, with_labels

MUCH_CHEAPER = 5  # times less time


def verdict_sentences(results: Results) -> tuple[str, str]:
    """What the study found at its largest label budget, and how far that can be trusted.

    The first sentence compares the recipe that the dev set chose with the reference; the second holds the other budgets, the smallest
    effect the study could have seen, and what limits the verdict. "Better" and "worse" are said only where the interval leaves zero out.
    """
    if results.study.get("smoke"):
        return _smoke(results)
    chosen = results.chosen
    if chosen is None:
        return _nothing_done(results)
    if len(results.recipes) == 1:
        return _only_recipe(results, chosen)
    first = _about_reference(results) if chosen == results.reference else _about_winner(results, chosen)
    return first, _sentence(_limits(results, chosen))


def _smoke(results: Results) -> tuple[str, str]:
    done = sum(run.done for run in results.runs)
    return (
        "This was a smoke run on a sliver of the data, so its numbers say nothing about which recipe is best.",
        f"It shows that every stage works: {done} of {len(results.runs)} runs were done."
        if done == len(results.runs)
        else f"It shows what does not work yet: {done} of {len(results.runs)} runs were done, and the errors of the others are listed.",
    )


def _nothing_done(results: Results) -> tuple[str, str]:
    if not results.runs:
        return "This study has no runs, so there is nothing to compare.", "Run `acclimate study` to fill it."
    if any(run.done for run in results.runs):
        # A choice is made at the largest budget only; smaller ones do not stand in for it.
        runs = f"Every run {with_labels(results.budgets[-1])}"
    else:
        runs = "The only run" if len(results.runs) == 1 else f"All {len(results.runs)} runs"
    return (
        f"{runs} failed, so this study says nothing about which recipe is best.",
        "Their errors are listed with the failed runs; mend the cause and give the same command again: what was complete is kept.",
    )


def _only_recipe(results: Results, recipe: str) -> tuple[str, str]:
    labels = results.budgets[-1]
    values = results.values(recipe, labels, results.metric)
    reached = score(results.mean(recipe, labels, results.metric))
    if len(values) == 1:
        seeds = "with one seed"
    else:
        seeds = f"as the mean of {len(values)} seeds, from {score(min(values))} to {score(max(values))}"
    return (
        _sentence([f"{_at(results, labels)}{quoted(recipe)} reaches {reached} in {results.judged_by} {seeds}"]),
        _sentence(["it is the only recipe of this study, so nothing says whether another would do better", *_failures(results)]),
    )


def _about_winner(results: Results, winner: str) -> str:
    labels = results.budgets[-1]
    name, reference = _described(results, winner), f"the reference {quoted(results.reference)}"
    verdict = results.verdict_of(winner, labels)
    if verdict is None:
        unpaired = f"but it could not be compared with {reference}, as no seed of both was done"
        return _sentence([f"{_at(results, labels)}{name} scored {results.best_word} on the dev set, {unpaired}"])
    claim = verdict.claim
    checkpoint = " for this checkpoint" if results.checkpoint_only(winner) else ""
    numbers = f"a difference of {_difference(verdict)}"
    if claim == "better":
        mine, theirs = (score(results.mean(recipe, labels, results.metric)) for recipe in (winner, results.reference))
        text = f"{name} is better than {reference}{checkpoint}: its {results.judged_by} is {mine} against {theirs}, {numbers}"
    elif claim == "worse":
        told = f"{name} scored {results.best_word} on the dev set but is worse than {reference}{checkpoint}"
        text = f"{told}: {numbers} in {results.judged_by}"
    else:
        told = f"this study cannot tell {name}, which scored {results.best_word} on the dev set, from {reference}"
        text = f"{told}{checkpoint}: {numbers} in {results.judged_by}"
    return _sentence([_at(results, labels) + text])


def _about_reference(results: Results) -> str:
    labels = results.budgets[-1]
    better = [verdict for verdict in _compared(results, labels) if verdict.claim == "better"]
    start = f"{_at(results, labels)}{_described(results, results.reference)}, the reference, scored {results.best_word} on the dev set"
    if not better:
        return _sentence([f"{start}, and no other recipe was shown to be better in {results.judged_by}"])
    best = max(better, key=lambda verdict: abs(verdict.difference or 0))
    others = listing([quoted(verdict.recipe) for verdict in better])
    return _sentence([f"{start}, but {others} did better in {results.judged_by}: the largest difference is {_difference(best)}"])


def _limits(results: Results, chosen: str) -> list[str]:
    """What the second sentence says, the most important first."""
    labels = results.budgets[-1]
    verdict = results.verdict_of(chosen, labels)
    compared = _compared(results, labels)
    clauses: list[str] = []
    if all(len(results.values(recipe, labels, results.metric)) < 2 for recipe in results.recipes):
        clauses.append("with one seed no difference can be told from luck, so run at least three")
    elif verdict is not None and verdict.claim == "cannot tell":
        clauses.extend(_unseen([verdict]))
        others = [other for other in compared if other.claim == "better"]
        if others:
            names = listing([quoted(other.recipe) for other in others])
            clauses.append(f"{names} did better than the reference on the test set, which is not what chooses")
    elif chosen == results.reference:
        unclear = [other for other in compared if other.claim == "cannot tell"]
        if unclear:
            clauses.append(f"it cannot be told from {listing([quoted(other.recipe) for other in unclear])}")
            clauses.extend(_unseen(unclear))
    clauses.extend(_other_budgets(results, chosen))
    clauses.extend(_without_labels(results))
    clauses.extend(_baseline_won(results, chosen))
    clauses.extend(_cheaper(results, chosen))
    clauses.extend(_checkpoint(results, chosen))
    clauses.extend(_failures(results))
    if clauses:
        return clauses
    seeds = len(results.values(chosen, labels, results.metric))
    return [f"it was chosen on the dev set among {len(results.recipes)} recipes, and its score is the mean of {seeds} seeds"]


def _without_labels(results: Results) -> list[str]:
    recipes = [recipe for recipe in results.recipes if recipe in results.without_labels]
    if not recipes:
        return []
    alike = " and answers alike at every budget" if len(results.budgets) > 1 and len(recipes) == 1 else ""
    alike = " and answer alike at every budget" if len(results.budgets) > 1 and len(recipes) > 1 else alike
    return [f"{listing([quoted(recipe) for recipe in recipes])} learned from no label of this task{alike}"]


def _other_budgets(results: Results, chosen: str) -> list[str]:
    """How the smaller budgets compare: one clause for each kind of verdict."""
    if chosen == results.reference:
        clauses = []
        for labels in results.budgets[:-1]:
            better = [quoted(verdict.recipe) for verdict in _compared(results, labels) if verdict.claim == "better"]
            if better:
                clauses.append(f"{with_labels(labels)} {listing(better)} {'is' if len(better) == 1 else 'are'} better than it")
        return clauses
    by_claim: dict[Claim, list[Verdict]] = {}
    for labels in results.budgets[:-1]:
        verdict = results.verdict_of(chosen, labels)
        if verdict is not None:
            by_claim.setdefault(verdict.claim, []).append(verdict)
    headline = results.verdict_of(chosen, results.budgets[-1])
    clauses = []
    for claim, verdicts in by_claim.items():
        at = with_labels(*(verdict.labels for verdict in verdicts))
        too = " too" if headline is not None and headline.claim == claim else ""
        numbers = f" ({_difference(verdicts[0], brief=True)})" if len(verdicts) == 1 else ""
        told = f"the two cannot be told apart{' either' if too else ''}" if claim == "cannot tell" else f"it is {claim}{too}"
        clauses.append(f"{at} {told}{numbers}")
    return clauses


def _unseen(verdicts: Sequence[Verdict]) -> list[str]:
    known = [verdict.detectable for verdict in verdicts if verdict.detectable is not None]
    if not known:
        return []
    return [f"a difference smaller than about {score(max(known))} would likely go unseen in a study of this size"]


def _baseline_won(results: Results, chosen: str) -> list[str]:
    if chosen not in results.plain_baselines:
        return []
    best = results.best_on_dev(tuple(recipe for recipe in results.recipes if recipe not in results.plain_baselines))
    return [] if best is None else [f"no transformer scored {results.score.better} on the dev set, and the best of them is {quoted(best)}"]


def _cheaper(results: Results, chosen: str) -> list[str]:
    """The best on dev of the recipes that cost a small part of the chosen one and were not shown to be worse than the reference."""
    labels = results.budgets[-1]
    seconds = {recipe: results.mean(recipe, labels, "seconds") for recipe in results.recipes}
    most = (seconds[chosen] or 0.0) / MUCH_CHEAPER
    verdicts = {verdict.recipe: verdict for verdict in _compared(results, labels) if verdict.claim != "worse" and verdict.low is not None}
    found = tuple(recipe for recipe in verdicts if recipe != chosen and (seconds[recipe] or math.inf) <= most)
    best = results.best_on_dev(found)
    if best is None:
        return []
    verdict = verdicts[best]
    low, high = verdict.gains or (0.0, 0.0)
    if verdict.claim == "better":
        told = "is better than the reference"
    elif low < 0 < high:
        told = f"may be up to {score(high)} better or {score(-low)} worse than the reference"
    else:  # told apart by its own interval, but not once all comparisons are counted: too much for a clause
        return []
    return [f"{quoted(best)}, at {duration(seconds[best])} a run instead of {duration(seconds[chosen])}, {told}"]


def _checkpoint(results: Results, chosen: str) -> list[str]:
    shared = [recipe for recipe in results.recipes if results.checkpoint_only(recipe)]
    if chosen in shared:
        return [f"the pretraining of {quoted(chosen)} was run once, so another run of it may turn out differently"]
    if not shared:
        return []
    judged = f"{listing([quoted(recipe) for recipe in shared])} {'was' if len(shared) == 1 else 'were'} judged for this checkpoint only"
    return [f"{judged}, from a pretraining that was run once"]


def _failures(results: Results) -> list[str]:
    failed = len(results.failed)
    return [f"{failed} of {len(results.runs)} runs failed and {'is' if failed == 1 else 'are'} left out"] if failed else []


def _compared(results: Results, labels: str) -> list[Verdict]:
    found = (results.verdict_of(recipe, labels) for recipe in results.recipes)
    return [verdict for verdict in found if verdict is not None]


def _described(results: Results, recipe: str) -> str:
    return ("the plain baseline " if recipe in results.plain_baselines else "") + quoted(recipe)


def _at(results: Results, labels: str) -> str:
    """Which budget is spoken of; nothing where the study has but one and it is everything."""
    return "" if results.budgets == ("all",) else f"{with_labels(labels)}, "


def _difference(verdict: Verdict, brief: bool = False) -> str:
    if verdict.low is None or verdict.high is None:
        return f"{signed(verdict.difference)}, without an interval" if brief else f"{signed(verdict.difference)} (no interval)"
    bounds = interval(verdict.low, verdict.high)
    return f"{signed(verdict.difference)}, interval {bounds}" if brief else f"{signed(verdict.difference)} (95 % interval {bounds})"


def _sentence(clauses: list[str]) -> str:
    text = "; ".join(clauses)
    return text[0].upper() + text[1:] + "."
