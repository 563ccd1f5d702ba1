"""What the recipes forgot of general text, in a sentence that is never stronger than its intervals."""

from collections.abc import Iterator, Mapping

from acclimate.report.results.finished import Results
from acclimate.report.results.general_text import Known, State, general_facts
from acclimate.report.words.text import interval, listing, quoted, score, signed

MOST_TOLD = 3  # recipes that are told apart of each kind
LEAST_TOLD = 0.001  # bits per byte; numbers are written to so many digits


def forgetting_sentence(results: Results, only: str | None = None) -> str:
    """What the recipes, or `only` one of them, forgot before labels were learned, or, where none does anything before that, after it.

    Empty where it was not measured.
    """
    facts = general_facts(results)
    if facts is None or results.study.get("smoke"):
        return ""
    recipes = {name: known for name, known in facts.recipes.items() if only in (None, name)}
    changed = {name: known.last for name, known in recipes.items() if known.last is not None and known.last.difference is not None}
    when = ""
    if not changed:
        changed = {name: known.tuned for name, known in recipes.items() if known.tuned is not None and known.began}
        when = f" in fine-tuning, by the head that {'each' if only is None else 'it'} carried along" if changed else ""
    known = {name: state for name, state in changed.items() if state is not None and recipes[name].began}
    same = {name: state for name, state in known.items() if _is_same(state)}
    told = {name: state for name, state in known.items() if name not in same}
    clauses = [*_forgot(told), *_same(same), *_unclear(told), *_gained(told), *_unknown(recipes)]
    if not clauses:
        return ""
    text = "; ".join(clauses)
    return f"Of general text ({facts.documents:,} documents of {facts.text} that no stage read){when}, {text}."


def _forgot(states: dict[str, State]) -> list[str]:
    found = {name: state for name, state in states.items() if state.low is not None and state.low > 0}
    told = [
        f"{quoted(name)} forgot {_amount(state.difference)} bits per byte (95 % interval {interval(state.low, state.high)})"
        for name, state in _first(found).items()
    ]
    return [*told, *_more(found, "forgot some")]


def _same(states: dict[str, State]) -> list[str]:
    return [f"less than {LEAST_TOLD:g} bits per byte changed in {listing([quoted(name) for name in states])}"] if states else []


def _is_same(state: State) -> bool:
    # What is written as 0.000 is told as nothing: weights from before were handed on, say.
    return all(end is not None and abs(end) < LEAST_TOLD / 2 for end in (state.difference, state.low, state.high))


def _unclear(states: dict[str, State]) -> list[str]:
    found = {name: state for name, state in states.items() if state.low is None or state.high is None or state.low <= 0 <= state.high}
    told = [
        f"{quoted(name)} ({signed(state.difference)}" + (")" if state.low is None else f", {interval(state.low, state.high)})")
        for name, state in _first(found).items()
    ]
    more = [f"{len(found) - MOST_TOLD} more"] if len(found) > MOST_TOLD else []
    return [f"whether {listing([*told, *more])} forgot any cannot be told"] if found else []


def _gained(states: dict[str, State]) -> list[str]:
    found = {name: state for name, state in states.items() if state.high is not None and state.high < 0}
    told = [
        f"{quoted(name)} knows more than before, by {_amount(state.difference)} bits per byte "
        f"(95 % interval {interval(state.low, state.high)})"
        for name, state in _first(found).items()
    ]
    return [*told, *_more(found, "know more than before")]


def _unknown(recipes: Mapping[str, Known]) -> Iterator[str]:
    whys = {False: "began without a head that had learned to predict words", True: "could not be measured before anything was done"}
    for knew, why in whys.items():
        found = [known for known in recipes.values() if not known.began and known.knew is knew]
        if found:
            names, reached = (listing([each(known) for known in found]) for each in (lambda known: quoted(known.recipe), _first_value))
            yield f"{names} {why}, so only what came then is known: {reached}"


def _first_value(known: Known) -> str:
    return f"{score(known.states[0].value)} bits per byte after {known.states[0].after}"


def _first(states: dict[str, State]) -> dict[str, State]:
    return dict([*states.items()][:MOST_TOLD])


def _more(states: dict[str, State], what: str) -> list[str]:
    return [f"{len(states) - MOST_TOLD} more {what}"] if len(states) > MOST_TOLD else []


def _amount(difference: float | None) -> str:
    return score(None if difference is None else abs(difference))
