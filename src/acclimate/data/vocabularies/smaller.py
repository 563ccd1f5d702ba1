"""A tokenizer with fewer entries, that makes the same pieces of every text which needs none of those it lost.

Why that holds, for the entries that `chosen` keeps:

* WordPiece takes the longest entry that fits. Where the entry it took is still there, no longer one has come to be.
* Unigram takes the best path through all entries. Fewer entries leave fewer paths, the best of before among them. What an unknown character
  costs depends on the lowest score of all, so one entry with this score stays.
* BPE carries out the earliest merge that fits. Inside of a piece these are the same merges whatever stands around it, for none ever crossed
  its borders; so a piece stays together with all that it is made of by the way, and the merges that are left are in their old order.

Single characters stay, so that every word that could be read before still can be, if in more pieces. A word that was unknown stays unknown,
but for one case: WordPiece may have given it up after an entry that is lost, and without this entry find a way.
"""

import json
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from acclimate.data.ragged import IntArray
from acclimate.data.tokens import TokenStore
from acclimate.errors import ModelError, SettingsError

CHUNK_TOKENS = 1 << 24  # counted at once: 128 MB while they are


def entries(tokenizer: Tokenizer) -> int:
    """How many entries a vocabulary has, added tokens among them."""
    return tokenizer.get_vocab_size(with_added_tokens=True)


def count_entries(store: TokenStore, rows: int) -> IntArray:
    """[rows] how often each token id occurs in a store; memory stays flat however long it is."""
    counts = np.zeros(rows, dtype=np.int64)
    for begin in range(0, store.total, CHUNK_TOKENS):
        counts += np.bincount(store.tokens[begin : begin + CHUNK_TOKENS], minlength=rows)
    return counts


def necessary(tokenizer: Tokenizer, also: Iterable[int] = ()) -> set[int]:
    """The ids that always stay: special and added tokens, single characters, bytes, what the tokenizer itself names, and `also`.

    Ids of `also` that the tokenizer does not know are left out.

    Raises:
        ModelError: this is no vocabulary that entries can be taken from.
    """
    written = json.loads(tokenizer.to_str())
    model = written["model"]
    vocabulary = tokenizer.get_vocab(with_added_tokens=True)
    check_kind(model, "cut")
    stay = set(tokenizer.get_added_tokens_decoder()) | _named(written["post_processor"])
    stay |= {number for entry, number in vocabulary.items() if _is_character(entry, model)}
    if model.get("byte_fallback"):
        stay |= {vocabulary[name] for name in (f"<0x{byte:02X}>" for byte in range(256)) if name in vocabulary}
    if model["type"] == "Unigram":
        scores = [score for _, score in model["vocab"]]
        stay.add(scores.index(min(scores)))
        # Classes of transformers take it for granted where the unknown token stands, so nothing before it may go.
        stay |= set(range((model["unk_id"] or 0) + 1))
    elif model.get("unk_token") in vocabulary:
        stay.add(vocabulary[model["unk_token"]])
    stay |= set(also) & set(vocabulary.values())
    made_of = _made_of(model)
    names = {number: entry for entry, number in vocabulary.items()}
    return stay | {part for number in stay for part in made_of(names[number])}


def check_size(tokenizer: Tokenizer, stay: set[int], size: int) -> None:
    """Refuse a size that leaves nothing to do, or too little room.

    Raises:
        SettingsError: `size` is not below the present number of entries, or below the number of those that always stay.
    """
    present = entries(tokenizer)
    if size >= present:
        raise SettingsError(f"size: {size:,} entries were asked for, and this vocabulary has {present:,}; choose a smaller size")
    if size < len(stay):
        raise SettingsError(
            f"size: {size:,} entries are too few: {len(stay):,} always stay (special tokens, single characters, and what these need); "
            f"choose a size from {len(stay):,} on, below {present:,}"
        )


def chosen(tokenizer: Tokenizer, counts: NDArray[Any], stay: set[int], size: int) -> IntArray:
    """The ids that are kept, ascending: `stay`, then those that occur, the most frequent first (of two alike the lower id), at most `size`.

    `counts` [V] says how often each id occurs, or with what weight. An entry that is merged from others comes with them or not at all;
    where they do not fit any more, less frequent ones that do fit are taken.
    """
    names = {number: entry for entry, number in tokenizer.get_vocab(with_added_tokens=True).items()}
    made_of = _made_of(json.loads(tokenizer.to_str())["model"])
    kept = set(stay)
    for number in np.lexsort((np.arange(len(counts)), -counts)).tolist():
        if len(kept) == size or not counts[number]:
            break
        if number in kept:
            continue
        wanted = {number, *made_of(names[number])} - kept
        if len(kept) + len(wanted) <= size:
            kept |= wanted
    return np.array(sorted(kept), dtype=np.int64)


def reduced(tokenizer: Tokenizer, kept: IntArray) -> Tokenizer:
    """The tokenizer with the entries `kept` [V'] alone: the one with the old id `kept[i]` has the new id i.

    Raises:
        ModelError: the library numbers the entries in another way.
    """
    written = json.loads(tokenizer.to_str())
    model = written["model"]
    new = {old: number for number, old in enumerate(kept.tolist())}
    written["added_tokens"] = [{**token, "id": new[token["id"]]} for token in written["added_tokens"]]
    written["post_processor"] = _renumbered(written["post_processor"], new)
    if model["type"] == "Unigram":
        model["vocab"] = [entry for number, entry in enumerate(model["vocab"]) if number in new]
        model["unk_id"] = None if model["unk_id"] is None else new[model["unk_id"]]
    else:
        model["vocab"] = {entry: new[number] for entry, number in model["vocab"].items() if number in new}
    if model["type"] == "BPE":
        prefix = len(model["continuing_subword_prefix"] or "")
        there = model["vocab"]
        model["merges"] = [
            pair for pair in model["merges"] if pair[0] in there and pair[1] in there and pair[0] + pair[1][prefix:] in there
        ]
    smaller = Tokenizer.from_str(json.dumps(written, ensure_ascii=False))
    expected = {entry: new[number] for entry, number in tokenizer.get_vocab(with_added_tokens=True).items() if number in new}
    if smaller.get_vocab(with_added_tokens=True) != expected:
        raise ModelError("the entries of this tokenizer cannot be numbered anew: its added tokens stand between the others; nothing is cut")
    return smaller


def check_kind(model: dict[str, Any], changed: str) -> None:
    """Refuse a tokenizer's model (as JSON) whose entries are not pieces of words, or not always the same ones; `changed`: cut, extended.

    Raises:
        ModelError: it is such a one.
    """
    kind = model["type"]
    if kind not in ("WordPiece", "BPE", "Unigram"):
        raise ModelError(f"a vocabulary of the kind {kind} cannot be {changed}: without a word there is nothing to write it with")
    if model.get("dropout"):
        raise ModelError("this BPE tokenizer leaves merges out at random (dropout), so what a text needs cannot be counted")


def _is_character(entry: str, model: dict[str, Any]) -> bool:
    prefix, suffix = model.get("continuing_subword_prefix") or "", model.get("end_of_word_suffix") or ""
    bare = entry.removeprefix(prefix) if len(entry) > len(prefix) else entry
    bare = bare.removesuffix(suffix) if len(bare) > len(suffix) else bare
    return len(bare) == 1


def _named(post: Any) -> set[int]:
    # The ids that a post-processor puts around texts, wherever they stand in it.
    found: set[int] = set()

    def note(number: int) -> int:
        found.add(number)
        return number

    _with_ids(post, note)
    return found


def _renumbered(post: Any, new: dict[int, int]) -> Any:
    return _with_ids(post, new.__getitem__)


def _with_ids(post: Any, change: Callable[[int], int]) -> Any:
    """A post-processor as JSON with `change` done to every token id in it."""
    if not isinstance(post, dict):
        return post
    match post["type"]:
        case "Sequence":
            return {**post, "processors": [_with_ids(each, change) for each in post["processors"]]}
        case "TemplateProcessing":
            tokens = {name: {**token, "ids": list(map(change, token["ids"]))} for name, token in post["special_tokens"].items()}
            return {**post, "special_tokens": tokens}
        case "BertProcessing" | "RobertaProcessing":
            return {**post, **{end: [post[end][0], change(post[end][1])] for end in ("sep", "cls")}}
    return post


def _made_of(model: dict[str, Any]) -> Callable[[str], list[int]]:
    """A function that tells which entries a piece is merged from, step by step; none but for BPE."""
    if model["type"] != "BPE":
        return lambda _: []
    vocabulary: dict[str, int] = model["vocab"]
    ranks = {(first, second): rank for rank, (first, second) in enumerate(model["merges"])}
    prefix, suffix = model["continuing_subword_prefix"] or "", model["end_of_word_suffix"] or ""

    def made_of(entry: str) -> list[int]:
        continued = bool(prefix) and entry.startswith(prefix)
        ended = bool(suffix) and entry.endswith(suffix)
        characters = list(entry[len(prefix) * continued : len(entry) - len(suffix) * ended])
        symbols = [(prefix if place or continued else "") + character for place, character in enumerate(characters)]
        if ended and symbols:
            symbols[-1] += suffix
        seen = set(symbols)
        while len(symbols) > 1:
            rank, place = min((ranks.get(pair, len(ranks)), place) for place, pair in enumerate(pairwise(symbols)))
            if rank == len(ranks):
                return []  # no merges lead to it: only what looks whole words up makes it
            symbols[place : place + 2] = [symbols[place] + symbols[place + 1][len(prefix) :]]
            seen.add(symbols[place])
        return [vocabulary[symbol] for symbol in seen if symbol in vocabulary and symbol != entry]

    return made_of
