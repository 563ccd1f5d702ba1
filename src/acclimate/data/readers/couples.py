"""Which two columns are the texts of a pair: by the names that such columns usually have, in couples."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from acclimate.data.readers.columns import detect_column
from acclimate.errors import DataError

if TYPE_CHECKING:
    from acclimate.data.readers.records import Source

TEXTS = ("text", "text_b")
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


def couple(source: "Source", taken: Sequence[str] = (), stated: Mapping[str, str] = {}) -> dict[str, str]:
    """The columns of the first couple of names that are both there and go with what is stated; none where there is no such couple."""
    by_name = {column.strip().casefold(): column for column in reversed(source.columns) if column not in taken}
    for names in COUPLES:
        couple = {role: by_name[name] for role, name in zip(TEXTS, names, strict=True) if name in by_name}
        if len(couple) == 2 and all(stated.get(role, column) == column for role, column in couple.items()):
            return couple
    return {}


def text_columns(source: "Source", text: str | None, text_b: str | None) -> tuple[str, ...]:
    """The column of a text without labels; the two of a pair where the second is stated. The first is detected when not given.

    Raises:
        DataError: it is not clear which column is the first, both are one, or there are no columns.
    """
    if text_b is None:
        return (text if text is not None else detect_column("text", source),)
    refuse_txt(source, f"`text_b: {text_b}` names a second column")
    source.check_columns((text_b,))
    first = text if text is not None else couple(source, stated={"text_b": text_b}).get("text") or detect_column("text", source, (text_b,))
    if first == text_b:
        raise DataError(f"{source.files[0]}: the column {text_b!r} cannot be both text and text_b")
    return first, text_b


def refuse_txt(source: "Source", why: str) -> None:
    """Refuse pairs in plain text; `why` some are wanted.

    Raises:
        DataError: the files are plain text.
    """
    if source.format == "txt":
        raise DataError(f"{source.files[0]}: {why}, and a line of a txt file is one text; give a table or jsonl")
