"""The curve of a search: the value of a setting against the score on dev, trials that ended early hollow, the one that was taken larger."""

from acclimate.report.charts.svg import ACCENT, INK, SOFT, Figure, chart_of, draw
from acclimate.report.results.finished import Results
from acclimate.report.results.searches import SearchFact, searches
from acclimate.report.tables.trials import search_title
from acclimate.report.words.text import score

WIDTH, HEIGHT = 320, 180
LOG_FROM = 10.0  # values so far apart, as a ratio, stand on a logarithmic axis


def trials_figures(results: Results) -> list[Figure]:
    """A chart for each setting of each search, where at least three values have a score."""
    found = []
    for number, search in enumerate(searches(results)):
        for name in search.names:
            if len({trial.values[name] for trial in search.trials if trial.score is not None}) > 2:
                found.append(_figure(results, search, name, f"search-{number}-{search.names.index(name)}"))
    return found


def _figure(results: Results, search: SearchFact, name: str, file: str) -> Figure:
    import altair as alt

    data = [
        {"value": trial.values[name], "score": trial.score, "kind": "taken" if trial.taken else trial.state}
        for trial in search.trials
        if trial.score is not None
    ]
    values = [trial.values[name] for trial in search.trials]
    logarithmic = min(values) > 0 and max(values) / min(values) >= LOG_FROM
    judged = "dev score" if search.judged_by == "score" else f"dev {results.kind.words(search.judged_by)}"
    x = alt.X("value:Q", title=name + (" (logarithmic)" if logarithmic else ""),
              scale=alt.Scale(type="log" if logarithmic else "linear", zero=False, nice=False, padding=12),
              axis=alt.Axis(grid=False, tickCount=5, format="~g" if not logarithmic else ".0e"))  # fmt: skip
    y = alt.Y("score:Q", title=judged, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=4))
    base = chart_of(data).encode(x=x, y=y)
    chart = alt.layer(
        base.transform_filter("datum.kind == 'done' || datum.kind == 'taken'").mark_line(color=SOFT, strokeWidth=1),
        base.transform_filter("datum.kind == 'pruned'").mark_point(filled=False, size=50, color=SOFT, opacity=1),
        base.transform_filter("datum.kind == 'done'").mark_point(filled=True, size=50, color=INK, opacity=1),
        base.transform_filter("datum.kind == 'taken'").mark_point(filled=True, size=130, color=ACCENT, opacity=1),
    )
    taken = next(trial for trial in search.trials if trial.taken)
    title = search_title(results, search)
    told = f"The large dot was taken ({name} {taken.values[name]:.3g}, {score(taken.score)}); hollow ones ended early."
    caption = f"{title}: {judged} by {name}. {told}"
    return Figure(file, caption, caption, draw(chart, WIDTH, HEIGHT))
