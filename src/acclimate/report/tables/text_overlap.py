"""How alike texts are, as tables: facts of each, and each beside every other one, shaded."""

from collections.abc import Callable, Mapping
from itertools import combinations
from typing import Any

from acclimate.report.tables.chosen import SHADES, Shaded
from acclimate.report.tables.grid import Grid
from acclimate.report.words.text import percent

Facts = Mapping[str, Any]
FEW = 4  # texts of which each two are told on a line
Cells = dict[str, Callable[[Any], str]]

_OF_A_TEXT: Cells = {
    "documents": "{:,}".format,
    "looked_at": "{:,}".format,
    "left_out": "{:,}".format,
    "words": "{:,}".format,
    "different_words": "{:,}".format,
    "tokens_per_word": "{:.2f}".format,
    "unknown_share": percent,
    "masked_loss": "{:.3f}".format,
}


def texts_grid(facts: Facts) -> Grid:
    """What was looked at of each text and, where a base read it, what it is to that one."""
    texts: Mapping[str, Facts] = facts["texts"]
    told = [name for name in _OF_A_TEXT if any(text.get(name) is not None for text in texts.values())]
    rows = tuple(
        (name, *("–" if text.get(what) is None else _OF_A_TEXT[what](text[what]) for what in told)) for name, text in texts.items()
    )
    by = f"; tokens, unknown ones and masked loss (nats a masked token) are those of {facts['model']}" if facts.get("model") else ""
    sample = f"; of each {facts['sample']}" if facts.get("sample") else ""
    caption = f"The texts that were compared{sample}; words are counted without {facts['stop_words']}{by}"
    return Grid(caption, ("text", *(what.replace("_", " ").removesuffix(" share") for what in told)), rows)


def matrices(facts: Facts) -> list[Shaded]:
    """Each text beside every one: the words that they share, and how far apart the frequencies are. Dark is alike."""
    most = f"{facts['most_words']:,} most frequent words"
    return [
        _shaded(
            facts["overlap"], "Vocabulary overlap",
            f"Vocabulary overlap, %: of the {most} of one text those that are among the other's (Gururangan et al. 2020, section 3.1)",
            lambda share: f"{100 * share:.1f}", lambda share: share,
        ),
        _shaded(
            facts["jaccard"], "Words of both among words of either",
            f"Words of both among words of either, %: the {most} of each, as the authors' script counts their figure 2 (Jaccard)",
            lambda share: f"{100 * share:.1f}", lambda share: share,
        ),
        _shaded(
            facts["divergence"], "Jensen-Shannon divergence",
            "Jensen-Shannon divergence of the frequencies of these words, bits: 0 is the same, 1 shares nothing",
            "{:.3f}".format, lambda bits: 1 - bits,
        ),
    ]  # fmt: skip


def overlap_line(facts: Facts) -> str:
    """The vocabulary overlap of each two texts on one line; of many, that of the first (the task's) with each."""
    names = list(facts["texts"])
    pairs = list(combinations(names, 2)) if len(names) <= FEW else [(names[0], other) for other in names[1:]]
    told = (f"{one} and {other} {percent(facts['overlap'][one][other])}" for one, other in pairs)
    return f"vocabulary overlap of samples: {', '.join(told)}"


def _shaded(
    measured: Mapping[str, Mapping[str, float]], title: str, caption: str, written: Callable[[float], str], alike: Callable[[float], float]
) -> Shaded:
    values = [list(row.values()) for row in measured.values()]
    cells = tuple(tuple(map(written, row)) for row in values)
    shades = tuple(tuple(min(int(SHADES * alike(value)), SHADES - 1) for value in row) for row in values)
    return Shaded(title, caption, tuple(measured), cells, shades)
