"""How a value is written for people: numbers with their units, and text from data made inert."""

import unicodedata
from collections.abc import Iterable

from acclimate.inert import one_line
from acclimate.settings import per_class

_SUFFIXES = "kMGTPEZ"
_RIGHT_TO_LEFT = frozenset({"R", "AL"})


def quoted(name: str) -> str:
    """A name from the study inside a sentence: in quotes, and unable to turn the sentence's direction around."""
    name = one_line(name)
    if any(unicodedata.bidirectional(character) in _RIGHT_TO_LEFT for character in name):
        name = f"\u2068{name}\u2069"
    return f"“{name}”"


def score(value: float | None) -> str:
    """A metric with three decimals, as the files hold it: no per cent, no rescaling."""
    return "–" if value is None else f"{value:.3f}"


def curve_name(name: str) -> str:
    """What a learning curve is of, as its file calls it, in words: `held-out loss`, `dev macro f1`."""
    return {"loss": "training loss", "heldout_loss": "held-out loss"}.get(name, name.replace("_", " "))


def signed(value: float | None) -> str:
    """A difference of metrics with its sign; a rounded zero has none."""
    if value is None:
        return "–"
    return with_sign(value, 3)


def with_sign(value: float, decimals: int) -> str:
    """A number with its sign, a true minus rather than a hyphen; a rounded zero has none."""
    written = f"{value:+.{decimals}f}"
    return written[1:] if float(written) == 0 else written.replace("-", "\u2212")


def interval(low: float | None, high: float | None) -> str:
    """`+0.015 to +0.053`, or a dash where one seed gives no interval."""
    return "–" if low is None or high is None else f"{signed(low)} to {signed(high)}"


def duration(seconds: float | None) -> str:
    """`0.4 s`, `48 s`, `3 min 20 s`, `2 h 05 min`."""
    if seconds is None:
        return "–"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def moment(seconds: float) -> str:
    """A short time with three digits: `0.21 ms`, `34.2 ms`, `1.25 s`."""
    value, unit = (seconds, "s") if seconds >= 1 else (1000 * seconds, "ms")
    return f"{value:.{2 if value < 10 else 1 if value < 100 else 0}f} {unit}"


def amount(value: float | None) -> str:
    """A count with a thousands suffix: `950`, `12.3 k`, `22.7 M`, `3 P`."""
    if value is None:
        return "–"
    power = 0
    # Rounded before it is compared: 999,950 is 1 M, not 1000 k.
    while abs(round(value, 1)) >= 1000 and power < len(_SUFFIXES):
        value, power = value / 1000, power + 1
    return f"{value:.1f}".removesuffix(".0") + (f" {_SUFFIXES[power - 1]}" if power else "")


def size(bytes_: float | None) -> str:
    """Bytes: `90.9 MB`."""
    return "–" if bytes_ is None else f"{amount(bytes_)}B" if bytes_ >= 1000 else f"{amount(bytes_)} B"


def percent(share: float) -> str:
    """A share between 0 and 1: `1.2 %`; a share that is not nothing is never written as zero."""
    return "< 0.1 %" if 0 < share < 0.0005 else f"{100 * share:.1f} %"


def label_count(labels: str) -> str:
    """A label budget: `500`, `10,000`, `8 per class` or `all`."""
    return f"{int(labels):,}" if labels.isdecimal() else labels


def with_labels(*budgets: str) -> str:
    """`with 500 labels`, `with 500, 10,000 and all labels`, `with 8 labels per class`."""
    if any(per_class(labels) for labels in budgets):
        return f"with {listing([labels_of(labels) for labels in budgets])}"
    return f"with {listing([label_count(labels) for labels in budgets])} label" + ("" if budgets == ("1",) else "s")


def labels_of(budget: str) -> str:
    """`500 labels`, `8 labels per class`."""
    each = per_class(budget)
    if each is None:
        return f"{label_count(budget)} label{'' if budget == '1' else 's'}"
    return f"{each:,} label{'' if each == 1 else 's'} per class"


def recipe_names(recipes: Iterable[str]) -> str:
    """Names of recipes in a cell, one after the other: told apart by commas, or by semicolons where a name has a comma itself."""
    listed = list(recipes)
    return ("; " if any("," in name for name in listed) else ", ").join(listed)


def listing(words: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`, and `a, b, c and 4 more`."""
    if len(words) > 4:
        words = [*words[:3], f"{len(words) - 3} more"]
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]
