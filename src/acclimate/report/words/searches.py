"""What is said where recipes were searched unequally: one that was tried more often had more chances to fit dev."""

from acclimate.report.results.finished import Results
from acclimate.report.results.searches import trials_of
from acclimate.report.words.text import listing, quoted


def unequal_searches(results: Results) -> str:
    """A sentence; empty where every recipe had as many trials as the others."""
    trials = trials_of(results)
    if len(trials) < 2 or len(set(trials.values())) < 2:
        return ""
    by_count: dict[int, list[str]] = {}
    for recipe, count in trials.items():
        by_count.setdefault(count, []).append(recipe)
    told = []
    for count in sorted(by_count, reverse=True):
        names, several = by_count[count], len(by_count[count]) > 1
        had = "were not searched" if several else "was not searched"
        each = " each" if several else ""
        told.append(f"{listing(list(map(quoted, names)))} " + (f"had {count} trial{'s' if count > 1 else ''}{each}" if count else had))
    return f"The recipes were not searched alike: {'; '.join(told)}. A part of their differences may come from that."
