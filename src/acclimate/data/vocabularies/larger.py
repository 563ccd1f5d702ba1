"""A tokenizer with more entries: words that it wrote in pieces, as real entries of its model, not as added tokens, which slow it down.

What comes of it, kind by kind:

* WordPiece gets the word as an entry. It takes the longest entry that fits, so a text changes only at words that begin with a new one.
* BPE gets merges that put the word's pieces together from left to right, after all others, and entries for what they make by the way. All
  old merges come first, so a text changes only where one of the new is done, and every merge makes it shorter.
* Unigram gets the word with the score of its pieces and a trifle more, the more the longer it is, so that it wins against just these pieces
  and against shorter new entries. What an unknown character costs there depends on the lowest score, so a text may also change where a
  character stands in longer entries alone.

With WordPiece, and where scores are equal with Unigram, a word that begins with a new entry may need more pieces than before: what is left
of it was no boundary until now. Of a corpus's own words such entries are left out (`mined.harmless`).
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from acclimate.data.ragged import IntArray
from acclimate.data.unknown import unknown_id
from acclimate.data.vocabularies.smaller import check_kind
from acclimate.errors import ModelError

AT_ONCE = 50_000  # texts that a tokenizer gets at once
MORE = 1e-6  # by which a new entry of Unigram beats its pieces, a character after the first
NEIGHBOUR, MARK = "a", "("
ADDED_SCORE = 0.0  # of an added token that becomes an entry of Unigram's list, as in the files of XLM-R; its text never gets so far


@dataclass(frozen=True)
class Entry:
    """A new entry."""

    text: str
    """As the vocabulary writes it."""
    id: int
    pieces: tuple[int, ...]
    """Ids of what stood in its place before."""
    word: bool
    """Whether it was asked for; otherwise BPE makes it by the way."""


@dataclass(frozen=True)
class Spelling:
    """How a tokenizer writes a word in the middle of a text."""

    tokenizer: Tokenizer

    @cached_property
    def lead(self) -> str:
        """What has to stand before a word that is asked for alone, so that it is written as it is within a text.

        Raises:
            ModelError: there is no such thing.
        """
        inside = self._tokens(f"{NEIGHBOUR} {NEIGHBOUR}")
        for lead in (" ", ""):
            alone = self._tokens(lead + NEIGHBOUR)
            if alone and inside[-len(alone) :] == alone and self._parts(lead + NEIGHBOUR) is not None:
                return lead
        raise ModelError("this tokenizer writes a word by itself in another way than within a text, so none can be added")

    @cached_property
    def anywhere(self) -> bool:
        """Whether a word behind a bracket is written like one behind a space."""
        word = self._parts(self.lead + NEIGHBOUR)
        return self._split(MARK + NEIGHBOUR)[-1:] == [word]

    def entry(self, word: str) -> str | None:
        """What the vocabulary would hold for this word; None where no entry can stand for it, since the tokenizer takes it apart first."""
        return self._parts(self.lead + word)

    def _parts(self, text: str) -> str | None:
        found = self._split(text)
        return found[0] if len(found) == 1 else None

    def _split(self, text: str) -> list[str]:
        normalizer, splitter = self.tokenizer.normalizer, self.tokenizer.pre_tokenizer
        text = normalizer.normalize_str(text) if normalizer is not None else text
        return [part for part, _ in splitter.pre_tokenize_str(text)] if splitter is not None else [text]

    def _tokens(self, text: str) -> list[str]:
        return list(self.tokenizer.encode(text, add_special_tokens=False).tokens)


def enlarged(tokenizer: Tokenizer, words: Sequence[str]) -> tuple[Tokenizer, list[Entry]]:
    """The tokenizer with entries for these words, in their order, and what is new; the ids of all other entries stay.

    Words are written as the vocabulary writes them (`Spelling.entry`). Ids go on behind the highest one.

    Raises:
        ModelError: this is no vocabulary that entries can be added to; a word is there already, or holds what the vocabulary cannot read.
    """
    written = json.loads(tokenizer.to_str())
    model = written["model"]
    check_extensible(model)
    _take_in_added_tokens(tokenizer, model)
    known = tokenizer.get_vocab(with_added_tokens=True)
    if there := [word for word in words if word in known]:
        raise ModelError(f"the vocabulary has the entry {there[0]!r} already")
    grow = {"WordPiece": _wordpiece, "BPE": _merged, "Unigram": _unigram}[model["type"]]
    unknown = unknown_id(tokenizer)  # once: of Unigram it stands in the whole file, which is read anew
    new = grow(model, words, [_pieces(tokenizer, word, unknown) for word in words], max(known.values()) + 1)
    larger = Tokenizer.from_str(json.dumps(written, ensure_ascii=False))
    if larger.get_vocab(with_added_tokens=True) != known | {entry.text: entry.id for entry in new}:
        raise ModelError("this tokenizer numbers its entries in another way when more are added; nothing is changed")
    return larger, new


def check_extensible(model: dict[str, Any]) -> None:
    """Refuse a tokenizer's model (as JSON) that no entries can be added to.

    Raises:
        ModelError: what is in the way.
    """
    check_kind(model, "extended")
    if model["type"] == "BPE" and (model["end_of_word_suffix"] or model["continuing_subword_prefix"]):
        raise ModelError("a BPE vocabulary that marks the ends or the insides of words cannot be extended")


def lengths(tokenizer: Tokenizer, texts: Sequence[str]) -> IntArray:
    """[N, 2] how many pieces each text has, without special tokens, and how many of them are unknown."""
    encode = getattr(tokenizer, "encode_batch_fast", tokenizer.encode_batch)  # older versions of the library have the slow one only
    unknown = -1 if (found := unknown_id(tokenizer)) is None else found
    counted = np.zeros((len(texts), 2), dtype=np.int64)
    for begin in range(0, len(texts), AT_ONCE):
        made = [each.ids for each in encode(list(texts[begin : begin + AT_ONCE]), add_special_tokens=False)]
        counted[begin : begin + AT_ONCE] = [(len(ids), ids.count(unknown)) for ids in made]
    return counted


def _take_in_added_tokens(tokenizer: Tokenizer, model: dict[str, Any]) -> None:
    # The library numbers added tokens that are no entries of the model from the model's end on: they keep their ids as entries.
    outside = [(number, token.content) for number, token in sorted(tokenizer.get_added_tokens_decoder().items())]
    if model["type"] == "Unigram":
        for number, content in outside:
            if number >= len(model["vocab"]):
                if number != len(model["vocab"]):
                    raise ModelError("this vocabulary leaves numbers out, so no entries can be added behind the last")
                model["vocab"].append([content, ADDED_SCORE])
    else:
        for number, content in outside:
            model["vocab"].setdefault(content, number)


def _pieces(tokenizer: Tokenizer, entry: str, unknown: int | None) -> tuple[int, ...]:
    """Ids of the pieces that the model itself makes of a word as it would be written in the vocabulary."""
    made = [token.id for token in tokenizer.model.tokenize(entry)]
    if not made or unknown in made:
        raise ModelError(f"the vocabulary cannot read all of {entry!r}, so no entry can stand for its pieces")
    return tuple(made)


def _wordpiece(model: dict[str, Any], words: Sequence[str], pieces: Sequence[tuple[int, ...]], first: int) -> list[Entry]:
    new = [Entry(word, first + number, made, True) for number, (word, made) in enumerate(zip(words, pieces, strict=True))]
    model["vocab"] |= {entry.text: entry.id for entry in new}
    return new


def _unigram(model: dict[str, Any], words: Sequence[str], pieces: Sequence[tuple[int, ...]], first: int) -> list[Entry]:
    if first != len(model["vocab"]):
        raise ModelError("this vocabulary leaves numbers out, so no entries can be added behind the last")
    scores = [score for _, score in model["vocab"]]
    model["vocab"] += [
        [word, sum(scores[piece] for piece in made) + MORE * (len(word) - 1)] for word, made in zip(words, pieces, strict=True)
    ]
    return [Entry(word, first + number, made, True) for number, (word, made) in enumerate(zip(words, pieces, strict=True))]


def _merged(model: dict[str, Any], words: Sequence[str], pieces: Sequence[tuple[int, ...]], first: int) -> list[Entry]:
    vocabulary: dict[str, int] = model["vocab"]
    names = {number: name for name, number in vocabulary.items()}
    merge = _Merges([(one, two) for one, two in model["merges"]])
    wanted = dict(zip(words, pieces, strict=True))
    made_of: dict[str, tuple[int, ...]] = {}
    new: list[Entry] = []
    for made in pieces:
        # What the old merges left of the word: new merges come after them, and may make what old ones go on with.
        symbols = merge([names[piece] for piece in made])
        while len(symbols) > 1:
            one, two = symbols[:2]
            merge.learn(one, two)
            if (both := one + two) not in vocabulary:
                # A word is what the old merges made of it: new ones may go by an entry that they did not come to.
                parts = tuple(piece for part in (one, two) for piece in made_of.get(part, (vocabulary[part],)))
                made_of[both] = wanted.get(both, parts)
                vocabulary[both] = first + len(new)
                new.append(Entry(both, vocabulary[both], made_of[both], both in wanted))
            symbols = merge(symbols)
    model["merges"] = [list(pair) for pair in merge.ranks]
    return new


class _Merges:
    """BPE over symbols, with merges that are learned by the way."""

    def __init__(self, merges: list[tuple[str, str]]) -> None:
        self.ranks = {pair: rank for rank, pair in enumerate(merges)}

    def learn(self, one: str, two: str) -> None:
        self.ranks[one, two] = len(self.ranks)

    def __call__(self, symbols: list[str]) -> list[str]:
        found = list(symbols)
        rank: Callable[[tuple[int, tuple[str, str]]], float] = lambda place: self.ranks.get(place[1], float("inf"))  # noqa: E731
        while len(found) > 1:
            place, pair = min(enumerate(pairwise(found)), key=rank)
            if pair not in self.ranks:
                break
            found[place : place + 2] = ["".join(pair)]
        return found
