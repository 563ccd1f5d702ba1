"""Gain against forgetting: the score by what was forgotten of general text."""

from acclimate.report.charts.svg import Figure
from acclimate.report.charts.trade_off import Across, Point, domain, front, trade_off
from acclimate.report.results.finished import Results
from acclimate.report.results.general_text import Known, State, general_facts
from acclimate.report.tables.comparison import Row
from acclimate.report.words.text import listing, quoted


def forgetting_chart(results: Results, rows: list[Row]) -> Figure | None:
    """What a byte of general text costs more than before, against the score; None where fewer than two recipes have both.

    Where some recipe has no before, for its head was fresh, say, it is what a byte costs.
    """
    import altair as alt

    facts = general_facts(results)
    found = [(row, facts.recipes[row.recipe]) for row in rows if facts is not None and row.recipe in facts.recipes and row.mean is not None]
    known = [(row, each, state) for row, each in found if (state := each.last) is not None]
    if len(known) < 2:
        return None
    differences = all(each.began for _, each, _ in known)
    points = [_point(row, each, state, differences) for row, each, state in known]
    costs = [end for point in points for end in (point.cost, point.low, point.high) if end is not None]
    what = "forgotten of general text, bits per byte more than before" if differences else "general text, bits per byte"
    across = Across(domain(costs), f"{what} (less is better)", alt.Axis(tickCount=6, format="+.3f" if differences else ".3f", grid=False))
    best = front(points, results.score.lower_is_better)
    says = f"Forgetting against {results.score.words}; not beaten in both: {listing([quoted(point.row.recipe) for point in best])}."
    caption = (
        "Gain against forgetting: mean score with its standard deviation over seeds, by what was forgotten of general text before labels "
        "were learned, with its 95 % interval. The line joins the recipes that no other one beats in both."
        if differences
        else "Score against general text: mean score with its standard deviation over seeds, by what a byte of general text costs before "
        "labels were learned; some recipe was not measured before, for its head was fresh, say, so that what it forgot is not "
        "known. The line joins the recipes that no other one beats in both."
    )
    return Figure("forgetting", caption, says, trade_off(results, points, across))


def _point(row: Row, known: Known, state: State, differences: bool) -> Point:
    if not differences:
        return Point(row, state.value)
    # A recipe that does nothing before it learns labels has forgotten nothing by then.
    return Point(row, state.difference or 0.0, state.low, state.high)
