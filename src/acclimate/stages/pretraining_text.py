"""What a pretraining reads: the windows of one corpus or a mixture of several, a part of each held out."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from acclimate.data.corpus import Corpus
from acclimate.data.held_out import hold_out, take
from acclimate.data.ragged import IntArray
from acclimate.data.tokens import TokenStore
from acclimate.data.unknown import unknown_id
from acclimate.data.windows import Windows, within
from acclimate.errors import DataError
from acclimate.modeling.folder import ModelFolder
from acclimate.randomness import generator
from acclimate.stages.base import Context
from acclimate.tasks.grouping import numbered
from acclimate.tasks.metrics.texts import UNREAD_BITS


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
    """Of each corpus: `documents`, `tokens`, `share` and `training_tokens` (an epoch's), `heldout_tokens`, `unknown_tokens` and
    `unknown_share` of all its tokens; special tokens not counted."""
    sizes: dict[str, "Sizes"]
    """By corpus."""

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
                found[name] |= {
                    "heldout_loss": loss,
                    "heldout_accuracy": evaluation[f"heldout_accuracy{which}"],
                    "bits_per_byte": self.sizes[name].bits_per_byte(loss),
                }
        store = self.store
        whole = {"corpus_documents": store.documents, "corpus_tokens": store.total, "unknown_share": store.unknown_share}
        return {"corpora": found, **whole}


def read_text(
    corpora: dict[str, Corpus], shares: dict[str, float], parent: ModelFolder, context: Context, room: int, heldout: float, most: int
) -> PretrainingText:
    """The text of `corpora` in the parent's vocabulary, in windows of at most `room` tokens.

    `shares` says how often a corpus is read in an epoch. Of each corpus the share `heldout` is held out, at most `most` tokens, in whole
    groups where documents belong together: which text that is depends on the corpus alone, so it is the same in every mixture, and no later
    stage is judged on what an earlier one learned.

    Raises:
        DataError: a share is so small that nothing of its corpus would be read.
    """
    stores = [context.tokens(corpus, parent) for corpus in corpora.values()]
    joined = context.joined(corpora.values(), parent)
    training: list[Windows] = []
    held: dict[str, Windows] = {}
    facts: dict[str, dict[str, Any]] = {}
    begin = 0
    for (name, corpus), store in zip(corpora.items(), stores, strict=True):
        kept, out = (within(*stretches, room) for stretches in hold_out(store.offsets, heldout, most, _units(corpus, store.documents)))
        read = _repeated(kept, shares[name], name)
        if len(kept) and not len(read):
            raise DataError(f"corpus: nothing of {name!r} would be read: {shares[name]:g} of its {len(kept)} windows is less than one")
        training.append(_from(begin, read))
        if len(out):
            held[name] = _from(begin, out)
        facts[name] = {
            "documents": store.documents,
            "tokens": store.total,
            "share": shares[name],
            "training_tokens": read.tokens,
            "heldout_tokens": out.tokens,
            "unknown_tokens": store.unknown,
            "unknown_share": store.unknown_share,
        }
        begin += store.total
    whole = Windows(np.concatenate([each.start for each in training]), np.concatenate([each.length for each in training]), 0, 0)
    # Where a vocabulary drops what it does not know there is no token for it among the others.
    unknown = 0 if unknown_id(parent.tokenizer()) is None else 1
    sizes = {
        name: Sizes(store.total - unknown * store.unknown, store.bytes, store.unknown_bytes)
        for name, store in zip(corpora, stores, strict=True)
    }
    return PretrainingText(joined, whole, held, facts, sizes)


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
