"""The columns of text of some items as a transformer reads them."""

from collections.abc import Sequence

from tokenizers import Tokenizer

from acclimate.data.pairs import pair_sequences
from acclimate.data.sequences import Sequences
from acclimate.data.tokens import TokenStore, special_ids
from acclimate.data.windows import first


def sequences_of(columns: Sequence[TokenStore], tokenizer: Tokenizer, length: int) -> Sequences:
    """A sequence an item, of at most `length` tokens: the beginning of its text between special tokens, or of its two texts.

    `columns`: one store a column.

    Raises:
        ModelError: the tokenizer knows no pairs, and these are some.
        SettingsError: `length` leaves no room for text.
    """
    if len(columns) == 2:
        return pair_sequences(columns[0], columns[1], tokenizer, length)
    (store,) = columns
    prefix, suffix = special_ids(tokenizer)
    return Sequences(store, first(store, length - len(prefix) - len(suffix)), prefix, suffix)
