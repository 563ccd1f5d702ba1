"""Where the texts of a corpus begin among its tokens, when a text is a line or a sentence and not the whole document.

A sentence ends with a line, or where white space follows a full stop, a question or an exclamation mark, as in `sentences.py`. One of fewer
than `LEAST_WORDS` words goes on with the next of its line (the last with the one before it): "Dr." is none, nor is "et al.".

    <folder>/begins.bin    [S] int64 ascending, counted in the corpus's token store; those of documents are not among them
    <folder>/texts.json    key and sizes, checksums
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from tokenizers import Encoding, Tokenizer

from acclimate.data.caches import made_once, mapped, seal_cache
from acclimate.data.corpus import Corpus
from acclimate.data.held_out import Stretches
from acclimate.data.ragged import IntArray
from acclimate.data.tokens import CHUNK_CHARACTERS, CHUNK_DOCUMENTS, TokenStore, chunks, plain
from acclimate.errors import StoreError
from acclimate.files import read_json
from acclimate.locks import SILENT, Patience

Texts = Literal["sentences", "lines", "documents"]
LEAST_WORDS = 4  # of a sentence that stands by itself
RULES = 1  # raise it when the same documents would now be cut elsewhere
BEGINS_FILE, FACTS_FILE = "begins.bin", "texts.json"

_END = re.compile(r"[.!?…][\"'”’)\]]*\s+")


def begins_of(text: str, what: Texts) -> Iterator[int]:
    """Where each text of a document begins, in characters, ascending from the first; lines without a word are none."""
    at = 0
    for line in text.splitlines(keepends=True) if what != "documents" else [text]:
        if line.strip():
            yield from (at + begin for begin in (_sentences(line) if what == "sentences" else [0]))
        at += len(line)


def _sentences(line: str) -> list[int]:
    begins = [0]
    for end in (*(found.end() for found in _END.finditer(line)), len(line)):
        if len(line[begins[-1] : end].split()) >= LEAST_WORDS:
            begins.append(end)
    # What is left after the last of them is nothing, or too short to stand by itself.
    return begins[:-1] or begins


@dataclass(frozen=True, eq=False)
class TextBegins:
    """Where texts begin inside the documents of a token store."""

    begins: IntArray
    """[S] tokens, counted in the store, ascending; the first of a document is not among them."""
    uncut: int = 0
    """Documents that stay whole because their tokens cannot be told apart by the place where they stand."""

    @classmethod
    def build(
        cls, folder: Path, corpus: Corpus, store: TokenStore, tokenizer: Tokenizer, what: Texts, key: str, patience: Patience = SILENT
    ) -> Self:
        """Those of `corpus`, whose tokens are `store`: opened when they are there under this `key`, else found in one streaming pass.

        Raises:
            DataError: the corpus has changed since its tokens were stored.
            DiskFullError: the disk is full.
        """
        if what == "documents":
            return cls(np.zeros(0, np.int64))
        made_once(
            folder,
            FACTS_FILE,
            lambda facts: facts.get("key") == key and cls._of(folder, facts) is not None,
            lambda temporary: _write(temporary, corpus, store, tokenizer, what, key),
            patience,
        )
        return cls._of(folder, read_json(folder / FACTS_FILE))

    @classmethod
    def _of(cls, folder: Path, facts: Any) -> Self:
        try:
            count, uncut = int(facts["begins"]), int(facts["uncut"])
        except (KeyError, TypeError, ValueError) as error:
            raise StoreError(f"{folder / FACTS_FILE}: does not describe texts; remove the folder, it will be built again") from error
        return cls(mapped(folder / BEGINS_FILE, np.dtype("<i8"), count), uncut)

    def cut(self, stretches: Stretches) -> Stretches:
        """The stretches of the store, each of one document and ascending, cut where texts begin inside of them."""
        of = np.searchsorted(stretches.begin, self.begins, side="right") - 1
        ends = stretches.begin + stretches.length
        inside = (of >= 0) & (self.begins < ends[of]) & (self.begins > stretches.begin[of]) if len(ends) else np.zeros(len(of), dtype=bool)
        begin = np.sort(np.concatenate([stretches.begin, self.begins[inside]]))
        last = ends[np.searchsorted(stretches.begin, begin, side="right") - 1]
        return Stretches(begin, np.minimum(np.append(begin[1:], np.iinfo(np.int64).max)[: len(begin)], last) - begin)


def _write(folder: Path, corpus: Corpus, store: TokenStore, tokenizer: Tokenizer, what: Texts, key: str) -> None:
    whole_text = plain(tokenizer)
    number = count = uncut = 0
    with (folder / BEGINS_FILE).open("wb") as file:
        for chunk in chunks(corpus.documents(), CHUNK_DOCUMENTS, CHUNK_CHARACTERS):
            for text, encoded in zip(chunk, whole_text.encode_batch(chunk, add_special_tokens=False), strict=True):
                first, end = store.offsets[number : number + 2].tolist()
                number += 1
                if len(encoded) != end - first:  # its tokens were looked up by the word, in another way than they are here
                    uncut += 1
                    continue
                begins = first + _placed(text, encoded, what)
                file.write(begins.astype("<i8").tobytes())
                count += len(begins)
    seal_cache(folder, FACTS_FILE, {"key": key, "begins": count, "uncut": uncut}, (BEGINS_FILE,))


def _placed(text: str, encoded: Encoding, what: Texts) -> IntArray:
    """The tokens with which texts begin, but for the document's first."""
    places = np.array(encoded.offsets, dtype=np.int64).reshape(-1, 2)
    ends = np.maximum.accumulate(places[:, 1])
    found: IntArray = np.unique(np.searchsorted(ends, np.fromiter(begins_of(text, what), np.int64), side="right"))
    return found[(found > 0) & (found < len(ends))]
