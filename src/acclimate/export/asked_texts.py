"""The texts on which an export is compared with its model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from acclimate.data.corpus import CorpusSettings
from acclimate.data.found_words import found_words
from acclimate.data.general import general_heldout
from acclimate.data.ragged import Ragged
from acclimate.data.readers.every_text import every_text
from acclimate.errors import DataError
from acclimate.evaluation.asked_rows import texts_of_files
from acclimate.evaluation.labelled_file import LabelledItems
from acclimate.tasks.kind import many

MOST = 1_000  # texts of a file without labels
DOCUMENTS, SENTENCES = 4, 28  # of what comes along: some as long as a model reads, and beginnings of others


@dataclass(frozen=True)
class AskedTexts:
    """Columns of texts [N]."""

    columns: Sequence[Sequence[str]]
    words: Ragged | None
    """As in `Split.words`, where every word is asked about."""
    what: str
    """What they are, for a sentence."""

    @property
    def count(self) -> int:
        """N."""
        return len(self.columns[0])


def of_judged(judged: LabelledItems, where: str) -> AskedTexts:
    """All of these items."""
    return AskedTexts(judged.split.inputs, judged.split.words, f"{many(judged.kind.item)} of {where}")


def of_file(file: str, reading: Mapping[str, Any], split: str | None) -> AskedTexts:
    """The texts of a file, at most the first thousand.

    Raises:
        DataError: it cannot be read, or holds no text.
    """
    texts = _first(MOST, file, reading, split)
    if not texts:
        raise DataError(f"{file}: there is no text")
    return AskedTexts((texts,), None, f"texts of {file}" + (" (the first of them)" if len(texts) == MOST else ""))


def of_sample(columns: int, words: bool, empty: bool) -> AskedTexts:
    """Texts that come along: a few whole documents, sentences of all lengths, and, where a model answers that, an `empty` one; of pairs
    each beside another."""
    documents = _first(DOCUMENTS + SENTENCES, str(general_heldout()), {}, None)
    texts = documents[:DOCUMENTS]
    texts += [" ".join(document.split()[: 2 + number * number // 8]) for number, document in enumerate(documents[DOCUMENTS:])]
    texts += [*([""] if empty else []), "Naïve café №5: 日本語 😀"]
    asked = (texts, texts[1:] + texts[:1])[:columns]
    return AskedTexts(asked, found_words(texts) if words else None, "texts that come with acclimate")


def _first(most: int, file: str, reading: Mapping[str, Any], split: str | None) -> list[str]:
    source, wanted = texts_of_files(CorpusSettings(path=file, **reading), split)
    return [row.texts[0] for row in islice(every_text(source, wanted), most) if row.texts is not None]
