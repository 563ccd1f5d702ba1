"""General text by which forgetting is measured: a few documents that no stage learns from, of the packaged corpus or of the study's own."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np

from acclimate.data.corpus import CorpusSettings
from acclimate.data.general import GENERAL, general_heldout
from acclimate.errors import SettingsError, did_you_mean
from acclimate.files import digest_json
from acclimate.tasks.held_documents import Held, beginning, of_corpus, of_files
from acclimate.tasks.kind import Place
from acclimate.tasks.split import Split

DOCUMENTS, CHARACTERS = 100, 300  # enough to see a hundredth of a bit per byte, few enough to be asked of every model of a study
HELDOUT_SHARE = 0.05  # of a corpus of the study, at most
FILE = "general_text.parquet"  # bits and bytes of each document, in the artifact of a measurement
SLIVER = 4  # documents of a smoke run


@dataclass(frozen=True)
class GeneralText:
    """Documents, each of at most `CHARACTERS` characters."""

    name: str
    """Of the corpus that they are held out of."""
    documents: tuple[str, ...]
    withheld: frozenset[int] = frozenset()
    """The digests of the documents of the study's corpora that no stage may read."""

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the documents."""
        return digest_json(["general text", *self.documents])

    @cached_property
    def split(self) -> Split:
        """The documents as what is judged by."""
        count = len(self.documents)
        return Split((self.documents,), np.zeros(count, np.int64), np.arange(count), (), None, (self.name,))

    def sliver(self) -> Self:
        """A handful of the documents."""
        return replace(self, documents=self.documents[:SLIVER])

    @classmethod
    def open(cls, name: str, corpora: Mapping[str, CorpusSettings], root: Path) -> Self:
        """The text of this name: `acclimate-general`, which comes with the package, or a corpus of the study.

        Of a corpus the documents with the smallest digests are taken, and are held out of every corpus of the study (`withheld`).

        Raises:
            DataError: the corpus cannot be read, or has too few documents.
            SettingsError: there is no such corpus.
        """
        place = Place(root)
        if name not in corpora and name != GENERAL:
            known = [*corpora, GENERAL]
            raise SettingsError(f"forgetting: there is no corpus {name!r}{did_you_mean(name, known)}; there are {', '.join(known)}")
        if name not in corpora or corpora[name].path == GENERAL:
            held = of_files(GENERAL, CorpusSettings(path=str(general_heldout()), documents="line"), place, DOCUMENTS)
            return cls(GENERAL, _texts(held))
        instead = "measure on the text that comes with acclimate: `forgetting: true`"
        held = of_corpus(name, corpora[name], place, HELDOUT_SHARE, DOCUMENTS, "forgetting", instead)
        return cls(name, _texts(held), frozenset(document.digest for document in held.documents))


def _texts(held: Held) -> tuple[str, ...]:
    return tuple(beginning(document.text, CHARACTERS) for document in held.documents)
