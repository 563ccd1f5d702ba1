"""Each recipe's result in one sentence that is never stronger than its interval, and what it would take to tell more."""

import math
from dataclasses import dataclass, replace

from acclimate.report.results.facts import Claim, Run, Verdict
from acclimate.report.results.finished import Results
from acclimate.report.words.text import interval, quoted, score, signed

SMALLEST_SHOWN = 0.0005  # less rounds to 0.000


@dataclass(frozen=True)
class Said:
    """What is said of a recipe at a label budget, as plain text: markup is the caller's to escape."""

    recipe: str
    claim: Claim | None  # None for the reference, and where nothing could be compared
    sentence: str
    advice: str  # how much more data would tell; empty where the verdict tells, or nothing is known to go by


def recipe_sentences(results: Results, labels: str) -> tuple[Said, ...]:
    """What the study found of every recipe that has a run at this label budget, in the study's order.

    "Better" and "worse" stand as a claim only where the verdict and its interval make one (`Verdict.claim`). Otherwise the recipe cannot be
    told from the reference, and the sentence says how far the interval reaches either way.
    """
    return tuple(_said(results, recipe, labels) for recipe in results.recipes if results.runs_of(recipe, labels))


def _said(results: Results, recipe: str, labels: str) -> Said:
    runs = results.runs_of(recipe, labels)
    name, done = quoted(recipe), [run for run in runs if run.done]
    if not done:
        which = "The only run" if len(runs) == 1 else f"All {len(runs)} runs"
        left = ", so no other recipe could be compared with it" if recipe == results.reference else ", so nothing is known of it"
        role = f"the reference {name}" if recipe == results.reference else name
        return Said(recipe, None, f"{which} of {role} failed{left}.", "")
    missing = f" ({len(runs) - len(done)} of {len(runs)} runs failed and {_are(len(runs) - len(done))} left out)"
    failures = missing if len(done) < len(runs) else ""
    if results.study.get("smoke"):
        return Said(recipe, None, f"{name} ran through on a sliver of the data{failures}; its scores say nothing.", "")
    if recipe == results.reference:
        return Said(recipe, None, f"{name} is the reference: {_level(results, recipe, labels)}{failures}.", "")
    verdict = results.verdict_of(recipe, labels)
    known = _finite(verdict) if verdict is not None else None
    if known is None:
        return Said(recipe, None, f"{_uncompared(results, recipe, labels, done)}{failures}.", "")
    return _compared(results, known, failures)


def _compared(results: Results, verdict: Verdict, failures: str) -> Said:
    name, reference = quoted(verdict.recipe), f"the reference {quoted(results.reference)}"
    metric = results.score.words
    claim = verdict.claim
    checkpoint = results.checkpoint_only(verdict.recipe)
    here = " for this checkpoint (its pretraining was run once)" if checkpoint else ""
    seen = f"{signed(verdict.difference)} in {metric}"
    if claim != "cannot tell":
        bounds = f"95 % interval {interval(verdict.low, verdict.high)}"
        return Said(verdict.recipe, claim, f"{name} is {claim} than {reference}{here}: {seen} ({bounds}){failures}.", "")
    start = f"{name} cannot be told from {reference}{here}"
    if verdict.seeds < 2:
        luck = f"{seen}, and with one seed nothing says how much of it is luck"
        return Said(verdict.recipe, claim, f"{start}: {luck}{failures}.", "Run at least three seeds.")
    if verdict.low is None or verdict.high is None:
        return Said(verdict.recipe, claim, f"{start}: {seen}, without an interval{failures}.", "")
    if verdict.low > 0 or verdict.high < 0:
        # The interval is of this recipe alone; the verdict also counts how many recipes had their chance.
        alone = f"{seen}, and its own 95 % interval ({interval(verdict.low, verdict.high)}) leaves zero out"
        text = f"{start}: {alone}, but not once all comparisons with the reference are counted{failures}."
    else:
        text = f"{start}: {_allowed(verdict)} in {metric}{failures}."
    return Said(verdict.recipe, claim, text, _advice(results, verdict))


def _allowed(verdict: Verdict) -> str:
    """What an interval around zero allows: `it may be up to 0.021 better or 0.008 worse`."""
    low, high = verdict.gains or (0.0, 0.0)
    if low == high:
        return "no difference was seen"
    return f"it may be up to {_distance(high)} better or {_distance(low)} worse"


def _distance(bound: float) -> str:
    return score(abs(bound)) if abs(bound) >= SMALLEST_SHOWN else "less than 0.001"


def _advice(results: Results, verdict: Verdict) -> str:
    """How much more data would tell; empty where the verdict's variances are not known."""
    parts = (verdict.seed_variance, verdict.text_variance, verdict.both_variance)
    if None in parts or verdict.difference is None or not verdict.compared or verdict.units < 2:
        return ""
    # scipy takes a moment to load, and most of a report does without.
    from acclimate.evaluation.power import MOST_TIMES, RELEVANT, advise
    from acclimate.evaluation.statistics import Components

    components = Components(*(max(part or 0.0, 0.0) for part in parts))
    span, item, items = results.score.span, f"test {results.kind.item}", f"test {results.kind.items}"
    if verdict.groups is not None:
        item, items = f"group of {items}", f"groups of {items}"
    advice = advise(components, verdict.difference, verdict.seeds, verdict.units, verdict.compared, span=span)
    relevant = score(RELEVANT * span)
    tiny = advice.target > abs(verdict.difference)
    low, high = verdict.low or 0.0, verdict.high or 0.0
    alike = f"the two are alike to within {_distance(max(abs(low), abs(high)))}" if low <= 0 <= high else ""
    if advice.enough:
        known = f", and {alike}" if alike else ""
        return f"The study would likely have seen a difference of {relevant}{known}." if tiny else ""
    ways = [f"{advice.seeds} more seed{_s(advice.seeds)}"] if advice.seeds else []
    if advice.texts:
        ways.append(f"{_about(advice.texts)} more {item if advice.texts == 1 else items}")
    if not ways:
        times = {10: "ten"}.get(MOST_TIMES, str(MOST_TIMES))
        asked = f"a difference of {relevant}" if tiny else "a difference like the one observed"
        known = f"; what is known is that {alike}" if alike else ""
        return f"Even {times} times the seeds, or {times} times the {items}, would not tell {asked}{known}."
    start = f"If a difference of {relevant} matters" if tiny else "If the true difference is the one observed"
    return f"{start}, about {' or '.join(ways)} would tell in four studies of five."


def _about(count: int) -> str:
    """A number of items, rounded up to two digits: it is an estimate."""
    step = 10 ** max(0, len(str(count)) - 2)
    return f"{math.ceil(count / step) * step:,}"


def _level(results: Results, recipe: str, labels: str) -> str:
    """`macro F1 0.810 on the test set, the mean of 3 seeds from 0.800 to 0.820`."""
    values = results.values(recipe, labels, results.metric)
    if not values:
        return "its score was not measured"
    reached = f"{results.score.words} {score(sum(values) / len(values))} on the test set"
    if len(values) == 1:
        return f"{reached}, with one seed"
    return f"{reached}, the mean of {len(values)} seeds from {score(min(values))} to {score(max(values))}"


def _uncompared(results: Results, recipe: str, labels: str, done: list[Run]) -> str:
    start = f"{quoted(recipe)} reaches {_level(results, recipe, labels)}"
    if results.reference not in results.recipes:
        return start
    common = {run.seed for run in done} & {run.seed for run in results.runs_of(results.reference, labels) if run.done}
    why = "the test set is too small" if common else "no seed of both was done"
    return f"{start}, but could not be compared with the reference {quoted(results.reference)}, as {why}"


def _finite(verdict: Verdict) -> Verdict | None:
    """The verdict with numbers that can be written, or None where there is no difference."""

    def number(value: float | None) -> float | None:
        return value if value is not None and math.isfinite(value) else None

    low, high, difference = number(verdict.low), number(verdict.high), number(verdict.difference)
    if difference is None:
        return None
    if low is None or high is None:
        low = high = None  # half an interval is none
    return replace(
        verdict, difference=difference, low=low, high=high, seed_variance=number(verdict.seed_variance),
        text_variance=number(verdict.text_variance), both_variance=number(verdict.both_variance),
    )  # fmt: skip


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _s(count: int) -> str:
    return "" if count == 1 else "s"
