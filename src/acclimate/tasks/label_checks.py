"""Whether what stands in the label column is labels: what noise makes classes of is found before anything is trained on it."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, Literal

from acclimate.data.readers.problems import Problems
from acclimate.data.readers.records import Source
from acclimate.tasks.labels import MISSING, is_missing, label_name, seen
from acclimate.tasks.rows import Rows

OddLabels = Literal["error", "keep"]
NO_CLASSES = "no classes"  # the kind of problem that a column of numbers, dates, ids or texts is

# What benchmarks write in place of the labels that they keep to themselves.
HIDDEN = frozenset({"-", "-1", "-1.0", "-100", "-100.0", "?", *MISSING})

_ESTIMATED = "a number to be estimated (of pairs of texts that is `kind: similarity`, of single texts it is not supported)"
_LIST = re.compile(r"\[\s*(?:|[\"'].*|.*,.*|-?\d+(?:\.\d+)?)\s*\]|\(.*,.*\)|\{\s*[\"'].*\}", re.DOTALL)
_DATE = re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}(?:[ T]\d.*)?|\d{1,2}[-/.]\d{1,2}[-/.](?:\d{4}|\d{2})(?: \d.*)?")
_MONEY = re.compile(r"^(?:[$€£¥]|USD|EUR|GBP)\s*|\s*(?:[$€£¥%]|USD|EUR|GBP)$")
_FIGURES = re.compile(r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)(?P<fraction>[.,]\d+)?(?P<power>[eE][+-]?\d+)?", re.ASCII)
_FEW = 20  # different decimal numbers or dates that may be classes: half stars, a scale in tenths of one
_MOSTLY = 2 / 3  # of the examples have a label of their own: no classes, whatever they are
_WORDS = 8  # labels named in one message
_GROUPS = 5  # groups of like labels named in the plan


@dataclass(frozen=True)
class Odd:
    """Something odd about labels: what is said of it, a label that shows where it stands, and the way on."""

    kind: str
    message: str
    label: str
    mend: str = ""


def check_labels(
    rows: Mapping[str, Rows],
    of: Callable[[Any], Iterable[str]],
    column: str,
    closed: Collection[str] | None,
    odd: OddLabels,
    problems: Problems,
) -> tuple[str, ...]:
    """Look at the labels of train; `problems` gets to know what is odd unless it is kept. What is to be known of them is returned.

    `of` gives the labels in what is right for a row.

    Labels that a closed set names are what they are meant to be.
    """
    train = rows["train"]
    counts = Counter(name for target in train.targets for name in of(target))
    if closed is not None or not counts:
        return ()
    others = [name for split, each in rows.items() if split != "train" for target in each.targets for name in of(target)]
    recur = bool(others) and sum(name in counts for name in others) >= len(others) / 2
    found = [*_no_classes(counts, column, recur), *_lists(counts), *_alike(counts)]
    if odd == "keep":
        missing = [name for name in counts if name in MISSING]
        noted = [f"labels that stand for missing values: {_counted(missing, counts)}"] if missing else []
        return (*noted, *(f"{each.kind}: {each.message}" for each in found[:_GROUPS]), *_more(found))
    first = {name: row for row, target in reversed(list(enumerate(train.targets))) for name in of(target)}
    for each in found:
        message = f"{each.message}{each.mend}; where all of these are classes, say `odd_labels: keep`"
        file, line = train.places[first[each.label]]
        problems.fatal(each.kind, file, line, message)
    return ()


def single_examples(labels: Collection[str], split: bool) -> tuple[str, ...]:
    """What is to be known of classes with one example in train; `split` says that acclimate takes dev or test out of these."""
    counts = Counter(labels)
    once = [name for name, count in counts.items() if count == 1]
    if not once:
        return ()
    stays = ", which stays in train: no split that acclimate makes holds it" if split else ""
    return (f"{len(once):,} of {len(counts):,} labels have one example in train{stays} ({_named(once)})",)


def absent(counts: Mapping[str, int], split: str) -> tuple[str, ...]:
    """What is to be known of labels that a split does not hold."""
    none = [name for name, count in counts.items() if not count]
    if not none:
        return ()
    return (f"{len(none):,} of {len(counts):,} labels have no example in {split}: macro F1 counts them as 0 ({_named(none)})",)


def without_labels(source: Source, columns: Sequence[str], known: Set[str]) -> str | None:
    """Why no row of a source has a label in any of these columns, as benchmarks hide those of test; None where one has.

    `known` are the labels of train. It reads until the first label, so of a split that has labels the first row.
    """
    named = f"{', '.join(map(repr, columns[:_GROUPS]))}{', ...' if len(columns) > _GROUPS else ''}"
    if source.format not in ("jsonl", "rows") and source.columns and not set(columns) & set(source.columns):
        return f"no column {named}"
    met: set[str] = set()
    with Problems(skip_bad=True) as problems:
        for record in source.records(columns, problems):
            for value in map(record.values.get, columns):
                name = str(value) if isinstance(value, float) else label_name(value)
                if is_missing(value) or value == []:
                    met.add("empty or -1" if source.format == "hf" else "empty")  # of a class number the reader makes nothing of -1
                elif name is not None and name.strip() in HIDDEN and name not in known:
                    met.add(name.strip())
                else:
                    return None
    if not met:  # else no row could be read: another mistake
        return f"no column {named}" if source.columns and not set(columns) & set(source.columns) else None
    return f"{named} is {' or '.join(sorted(met))} in every row"


def _no_classes(counts: Counter[str], column: str, recur: bool) -> Iterator[Odd]:
    """A column of numbers, dates, ids or texts. Ids and texts do not come again in another split (`recur`), numbers and dates do."""
    examples, different = counts.total(), len(counts)
    once = sum(count == 1 for count in counts.values())
    repeated = ", none twice" if once == different else f", {once:,} of them once" if once else ""
    few = different <= _FEW and examples >= 3 * different
    numbers, dates = _are_numbers(counts), all(map(_DATE.fullmatch, counts))
    if _are_measured(counts) and not few:
        guess = f"{_ESTIMATED}, or an id"
    elif dates and not few:
        guess = "a date, which cannot be estimated"
    elif not recur and different > 2 and (once == different or (examples >= _FEW and different > examples * (0.5 if numbers else _MOSTLY))):
        guess = f"{_ESTIMATED}, or an id" if numbers else "an id, a title or another text, and not a class"
    else:
        return
    message = f"{different:,} different labels for {examples:,} examples{repeated}: is {column!r} {guess}?"
    yield Odd(NO_CLASSES, message, next(iter(counts)), " Name the label column with `label:`")


def _lists(counts: Counter[str]) -> Iterator[Odd]:
    found = [name for name in counts if _is_list(seen(name))]
    if found:
        rows = sum(counts[name] for name in found)
        message = f"{len(found):,} labels of {rows:,} examples are lists written as text, e.g. {found[0]!r}"
        yield Odd("labels that are lists", message, found[0], "; a label is written without brackets")


def _is_list(name: str) -> bool:
    # The brackets first: without the closing one, the pattern would look at every two commas of a text.
    return name[:1] + name[-1:] in ("[]", "()", "{}") and _LIST.fullmatch(name) is not None


def _alike(counts: Counter[str]) -> Iterator[Odd]:
    for names in _groups(counts, _folded):
        yield Odd("labels that differ in case or white space alone", _counted(names, counts), names[1])
    # Whole numbers that passed through a table with missing values have a point; where others have figures behind it, it is a code's.
    if all(not name.partition(".")[2].strip("0") for name in counts if _FIGURES.fullmatch(name)):
        for names in _groups(counts, lambda name: name.partition(".")[0] if _FIGURES.fullmatch(name) else name):
            yield Odd("whole numbers with and without a point", _counted(names, counts), names[1])


def _groups(counts: Counter[str], of: Callable[[str], str]) -> Iterator[list[str]]:
    """Labels that have something in common, the most frequent first; none that stands alone."""
    groups: dict[str, list[str]] = {}
    for name in counts:
        groups.setdefault(of(name), []).append(name)
    return (sorted(names, key=lambda name: -counts[name]) for names in groups.values() if len(names) > 1)


def _counted(names: list[str], counts: Counter[str]) -> str:
    return ", ".join(f"{name!r} ({counts[name]:,})" for name in names[:_WORDS])


def _folded(name: str) -> str:
    """What labels have in common that differ in case, Unicode normal form, white space, letters of no width or quotes around them alone."""
    words = " ".join(seen(unicodedata.normalize("NFKC", name)).casefold().split())
    return words[1:-1].strip() if len(words) > 2 and words[0] == words[-1] and words[0] in "\"'" else words


def _are_numbers(labels: Collection[str]) -> bool:
    return all(_FIGURES.fullmatch(_MONEY.sub("", name.strip())) for name in labels)


def _are_measured(labels: Collection[str]) -> bool:
    """Whether all labels are numbers, and not whole ones alone: scores, prices, shares. Codes that look so (041.9 beside 250) are none."""
    found = []
    for name in labels:
        plain = _MONEY.sub("", name.strip())
        match = _FIGURES.fullmatch(plain)
        if match is None or re.match(r"[+-]?0\d", plain):
            return False
        found.append((match, plain != name.strip()))
    whole = [not match["power"] and (not match["fraction"] or set(match["fraction"][1:]) == {"0"}) for match, _ in found]
    # A classification of diseases: three figures, and as many behind the point as the case needs.
    three = all(len(re.match(r"\d*", match[0])[0]) == 3 for match, _ in found)  # type: ignore[index]
    codes = three and len({len(match["fraction"] or "") for match, _ in found}) > 1
    return not codes and (not all(whole) or any(money for _, money in found))


def _more(found: Collection[Odd]) -> tuple[str, ...]:
    return (f"and {len(found) - _GROUPS:,} more such",) if len(found) > _GROUPS else ()


def _named(labels: list[str]) -> str:
    return ", ".join(map(repr, labels[:_WORDS])) + (", ..." if len(labels) > _WORDS else "")
