"""The token store: a corpus tokenised once, memory-mapped, with the offsets of its documents.

    <folder>/tokens.bin     all tokens one after the other, little-endian uint16, or uint32 for vocabularies above 65,536
    <folder>/offsets.bin    [D+1] int64: document i is tokens[offsets[i] : offsets[i + 1]]
    <folder>/store.json     key, type and sizes, the documents' bytes among them, checksums

The folder appears by one rename when it is complete. Special tokens are not stored: where they belong depends on the window, not on the
document.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer
from tokenizers.models import BPE, WordLevel, WordPiece

from acclimate.data.caches import made_once, mapped, seal_cache, sealed_facts
from acclimate.data.ragged import IntArray
from acclimate.data.unknown import Unread, unknown_id
from acclimate.data.word_lookup import Encode, WordEncoder, word_separator
from acclimate.errors import DataError, ModelError, SettingsError, StoreError
from acclimate.files import read_json
from acclimate.locks import SILENT, Patience

TOKENS_FILE = "tokens.bin"
OFFSETS_FILE = "offsets.bin"
FACTS_FILE = "store.json"
OFFSET_TYPE = np.dtype("<i8")

# What the Rust encoder gets at once: enough to keep every core busy, little beside the memory of a model (~100 bytes a token).
CHUNK_CHARACTERS = 1 << 20
CHUNK_DOCUMENTS = 4096
CHUNK_TOKENS = 1 << 24  # copied at once

# Byte-level vocabularies write the bytes of space, line feed, tab and carriage return as these letters; SentencePiece marks the space.
BYTE_LEVEL_SPACES = ("\u0120", "\u010a", "\u0109", "\u010d")
METASPACE = "\u2581"

PROBE = "a probe of words"
MASK_NAMES = ("[MASK]", "<mask>")
# With the beginnings of so many documents the look-up of words is tried against the tokenizer itself.
CHECKED_DOCUMENTS = 100
CHECKED_CHARACTERS = 2000


@dataclass(frozen=True, eq=False)
class TokenStore:
    """The tokens of `D` documents; what it holds stays on disk until it is looked at."""

    tokens: npt.NDArray[np.uint16] | npt.NDArray[np.uint32]
    """[total] token ids, without special tokens."""
    offsets: npt.NDArray[np.int64]
    """[D+1] where each document begins; the last entry is `total`."""
    bytes: int = 0
    """Of the documents' text as UTF-8, before it was tokenised; 0 where that is not known."""
    unknown: int = 0
    """Tokens that stand for what the vocabulary cannot read; where it drops that instead, the runs of characters that it drops."""
    unknown_bytes: int = 0
    """Of the text that these stand for."""

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Map a store that `build` wrote.

        Raises:
            StoreError: the folder is missing or damaged.
        """
        return cls._of_facts(folder, sealed_facts(folder, FACTS_FILE))

    @classmethod
    def build(cls, folder: Path, documents: Iterator[str], tokenizer: Tokenizer, key: str, patience: Patience = SILENT) -> Self:
        """The store of `documents` at `folder`: opened when it is there under this `key`, else tokenised and written.

        `key` stands for everything that decides the tokens (corpus and tokenizer). Documents are read only when they are needed, a chunk
        at a time, and are encoded in parallel without special tokens, truncation and padding, whatever the tokenizer's own settings are.
        A document may have no tokens. An interrupted build leaves nothing behind that looks like a store; a second process waits for
        the first.

        Raises:
            DataError: a document is not valid Unicode.
            DiskFullError: the disk is full.
        """
        return cls._once(folder, key, lambda temporary: _write(temporary, documents, tokenizer, key), patience)

    @classmethod
    def join(cls, folder: Path, stores: Sequence[Self], key: str, patience: Patience = SILENT) -> Self:
        """Stores of one vocabulary one after the other: a single one as it is, several as a new store at `folder` under `key`.

        Raises:
            DiskFullError: the disk is full.
        """
        if len(stores) == 1:
            return stores[0]
        return cls._once(folder, key, lambda temporary: _write_joined(temporary, stores, key), patience)

    @classmethod
    def _once(cls, folder: Path, key: str, write: Callable[[Path], None], patience: Patience) -> Self:
        made_once(folder, FACTS_FILE, lambda facts: facts.get("key") == key and cls._of_facts(folder, facts) is not None, write, patience)
        return cls._of_facts(folder, read_json(folder / FACTS_FILE))

    @classmethod
    def _of_facts(cls, folder: Path, facts: Any) -> Self:
        try:
            dtype = np.dtype(facts["dtype"])
            total, documents, *sizes = (int(facts[name]) for name in ("tokens", "documents", "bytes", "unknown", "unknown_bytes"))
        except (KeyError, TypeError, ValueError) as error:
            raise StoreError(
                f"{folder / FACTS_FILE}: does not describe a token store; remove the folder, it will be built again"
            ) from error
        return cls(mapped(folder / TOKENS_FILE, dtype, total), mapped(folder / OFFSETS_FILE, OFFSET_TYPE, documents + 1), *sizes)

    @property
    def documents(self) -> int:
        """D."""
        return len(self.offsets) - 1

    @property
    def total(self) -> int:
        """Tokens in all documents."""
        return len(self.tokens)

    @property
    def unknown_share(self) -> float:
        """Of the tokens, those that are unknown to the vocabulary: 0 to 1."""
        return min(1.0, self.unknown / max(1, self.total, self.unknown))

    def __len__(self) -> int:
        return self.documents

    def __getitem__(self, document: int) -> npt.NDArray[np.uint16] | npt.NDArray[np.uint32]:
        """The tokens of one document; negative numbers count from the end."""
        if not -self.documents <= document < self.documents:
            raise IndexError(f"document {document} of {self.documents}")
        document %= self.documents
        return self.tokens[self.offsets[document] : self.offsets[document + 1]]


def special_ids(tokenizer: Tokenizer) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The special tokens that stand before and after a single text, e.g. `((101,), (102,))` for `[CLS] ... [SEP]`.

    Raises:
        ModelError: special tokens cannot be told from the text: it loses or changes its own tokens.
    """
    plain_tokenizer = plain(tokenizer)
    bare = plain_tokenizer.encode(PROBE, add_special_tokens=False).ids
    full = plain_tokenizer.encode(PROBE, add_special_tokens=True).ids
    for begin in range(len(full) - len(bare) + 1 if bare else 0):
        end = begin + len(bare)
        if full[begin:end] == bare:
            return tuple(full[:begin]), tuple(full[end:])
    raise ModelError(
        f"the tokenizer makes {bare} of {PROBE!r}, but {full} with special tokens: where they belong cannot be told — "
        "choose a base whose tokenizer puts them around the text"
    )


def mask_token(tokenizer: Tokenizer, what_for: str) -> tuple[int, str]:
    """The id of the mask, and how it is written; `what_for` says in the message what cannot be done without one.

    Raises:
        ModelError: the vocabulary has none.
    """
    found = [(number, name) for name in MASK_NAMES if (number := tokenizer.token_to_id(name)) is not None]
    if not found:
        raise ModelError(f"the tokenizer has no mask token (looked for {', '.join(MASK_NAMES)}), so this base cannot {what_for}")
    return found[0]


def special_tokens(tokenizer: Tokenizer) -> npt.NDArray[np.bool_]:
    """[V] True for ids that are no text ([CLS], [PAD], [UNK], ...): they are neither masked nor drawn as random replacements."""
    table = np.zeros(_vocabulary_size(tokenizer), dtype=np.bool_)
    table[[token for token, added in tokenizer.get_added_tokens_decoder().items() if added.special]] = True
    if (unknown := unknown_id(tokenizer)) is not None:  # not every tokenizer marks it
        table[unknown] = True
    return table


def word_starts(tokenizer: Tokenizer) -> npt.NDArray[np.bool_]:
    """[V] True for tokens that begin a word, whatever stands before them.

    Words are what the vocabulary marks as such: WordPiece pieces without `##`, byte-level pieces that begin with a space (or another
    white-space byte), SentencePiece pieces that begin with U+2581.

    Raises:
        SettingsError: the vocabulary does not mark where words begin.
    """
    model = tokenizer.model
    table = np.zeros(_vocabulary_size(tokenizer), dtype=np.bool_)
    if isinstance(model, WordLevel):
        return ~table
    pieces = tokenizer.get_vocab(with_added_tokens=True)
    added = tokenizer.get_added_tokens_decoder()
    marked_continuation = model.continuing_subword_prefix if isinstance(model, WordPiece | BPE) else None
    if marked_continuation:
        starts = [token for piece, token in pieces.items() if not piece.startswith(marked_continuation)]
    elif isinstance(model, BPE) and model.end_of_word_suffix:
        starts = []  # it marks ends, which say nothing about the token at hand
    else:
        # A vocabulary of one kind may hold the other's letter as plain text, but rarely: the more frequent mark is the real one.
        words = {piece: token for piece, token in pieces.items() if token not in added}
        by_mark = ([token for piece, token in words.items() if piece.startswith(marks)] for marks in (BYTE_LEVEL_SPACES, METASPACE))
        starts = max(by_mark, key=len)
    if not starts:
        raise SettingsError(
            "whole_word: this model's vocabulary does not mark where words begin — set whole_word: false, or masking: tokens"
        )
    table[starts] = True
    table[list(added)] = True  # an added token is a word of its own
    return table


def _write(folder: Path, documents: Iterator[str], tokenizer: Tokenizer, key: str) -> None:
    dtype = np.dtype("<u2" if _vocabulary_size(tokenizer) <= 1 << 16 else "<u4")
    plain_tokenizer = plain(tokenizer)
    encode: Encode | None = None
    unread = Unread.by(plain_tokenizer)
    total, count, size = 0, 0, 0
    unknown: IntArray = np.zeros(2, np.int64)
    with (folder / TOKENS_FILE).open("wb") as tokens_file, (folder / OFFSETS_FILE).open("wb") as offsets_file:
        offsets_file.write(np.zeros(1, OFFSET_TYPE).tobytes())
        for chunk in chunks(documents, CHUNK_DOCUMENTS, CHUNK_CHARACTERS):
            encode = encode or _encoder(plain_tokenizer, unread, dtype, chunk[:CHECKED_DOCUMENTS])
            ids, lengths = _encode(encode, chunk, count)
            unknown += encode.unread() if isinstance(encode, WordEncoder) else unread.counts(chunk, ids, lengths).sum(axis=0)
            tokens_file.write(ids.tobytes())
            offsets_file.write((total + np.cumsum(lengths)).astype(OFFSET_TYPE).tobytes())
            total, count = total + len(ids), count + len(chunk)
            size += sum(len(text) if text.isascii() else len(text.encode()) for text in chunk)
    _write_facts(folder, key, dtype, total, count, size, *unknown.tolist())


def _write_joined(folder: Path, stores: Sequence[TokenStore], key: str) -> None:
    dtype = np.result_type(*(store.tokens.dtype for store in stores)).newbyteorder("<")
    total = sum(store.total for store in stores)
    with (folder / TOKENS_FILE).open("wb") as tokens_file, (folder / OFFSETS_FILE).open("wb") as offsets_file:
        offsets_file.write(np.zeros(1, OFFSET_TYPE).tobytes())
        begin = 0
        for store in stores:
            for at in range(0, store.total, CHUNK_TOKENS):
                tokens_file.write(store.tokens[at : at + CHUNK_TOKENS].astype(dtype).tobytes())
            offsets_file.write((store.offsets[1:] + begin).astype(OFFSET_TYPE).tobytes())
            begin += store.total
    sums = (sum(getattr(store, name) for store in stores) for name in ("documents", "bytes", "unknown", "unknown_bytes"))
    _write_facts(folder, key, dtype, total, *sums)


def _write_facts(
    folder: Path, key: str, dtype: np.dtype[Any], tokens: int, documents: int, size: int, unknown: int, unknown_bytes: int
) -> None:
    counts = {"tokens": tokens, "documents": documents, "bytes": size, "unknown": unknown, "unknown_bytes": unknown_bytes}
    seal_cache(folder, FACTS_FILE, {"key": key, "dtype": dtype.str, **counts}, (TOKENS_FILE, OFFSETS_FILE))


def chunks(documents: Iterable[str], most_documents: int, most_characters: int) -> Iterator[list[str]]:
    """The documents in lists of at most so many; one ends where it has so many characters."""
    chunk: list[str] = []
    characters = 0
    for document in documents:
        chunk.append(document)
        characters += len(document)
        if characters >= most_characters or len(chunk) == most_documents:
            yield chunk
            chunk, characters = [], 0
    if chunk:
        yield chunk


def _encoder(tokenizer: Tokenizer, unread: Unread, dtype: np.dtype[Any], first: list[str]) -> Encode:
    """The fastest way to the tokenizer's own ids; `first` are the documents with which the corpus begins."""
    by_the_document = _by_the_document(tokenizer, dtype)
    separator = word_separator(tokenizer)
    if separator is None:
        return by_the_document
    by_the_word = WordEncoder(by_the_document, separator, unread)
    # Wrong ids would be noticed by nobody, so a tokenizer that is not what it seems is found out before the first is written.
    texts = [*(text[:CHECKED_CHARACTERS] for text in first), PROBE]
    both = zip(_encode(by_the_document, texts, 0), _encode(by_the_word, texts, 0), strict=True)
    return by_the_word if all(np.array_equal(*pair) for pair in both) else by_the_document


def _by_the_document(tokenizer: Tokenizer, dtype: np.dtype[Any]) -> Encode:
    # The fast one skips character offsets, which nobody reads here; older versions of the library do not have it.
    encode_batch = partial(getattr(tokenizer, "encode_batch_fast", tokenizer.encode_batch), add_special_tokens=False)

    def encode(texts: list[str]) -> tuple[npt.NDArray[Any], IntArray]:
        encoded = [encoding.ids for encoding in encode_batch(texts)]
        lengths = np.array([len(ids) for ids in encoded], dtype=np.int64)
        return np.fromiter(chain.from_iterable(encoded), dtype, int(lengths.sum())), lengths

    return encode


def encoded(tokenizer: Tokenizer, texts: Sequence[str]) -> tuple[IntArray, IntArray]:
    """The ids [T] of a few texts one after the other, without special tokens, and how many [D] each text has.

    Raises:
        DataError: a text is not valid Unicode.
        ModelError: the tokenizer cannot encode a text.
    """
    return _encode(_by_the_document(plain(tokenizer), np.dtype(np.int64)), list(texts), 0)


def _encode(encode: Encode, texts: list[str], first: int) -> tuple[npt.NDArray[Any], IntArray]:
    try:
        return encode(texts)
    except TypeError as error:
        # The library says no more than "wrong type" of a text that has no UTF-8 form, so the document is looked for here.
        for number, text in enumerate(texts, start=first + 1):
            try:
                text.encode()
            except UnicodeEncodeError as cause:
                raise DataError(
                    f"document {number} of the corpus holds half of a surrogate pair (character {cause.start + 1}), which is not text — "
                    r"a broken \ud800-like escape in JSON?"
                ) from error
        raise
    except Exception as error:
        if type(error) is not Exception:
            raise
        # The library raises a bare one where a word is unknown and there is no token to say so.
        raise ModelError(
            f"the tokenizer gave up at documents {first + 1:,} to {first + len(texts):,} of the corpus ({error}): it has no token for what "
            "it does not know; give its vocabulary one, or choose another base"
        ) from error


def plain(tokenizer: Tokenizer) -> Tokenizer:
    """The tokenizer without its own truncation and padding; a copy, so that the caller's keeps them."""
    if tokenizer.padding is None and tokenizer.truncation is None:
        return tokenizer
    copy = Tokenizer.from_str(tokenizer.to_str())
    copy.no_padding()
    copy.no_truncation()
    return copy


def _vocabulary_size(tokenizer: Tokenizer) -> int:
    # Not the number of entries: a vocabulary may have holes.
    return max(tokenizer.get_vocab(with_added_tokens=True).values(), default=-1) + 1
