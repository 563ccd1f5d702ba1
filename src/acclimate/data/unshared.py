"""What of a text may be read beside held-out text: nothing that shares a sentence of eight words or more with it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from acclimate.data.corpus import Corpus
from acclimate.data.held_out import Stretches
from acclimate.data.ragged import IntArray
from acclimate.data.sentences import Digests, SentenceStore, among, sentences
from acclimate.data.tokens import CHUNK_CHARACTERS, CHUNK_DOCUMENTS, TokenStore, chunks, plain


@dataclass(frozen=True)
class Divided:
    """A corpus of which a part is held out."""

    corpus: Corpus
    store: TokenStore
    sentences: SentenceStore
    read: Stretches
    held: Stretches


class LeftOut(NamedTuple):
    """What is not read of a corpus, since it shares a sentence with held-out text."""

    documents: int
    """Of which something is left out."""
    tokens: int


def unshared(parts: Sequence[Divided], tokenizer: Tokenizer) -> list[tuple[Stretches, LeftOut]]:
    """Of each corpus what is left to read when no sentence of it stands in what is held out of any of them.

    Left out is the sentence, or all that is read of a document where that is more than half of it. A sentence that `hold_out` cut, so that
    it stands whole on neither side, stays so in its own document. Texts are read again, a chunk at a time, where sentences must be found in
    them; memory grows with what is held out.

    Raises:
        DataError: the corpus has changed since its tokens were stored.
    """
    whole_text = plain(tokenizer)
    held = np.unique(np.concatenate([_held(part, whole_text) for part in parts]))
    return [_left(part, held, whole_text) for part in parts]


def _documents(store: TokenStore, stretches: Stretches) -> IntArray:
    """[P] the document of each stretch."""
    return np.searchsorted(store.offsets, stretches.begin, side="right") - 1


def _held(part: Divided, tokenizer: Tokenizer) -> Digests:
    """The digests of all sentences that are held out, those among them of which a part is."""
    documents = _documents(part.store, part.held)
    whole = part.held.length == np.diff(part.store.offsets)[documents]
    found = [part.sentences.digests.take(documents[whole]).values]
    for number, text, encoded in _encoded(part, np.unique(documents[~whole]), tokenizer):
        held = _mask(part.store, number, part.held, documents)
        found.append(np.array([digest for first, last, digest in _placed(text, encoded, held) if held[first:last].any()], np.uint64))
    return np.concatenate(found).astype(np.uint64)


def _left(part: Divided, held: Digests, tokenizer: Tokenizer) -> tuple[Stretches, LeftOut]:
    documents = _documents(part.store, part.read)
    concerned = np.intersect1d(part.sentences.with_any(held), documents)
    other = ~np.isin(documents, concerned)
    begins, lengths = [part.read.begin[other]], [part.read.length[other]]
    touched = lost = 0
    for number, text, encoded in _encoded(part, concerned, tokenizer):
        read = _mask(part.store, number, part.read, documents)
        left = read.copy()
        placed = list(_placed(text, encoded, read))
        shared = among(np.array([digest for _, _, digest in placed], np.uint64), held)
        for (first, last, _), is_shared in zip(placed, shared, strict=True):
            if is_shared and read[first:last].all():
                left[first:last] = False
        if 2 * left.sum() < read.sum():
            left[:] = False
        less = int(read.sum() - left.sum())
        touched, lost = touched + (less > 0), lost + less
        edges = np.flatnonzero(np.diff(left.astype(np.int8), prepend=0, append=0)).reshape(-1, 2)
        begins.append(part.store.offsets[number] + edges[:, 0])
        lengths.append(edges[:, 1] - edges[:, 0])
    begin, length = np.concatenate(begins).astype(np.int64), np.concatenate(lengths).astype(np.int64)
    order = np.argsort(begin, kind="stable")
    return Stretches(begin[order], length[order]), LeftOut(touched, lost)


def _mask(store: TokenStore, number: int, stretches: Stretches, documents: IntArray) -> NDArray[np.bool_]:
    """[T] which tokens of a document lie in the stretches, whose documents are `documents` [P], ascending."""
    mask = np.zeros(int(store.offsets[number + 1] - store.offsets[number]), dtype=np.bool_)
    for place in range(*np.searchsorted(documents, [number, number + 1])):
        begin = int(stretches.begin[place] - store.offsets[number])
        mask[begin : begin + int(stretches.length[place])] = True
    return mask


def _encoded(part: Divided, numbers: IntArray, tokenizer: Tokenizer) -> Iterator[tuple[int, str, Encoding]]:
    """The documents of these numbers, ascending, each with where its tokens stand."""
    if not len(numbers):
        return
    wanted = set(numbers.tolist())
    ascending = iter(numbers.tolist())
    # To the end, where the corpus says whether it is still what was tokenised.
    found = (text for number, text in enumerate(part.corpus.documents()) if number in wanted)
    for chunk in chunks(found, CHUNK_DOCUMENTS, CHUNK_CHARACTERS):
        for text, encoded in zip(chunk, tokenizer.encode_batch(chunk, add_special_tokens=False), strict=True):
            yield next(ascending), text, encoded


def _placed(text: str, encoded: Encoding, tokens: NDArray[np.bool_]) -> Iterator[tuple[int, int, int]]:
    """(first token, the one after the last, digest) of every sentence of a document of so many `tokens` [T]."""
    places = np.array(encoded.offsets, dtype=np.int64).reshape(-1, 2)
    begins, ends = np.maximum.accumulate(places[:, 0]), np.maximum.accumulate(places[:, 1])
    for begin, end, digest in sentences(text):
        if len(places) != len(tokens):  # tokens were looked up by the word, in another way than they are here: all of it, to be safe
            yield 0, len(tokens), digest
        else:
            first, last = int(np.searchsorted(ends, begin, side="right")), int(np.searchsorted(begins, end, side="left"))
            if first < last:
                yield first, last, digest
