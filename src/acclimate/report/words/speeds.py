"""How much smaller and faster the models are than the one that they are told beside, and what that costs of the score, in a sentence."""

from acclimate.inert import one_line
from acclimate.report.results.finished import Results
from acclimate.report.results.speeds import Timed, compared_with, timed_models
from acclimate.report.words.text import interval, moment, quoted, score

MOST_TOLD = 4
ALIKE = 0.05  # of a ratio: nearer to 1 it is no difference
SMALLEST = 0.0005  # of a score: less is written as zero


def speed_sentence(results: Results) -> str:
    """`“tiny” is 31 times smaller and 16 times faster (2.05 ms a text instead of 33.1 ms) than “teacher”, and loses 0.020 of macro F1.`

    Of recipes that no other one beats in score and latency, in the study's order. A loss is told as what was seen; where the study compares
    the two, with its interval. How many times as fast is left out where the machine was busy. Empty where nothing was timed, or all models
    are of one size.
    """
    if results.study.get("smoke"):
        return ""
    models = timed_models(results)
    pairs = [(model, other) for model in models if (other := compared_with(results, models, model.recipe)) is not None]
    pairs = [(model, other) for model, other in pairs if model.latency < other.latency and None not in (model.score, other.score)]
    told = [pair for pair in pairs if not any(_beats(results, other, pair[0]) for other, _ in pairs)]
    doubt = str((results.study.get("speeds") or {}).get("doubt") or "")
    sentences = [_sentence(results, model, other, not doubt) for model, other in told[:MOST_TOLD]]
    if (rest := len(told) - MOST_TOLD) > 0:
        sentences.append(f"{rest} more {'stands' if rest == 1 else 'stand'} in the table.")
    if any(_verdict(results, model, other) is None for model, other in told):
        sentences.append("A difference without an interval is what was seen; it was not tested.")
    if sentences and doubt:
        sentences.append(f"While models were timed {one_line(doubt)}; the same command times them again when it is quiet.")
    return " ".join(sentences)


def _beats(results: Results, one: Timed, other: Timed) -> bool:
    """Whether it is no slower and no worse, and one of both strictly better; a transformer is beaten by transformers alone."""
    if one.recipe in results.plain_baselines and other.recipe not in results.plain_baselines:
        return False
    a, b = one.score or 0.0, other.score or 0.0
    ahead = b - a if results.score.lower_is_better else a - b
    return one.latency <= other.latency and ahead >= 0 and (one.latency, a) != (other.latency, b)


def _sentence(results: Results, model: Timed, other: Timed, quiet: bool) -> str:
    # What other work had of the machine while one of the two was timed, and not the other, would be told as a difference of the two.
    faster = _ratio(other.latency, model.latency, "faster", "slower") if quiet else []
    parts = [*_ratio(other.bytes, model.bytes, "smaller", "larger"), *faster]
    times = f"({moment(model.latency)} a {results.kind.item} instead of {moment(other.latency)})"
    known = " and ".join(parts) or ("about as large and as fast" if quiet else "about as large")
    return f"{quoted(model.recipe)} is {known} {times} than {quoted(other.recipe)}, and {_lost(results, model, other)}."


def _ratio(of: float | None, by: float | None, less: str, more: str) -> list[str]:
    if not of or not by or abs(of / by - 1) < ALIKE:
        return []
    ratio, word = (of / by, less) if of > by else (by / of, more)
    return [f"{ratio:.{0 if ratio >= 9.95 else 1}f} times {word}"]


def _lost(results: Results, model: Timed, other: Timed) -> str:
    ahead = (model.score or 0.0) - (other.score or 0.0)
    worse = ahead > 0 if results.score.lower_is_better else ahead < 0
    metric = results.score.words
    said = f"{'loses' if worse else 'gains'} {score(abs(ahead))} of {metric}" if abs(ahead) >= SMALLEST else f"its {metric} is the same"
    bounds = _verdict(results, model, other)
    return said if bounds is None else f"{said} (95 % interval of the difference {interval(*bounds)})"


def _verdict(results: Results, model: Timed, other: Timed) -> tuple[float, float] | None:
    """The interval of the difference to the reference, where that is what it is told beside; one seed bears none."""
    verdict = results.verdict_of(model.recipe, results.budgets[-1]) if other.recipe == results.reference else None
    if verdict is None or verdict.seeds < 2 or verdict.low is None or verdict.high is None:
        return None
    return verdict.low, verdict.high
