"""Which types of entities each sentence has: what splits keep alike, and what label budgets count."""

import numpy as np

from acclimate.data.ragged import IntArray, Ragged, offsets_of


def rarest_type(words: Ragged, type_W: IntArray) -> Ragged:
    """Of each sentence the one of its types that fewest sentences have; 0 where it has none.

    `words` are those of each sentence, and `type_W` what each is of, from 1; 0: of none.
    """
    pairs = np.unique(np.stack([_owner(words), type_W], axis=1), axis=0)
    pairs = pairs[pairs[:, 1] > 0]
    often = np.bincount(pairs[:, 1], minlength=1)
    ranked = pairs[np.lexsort((pairs[:, 1], often[pairs[:, 1]], pairs[:, 0]))]
    items, first = np.unique(ranked[:, 0], return_index=True)
    strata = np.zeros(len(words), dtype=np.int64)
    strata[items] = ranked[first, 1]
    return Ragged.single(strata)


def types_of_each(words: Ragged, type_W: IntArray, none: int) -> Ragged:
    """The types of each sentence, ascending; `none` where it has none.

    `words` are those of each sentence, and `type_W` what each is of, from 0; negative: of none.
    """
    owner, named = _owner(words), type_W >= 0
    without = np.setdiff1d(np.arange(len(words)), owner[named])
    pairs = np.unique(np.stack([owner[named], type_W[named]], axis=1), axis=0)
    pairs = np.concatenate([pairs, np.stack([without, np.full(len(without), none)], axis=1)])
    pairs = pairs[np.argsort(pairs[:, 0], kind="stable")]
    return Ragged(pairs[:, 1], offsets_of(np.bincount(pairs[:, 0], minlength=len(words))))


def _owner(words: Ragged) -> IntArray:
    return np.repeat(np.arange(len(words)), words.lengths)
