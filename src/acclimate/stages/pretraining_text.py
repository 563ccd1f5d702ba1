"""What a pretraining reads: the windows of one corpus or a mixture of several, a part of each held out."""

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np

from acclimate.data.batches import RampedOrder
from acclimate.data.corpus import Corpus
from acclimate.data.ended import ended, ended_stretches
from acclimate.data.held_out import Stretches, hold_out, take
from acclimate.data.in_turn import Stepwise
from acclimate.data.ragged import IntArray
from acclimate.data.sentences import LEAST_WORDS
from acclimate.data.tokens import TokenStore
from acclimate.data.unknown import unknown_id, unknown_words
from acclimate.data.unshared import Divided, LeftOut, unshared
from acclimate.data.windows import Windows, within
from acclimate.errors import DataError
from acclimate.modeling.folder import ModelFolder
from acclimate.randomness import generator
from acclimate.stages.base import Context
from acclimate.tasks.grouping import numbered
from acclimate.tasks.metrics.texts import UNREAD_BITS

if TYPE_CHECKING:
    from acclimate.stages.pretrain import Pretrain
    from acclimate.stages.pretraining_steps import Steps


class Sizes(NamedTuple):
    """Of one corpus in one vocabulary."""

    known_tokens: int
    """Those that can be asked for."""
    bytes: int
    """Of the text, UTF-8."""
    unread_bytes: int
    """Of the text that unknown tokens stand for."""

    def bits_per_byte(self, loss: float) -> float:
        """What a byte of the text costs in bits, where a known token costs `loss` nats.

        Bytes that the vocabulary cannot read are never asked for, so each is charged as it is, 8 bits: a vocabulary is never the better one
        for what it cannot read. Bits per byte bring vocabularies nearer to each other than nats per token do, not to one scale: a masked
        piece is guessed from the other pieces of its word, so finer ones look easier.
        """
        return (self.known_tokens * loss / math.log(2) + UNREAD_BITS * self.unread_bytes) / max(1, self.bytes)


@dataclass(frozen=True)
class PretrainingText:
    """Windows into one token store."""

    store: TokenStore
    training: Windows
    """Of an epoch: those of a corpus with a share above one several times, below one a part of them."""
    heldout: dict[str, Windows]
    """By corpus; without those that have nothing to hold out."""
    facts: dict[str, dict[str, Any]]
    """Of each corpus: `documents`, `tokens`, `share` and `training_tokens` (an epoch's), `heldout_tokens`, `left_out_tokens` that are not
    read since they share a sentence with held-out text, of `left_out_documents`, `unknown_tokens` and `unknown_share` of all its tokens;
    special tokens not counted."""
    sizes: dict[str, "Sizes"]
    """By corpus; none where the loss is not one of masked tokens."""
    windows: dict[str, int]
    """How many of those that are read belong to each corpus, in the order in which they stand there."""

    def lengths(self, special: int) -> dict[str, IntArray]:
        """Tokens of each window that is read [N], `special` ones included, by corpus."""
        ends = np.cumsum(list(self.windows.values()))[:-1]
        return dict(zip(self.windows, np.split(self.training.length.astype(np.int64) + special, ends), strict=True))

    def replaying(self, names: Collection[str], share: float) -> Self:
        """The same where these corpora are no part of an epoch: beside it so much of them is read that it is this share of all tokens."""
        own = sum(facts["training_tokens"] for name, facts in self.facts.items() if name not in names)
        tokens = round(own * share / (1 - share))
        read = {name: {"share": tokens / max(1, self.facts[name]["training_tokens"]), "training_tokens": tokens} for name in names}
        return replace(self, facts={name: facts | read.get(name, {}) for name, facts in self.facts.items()})

    def after(self, order: Stepwise, special: int, tokens: int) -> Self:
        """The same with `read_tokens` of each corpus, when so many tokens of an order have been read, `special` ones of each window too."""
        found, reached, step = np.zeros(len(self.windows), dtype=np.int64), 0, 0
        ends = np.cumsum(list(self.windows.values()))
        while reached < tokens:
            indices = order.batch(step)
            lengths = self.training.length[indices].astype(np.int64)
            found += np.bincount(np.searchsorted(ends, indices, side="right"), lengths, len(ends)).astype(np.int64)
            reached, step = reached + int(lengths.sum()) + special * len(indices), step + 1
        read = dict(zip(self.windows, found.tolist(), strict=True))
        return replace(self, facts={name: facts | {"read_tokens": read[name]} for name, facts in self.facts.items()})

    def replayed(self, names: Collection[str]) -> Iterator[str]:
        """How much of these corpora was read beside the others, once that is counted."""
        whole = sum(facts["read_tokens"] for facts in self.facts.values())
        for name in names:
            read, once = self.facts[name]["read_tokens"], self._once(name)
            times = f", which is all of it {read / once:.1f} times" if read > once else f" of {once:,}"
            yield f"{name}: {read:,} tokens were replayed{times}, {100 * read / max(1, whole):.1f} % of what was read"

    def _once(self, name: str) -> int:
        facts = self.facts[name]
        return max(1, int(facts["tokens"] - facts["heldout_tokens"] - facts["left_out_tokens"]))

    def notes(self) -> Iterator[str]:
        """What should be known of what is not read, and what cannot be judged."""
        for name, facts in self.facts.items():
            if count := facts["left_out_documents"]:
                yield (
                    f"{name}: {facts['left_out_tokens']:,} tokens of {count:,} document{'s' if count > 1 else ''} are not read: they share "
                    f"a sentence of {LEAST_WORDS} words or more with held-out text"
                )
            if name not in self.heldout and facts["training_tokens"]:
                yield f"{name}: nothing is held out, so no loss is measured there: there is no other text that does not share its sentences"

    def measured(self, evaluation: Mapping[str, float], of: Collection[str]) -> dict[str, Any]:
        """For a stage's metrics: all together, and as `corpora` the facts of each.

        Those of the corpora in `of` hold the held-out loss (nats per token), accuracy and bits per byte that `evaluation` found.
        """
        found: dict[str, dict[str, Any]] = {}
        for name, facts in self.facts.items():
            which = f"/{name}" if len(of) > 1 else ""
            loss = evaluation.get(f"heldout_loss{which}") if name in of else None
            found[name] = dict(facts)
            if loss is not None:
                found[name] |= {"heldout_loss": loss, "heldout_accuracy": evaluation[f"heldout_accuracy{which}"]}
                found[name] |= {"bits_per_byte": self.sizes[name].bits_per_byte(loss)} if name in self.sizes else {}
        store = self.store
        whole = {"corpus_documents": store.documents, "corpus_tokens": store.total, "unknown_share": store.unknown_share}
        return {"corpora": found, **whole}


def whole(_: str, stretches: Stretches) -> Stretches:
    """Documents are not cut but where a window ends."""
    return stretches


def read_text(
    corpora: dict[str, Corpus], shares: dict[str, float], parent: ModelFolder, context: Context, room: int,
    heldout: tuple[float, int], cut: Callable[[str, Stretches], Stretches] = whole, end: int | None = None,
) -> PretrainingText:  # fmt: skip
    """The text of `corpora` in the parent's vocabulary, in windows of at most `room` tokens, none across where `cut` cuts a corpus.

    Behind each document stands the token `end`, where there is one; it is a token of the text like others.

    `shares` says how often a corpus is read in an epoch. Of each corpus a share is held out, at most so many tokens (both in `heldout`),
    in whole groups where documents belong together: which text that is depends on the corpus alone, so it is the same in every mixture,
    and no later stage is judged on what an earlier one learned. No sentence of it, of eight words or more, is read, in whatever corpus
    it stands.

    Raises:
        DataError: a share is so small that nothing of its corpus would be read.
    """
    parts = {name: _divided(corpus, parent, context, *heldout) for name, corpus in corpora.items()}
    parts, left = _apart(parts, parent)
    joined = context.joined(corpora.values(), parent)
    if end is not None:
        parts, joined = {name: _ended(part, end) for name, part in parts.items()}, ended(joined, end)
    training: list[Windows] = []
    held: dict[str, Windows] = {}
    facts: dict[str, dict[str, Any]] = {}
    windows: dict[str, int] = {}
    begin = 0
    for name, part in parts.items():
        store, kept, out = part.store, within(*cut(name, part.read), room), within(*cut(name, part.held), room)
        read = _repeated(kept, shares[name], name)
        if len(kept) and not len(read):
            raise DataError(f"corpus: nothing of {name!r} would be read: {shares[name]:g} of its {len(kept)} windows is less than one")
        training.append(_from(begin, read))
        windows[name] = len(read)
        if len(out):
            held[name] = _from(begin, out)
        facts[name] = {
            "documents": store.documents,
            "tokens": store.total,
            "share": shares[name],
            "training_tokens": read.tokens,
            "heldout_tokens": out.tokens,
            "left_out_documents": left[name].documents,
            "left_out_tokens": left[name].tokens,
            "unknown_tokens": store.unknown,
            "unknown_share": store.unknown_share,
        }
        begin += store.total
    every = Windows(np.concatenate([each.start for each in training]), np.concatenate([each.length for each in training]), 0, 0)
    # Where a vocabulary drops what it does not know there is no token for it among the others.
    unknown = 0 if unknown_id(parent.tokenizer()) is None else 1
    sizes = {
        name: Sizes(part.store.total - unknown * part.store.unknown, part.store.bytes, part.store.unknown_bytes)
        for name, part in parts.items()
    }
    return PretrainingText(joined, every, held, facts, sizes, windows)


def notes_on(stage: "Pretrain", planned: "Steps", text: PretrainingText) -> Iterator[str]:
    """What should be known of what is read."""
    if stage.batch_ramp and not isinstance(planned.order, RampedOrder):
        yield "batches did not grow: batch_tokens hold a single window of the longest"
    if stage.include:
        yield f"the text of {' and '.join(stage.include)} was read in pretraining, as asked"
    if told := unknown_words({repr(name): facts["unknown_share"] for name, facts in text.facts.items()}):
        yield told


def _divided(corpus: Corpus, parent: ModelFolder, context: Context, heldout: float, most: int) -> Divided:
    store = context.tokens(corpus, parent)
    read, held = hold_out(store.offsets, heldout, most, _units(corpus, store.documents))
    return Divided(corpus, store, context.sentences(corpus), read, held)


def _apart(parts: dict[str, Divided], parent: ModelFolder) -> tuple[dict[str, Divided], dict[str, LeftOut]]:
    """The corpora without what they share with held-out text, and what that is of each.

    Where nothing would be left to read of one (a few sentences, again and again), nothing of it is held out.
    """
    found = dict(zip(parts, unshared(list(parts.values()), parent.tokenizer()), strict=True))
    empty = {name for name, (read, _) in found.items() if parts[name].read.tokens and not read.tokens}
    if any(parts[name].held.tokens for name in empty):
        return _apart({name: _whole(part) if name in empty else part for name, part in parts.items()}, parent)
    if empty:
        raise DataError(
            f"corpus: nothing of {' and '.join(map(repr, sorted(empty)))} would be read: each document shares a sentence of {LEAST_WORDS} "
            "words or more with what is held out of the other corpora; leave it out"
        )
    return {name: replace(part, read=found[name][0]) for name, part in parts.items()}, {name: left for name, (_, left) in found.items()}


def _ended(part: Divided, end: int) -> Divided:
    read, held = (ended_stretches(each, part.store.offsets) for each in (part.read, part.held))
    return replace(part, store=ended(part.store, end), read=read, held=held)


def _whole(part: Divided) -> Divided:
    offsets = part.store.offsets
    there = np.flatnonzero(np.diff(offsets))
    nothing = np.zeros(0, dtype=np.int64)
    return replace(part, read=Stretches(offsets[:-1][there], np.diff(offsets)[there]), held=Stretches(nothing, nothing))


def _units(corpus: Corpus, documents: int) -> IntArray | None:
    """[documents] what each belongs to, as a number; None where each stands by itself."""
    if not any(corpus.groups):
        return None
    # A document without a group is one by itself.
    names = [(None, place) if group is None else group for place, group in enumerate(corpus.groups)]
    return np.append(numbered(names), len(names) + np.arange(documents - len(names)))


def _repeated(windows: Windows, share: float, name: str) -> Windows:
    # 2.25: everything twice, and the same quarter of it, whatever the seed, a third time.
    times, rest = divmod(share, 1.0)
    part = np.sort(generator("share of a corpus", name).permutation(len(windows))[: round(rest * len(windows))])
    return take(windows, np.concatenate([np.tile(np.arange(len(windows)), int(times)), part]))


def _from(begin: int, windows: Windows) -> Windows:
    return Windows(windows.start + begin, windows.length, 0, 0)
