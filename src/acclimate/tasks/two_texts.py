"""Items of two texts: how their columns are found, read, and what is to be known of texts that several items share. No torch."""

from collections.abc import Mapping, Sequence

from acclimate.data.readers.columns import check_header
from acclimate.data.readers.couples import COUPLES, TEXTS, couple, refuse_txt
from acclimate.data.readers.every_text import Asked
from acclimate.data.readers.records import Source
from acclimate.data.readers.texts import checked_texts
from acclimate.errors import DataError
from acclimate.tasks.kind import ColumnRole
from acclimate.tasks.split import Split

LEAST_REPEATED = 0.05  # of the test pairs, those whose first text came before: fewer are no rule of the data
TEXT = ColumnRole("text", tuple(dict.fromkeys(one for one, _ in COUPLES)), is_text=True)
TEXT_B = ColumnRole("text_b", tuple(dict.fromkeys(other for _, other in COUPLES)), is_text=True)


def asked_pair(source: Source, stated: Mapping[str, str]) -> Asked:
    """Two texts, whether anything is said of them or not; `stated` are the columns that the user named.

    Raises:
        DataError: it is not clear which columns hold them.
    """
    refuse_txt(source, "this model answers pairs")
    found = _found(source, stated, None, ())
    columns = {name: found[name] for name in TEXTS}
    return Asked(columns, lambda record, problems: checked_texts(record, tuple(columns.values()), problems))


def paired_columns(
    source: Source, stated: Mapping[str, str], about: ColumnRole, taken: Sequence[str] = ()
) -> tuple[dict[str, str], dict[str, str]]:
    """The columns of both texts and of what is said of them (`about`), by role, and what of the source and of them was detected.

    `stated` are those that the user named, `taken` names what can be no text, unless it is one of a known couple.

    Raises:
        DataError: it is not clear which columns are meant, or one is meant twice.
    """
    found = _found(source, stated, about, taken)
    columns = {name: found[name] for name in (about.name, *TEXTS)}
    return columns, dict(source.detected) | {name: column for name, column in columns.items() if name not in stated}


def shared_first_texts(splits: Mapping[str, Split], made: Sequence[str], column: str) -> tuple[str, ...]:
    """What is to be known of first texts that several pairs share, where nothing says that these belong together."""
    test = splits["test"].inputs[0]
    train, distinct = set(splits["train"].inputs[0]), set(test)
    both = distinct & train
    told = []
    if both:
        pairs = sum(text in both for text in test)
        mend = (
            f"say `group: {column}` to keep their pairs in one split"
            if "test" in made
            else f"a split that acclimate makes, of all pairs in one file with `group: {column}`, keeps their pairs together"
        )
        told.append(
            f"{len(both):,} of the {len(distinct):,} different first texts of test stand in train, with {pairs:,} of its {len(test):,} "
            f"pairs: what was learned of them may flatter the scores; {mend}"
        )
    if len(test) - len(distinct) >= LEAST_REPEATED * len(test):
        told.append(
            f"{len(test):,} test pairs have {len(distinct):,} different first texts: verdicts take pairs as independent; say "
            f"`group: {column}` where those of one text belong together"
        )
    return tuple(told)


def _found(source: Source, stated: Mapping[str, str], about: ColumnRole | None, taken: Sequence[str]) -> dict[str, str]:
    """By role the column of each text, and of what is said of them where that is asked for.

    Known couples of names come first, then the other names by which `about` is known; two columns that are left are the texts.
    """
    roles = (*TEXTS, *([about.name] if about else []))
    if not source.columns:
        return {role: stated.get(role, role) for role in roles}  # so that the reader of its rows says what is wrong
    check_header(source)
    found = dict(stated)
    if any(role not in found for role in TEXTS):
        found |= couple(source, [stated[about.name]] if about and about.name in stated else [], stated)
    if about and about.name not in found:
        left = _left(source, (*found.values(), *taken))
        known = (column for name in about.known_as for column in left if column.strip().casefold() == name)
        only = left[0] if len(left) == 1 and all(role in found for role in TEXTS) else None
        if (column := next(known, only)) is not None:
            found[about.name] = column
    missing, left = [role for role in roles if role not in found], _left(source, (*found.values(), *taken))
    if missing and (len(left) != len(missing) or (about and about.name in missing)):
        source.check_columns(tuple(stated.values()))  # a name that is not there is the better reason
        scored = about is not None and about.name == "label" and "score" in source.columns
        hint = " (pairs with scores are of `kind: similarity`)" if scored and missing == ["label"] else ""
        raise DataError(f"{source.files[0]}: {_unclear(missing)}; the columns are {', '.join(map(repr, source.columns))}{hint}")
    found |= dict(zip(missing, left, strict=True) if missing else ())
    twice = next((column for column in found.values() if [*found.values()].count(column) > 1), None)
    if twice is not None:
        both = " and ".join(role for role in roles if found[role] == twice)
        raise DataError(f"{source.files[0]}: the column {twice!r} cannot be both {both}")
    return found


def _left(source: Source, taken: Sequence[str]) -> list[str]:
    return [column for column in source.columns if column not in taken and column.strip()]


def _unclear(missing: Sequence[str]) -> str:
    texts, others = [role for role in missing if role in TEXTS], [role for role in missing if role not in TEXTS]
    if len(texts) == 2:
        also = f", and what is said of them with `{others[0]}:`" if others else ""
        return f"which columns are the two texts? Name them with `text:` and `text_b:`{also}"
    if texts:
        return f"which column is the {'second' if texts[0] == TEXT_B.name else 'first'} text? Name it with `{texts[0]}:`"
    return f"which column is the {others[0]}? Name it with `{others[0]}:`"
