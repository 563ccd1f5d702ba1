"""Items of two texts: how their columns are found, read, and what is to be known of texts that several items share. No torch."""

from collections.abc import Mapping, Sequence

from acclimate.data.corpus import checked_text
from acclimate.data.readers.columns import check_header, detect_column
from acclimate.data.readers.problems import Problems
from acclimate.data.readers.records import Record, Source
from acclimate.errors import DataError
from acclimate.tasks.kind import ColumnRole
from acclimate.tasks.split import Split

# In order of preference; compared without regard to case and surrounding space. What may be an answer rather than a text comes late.
COUPLES = (
    ("text", "text_b"), ("text_a", "text_b"), ("texta", "textb"), ("text1", "text2"), ("text_1", "text_2"), ("text", "text_pair"),
    ("premise", "hypothesis"), ("sentence1", "sentence2"), ("sentence_1", "sentence_2"), ("sentence_a", "sentence_b"),
    ("sentencea", "sentenceb"), ("sent1", "sent2"), ("sent_a", "sent_b"), ("s1", "s2"), ("question1", "question2"),
    ("question_1", "question_2"), ("q1", "q2"), ("#1 string", "#2 string"), ("string1", "string2"),
    ("query", "passage"), ("query", "document"), ("query", "doc"), ("query", "text"), ("query", "product_title"),
    ("question", "passage"), ("question", "context"), ("question", "sentence"), ("question", "document"), ("question", "answer"),
    ("claim", "evidence"), ("headline", "body"), ("context", "response"), ("source", "translation"), ("a", "b"),
)  # fmt: skip
LEAST_REPEATED = 0.05  # of the test pairs, those whose first text came before: fewer are no rule of the data
TEXT = ColumnRole("text", tuple(dict.fromkeys(one for one, _ in COUPLES)), is_text=True)
TEXT_B = ColumnRole("text_b", tuple(dict.fromkeys(other for _, other in COUPLES)), is_text=True)


def paired_columns(
    source: Source, stated: Mapping[str, str], about: ColumnRole, taken: Sequence[str] = ()
) -> tuple[dict[str, str], dict[str, str]]:
    """The columns of both texts and of what is said of them (`about`), by role, and what of the source and of them was detected.

    `stated` are those that the user named, `taken` names what can be no text, unless it is one of a known couple.

    Raises:
        DataError: it is not clear which columns are meant, or one is meant twice.
    """
    found = dict(stated)
    if source.columns:
        check_header(source)
        missing = [role.name for role in (TEXT, TEXT_B) if role.name not in found]
        found |= _couple(source, found, about.name) if missing else {}
        if about.name not in found:
            left = _left(source, (*found.values(), *taken))
            known = next((column for name in about.known_as for column in left if column.strip().casefold() == name), None)
            texts = [role.name for role in (TEXT, TEXT_B) if role.name not in found]
            if known is not None or not texts:
                texts_and_group = (*found.values(), *taken)
                found[about.name] = known or detect_column(about.name, source, texts_and_group, about.known_as)
        missing = [role.name for role in (TEXT, TEXT_B, about) if role.name not in found]
        left = _left(source, (*found.values(), *taken))
        if missing and (about.name in missing or len(left) != len(missing)):
            raise DataError(f"{source.files[0]}: {_unclear(missing, about.name)}; the columns are {', '.join(map(repr, source.columns))}")
        found |= dict(zip(missing, left, strict=False))
    columns = {role.name: found.get(role.name, role.name) for role in (about, TEXT, TEXT_B)}
    twice = next((name for name in columns.values() if [*columns.values()].count(name) > 1), None)
    if twice is not None:
        both = " and ".join(name for name, column in columns.items() if column == twice)
        raise DataError(f"{source.files[0]}: the column {twice!r} cannot be both {both}")
    return columns, dict(source.detected) | {name: column for name, column in columns.items() if name not in stated}


def checked_texts(record: Record, columns: Mapping[str, str], problems: Problems) -> tuple[str, str] | None:
    """Both texts of a record; None where one of them cannot be used, which `problems` gets to know."""
    first = checked_text(record, columns[TEXT.name], problems)
    second = None if first is None else checked_text(record, columns[TEXT_B.name], problems)
    return None if first is None or second is None else (first, second)


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


def _couple(source: Source, stated: Mapping[str, str], about: str) -> dict[str, str]:
    """The columns of the first couple of names that are both there and go with what is stated; none where there is no such couple."""
    by_name = {column.strip().casefold(): column for column in reversed(source.columns) if column != stated.get(about)}
    for one, other in COUPLES:
        couple = {TEXT.name: by_name.get(one), TEXT_B.name: by_name.get(other)}
        if None not in couple.values() and all(stated.get(role, column) == column for role, column in couple.items()):
            return {role: column for role, column in couple.items() if column is not None}
    return {}


def _left(source: Source, taken: Sequence[str]) -> list[str]:
    return [column for column in source.columns if column not in taken and column.strip()]


def _unclear(missing: Sequence[str], about: str) -> str:
    texts = [name for name in missing if name != about]
    if len(texts) == 2:
        also = f", and what is said of them with `{about}:`" if about in missing else ""
        return f"which columns are the two texts? Name them with `text:` and `text_b:`{also}"
    if texts:
        return f"which column is the {'second' if texts[0] == 'text_b' else 'first'} text? Name it with `{texts[0]}:`"
    return f"which column is the {about}? Name it with `{about}:`"
