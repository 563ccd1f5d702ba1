"""What a vocabulary cannot read: how many tokens of a text are unknown to it, and how many bytes of the text they stand for."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer
from tokenizers.models import BPE, Unigram

from acclimate.data.ragged import IntArray

NOTED = 0.01  # share of unknown tokens from which on it is said without being asked
MOSTLY = 0.5  # from here on loudly
OTHER_BASE = "choose a base for this language, or learn a vocabulary (acclimate tokenizer)"
PROBE = "\u1780\ua500\U0001f9ff"  # letters that hardly a vocabulary has


def unknown_id(tokenizer: Tokenizer) -> int | None:
    """The id that stands for what the vocabulary cannot write; None where there is none (bytes can write everything)."""
    model = tokenizer.model
    if not isinstance(model, Unigram):
        return tokenizer.token_to_id(model.unk_token) if model.unk_token else None
    found = json.loads(tokenizer.to_str())["model"]["unk_id"]  # which the library's own object does not tell
    return None if found is None else int(found)


def drops_unknown(tokenizer: Tokenizer) -> bool:
    """Whether characters that the vocabulary lacks leave no token at all, not even an unknown one."""
    if not isinstance(tokenizer.model, BPE) or tokenizer.model.unk_token:
        return False
    # Bytes as well as marks of spaces give tokens.
    made = tokenizer.encode(PROBE, add_special_tokens=False)
    return not any(end > begin for begin, end in made.offsets)


def unknown_words(shares: Mapping[str, float]) -> str:
    """What is said of texts, by what they are called, with these shares of unknown tokens; empty where all are too small to matter."""
    noted = {what: share for what, share in shares.items() if share > NOTED}
    if not noted:
        return ""
    parts = ", ".join(f"{100 * share:.1f} % of the tokens of {what}" for what, share in noted.items())
    told = f"{parts} are unknown to this vocabulary, and no model can read them"
    return told if max(noted.values()) <= MOSTLY else f"MOSTLY UNREADABLE: {told}; {OTHER_BASE}"


def nothing_to_mask(corpus: str) -> str:
    """Why text that is unknown throughout is refused."""
    return f"every token of the corpus {corpus!r} is unknown to this vocabulary: nothing can be masked; {OTHER_BASE}"


@dataclass(frozen=True)
class Unread:
    """Finds in a text what a tokenizer makes unknown tokens of, or drops."""

    tokenizer: Tokenizer
    id: int | None
    drops: bool

    @staticmethod
    def by(tokenizer: Tokenizer) -> "Unread":
        """For this tokenizer, whose own truncation and padding are off."""
        return Unread(tokenizer, unknown_id(tokenizer), drops_unknown(tokenizer))

    def counts(self, texts: Sequence[str], ids: NDArray[Any], lengths: IntArray) -> IntArray:
        """[D, 2] of each text with ids [T] and lengths [D]: unknown tokens (or runs of dropped characters), and their bytes in the text."""
        found = np.zeros((len(texts), 2), dtype=np.int64)
        if self.drops:
            which = np.arange(len(texts))
        elif self.id is not None and len(ids):
            ends = np.cumsum(lengths)
            # Of a tokenizer that is being tried and is not what it seems, lengths and ids may not fit together.
            places = np.flatnonzero(ids[: int(lengths.sum())] == self.id)
            which = np.unique(np.searchsorted(ends, places, side="right"))
        else:
            return found
        # Only texts that hold some are looked at again: the offsets of characters cost more than the ids.
        asked = [texts[number] for number in which.tolist()]
        for number, text, encoding in zip(which.tolist(), asked, self._encoded(asked), strict=True):
            spans = self._dropped(text, encoding) if self.drops else self._unknown(encoding)
            pieces = [text[begin:end] for begin, end in spans]
            found[number] = len(pieces), sum(len(piece) if piece.isascii() else len(piece.encode()) for piece in pieces)
        return found

    def _encoded(self, texts: list[str]) -> list[Encoding]:
        found: list[Encoding] = self.tokenizer.encode_batch(texts, add_special_tokens=False)
        return found

    def _unknown(self, encoding: Encoding) -> Iterator[tuple[int, int]]:
        return (span for number, span in zip(encoding.ids, encoding.offsets, strict=True) if number == self.id)

    def _dropped(self, text: str, encoding: Encoding) -> Iterator[tuple[int, int]]:
        last = 0
        for begin, end in (*encoding.offsets, (len(text), len(text))):
            piece = text[last:begin]
            if bare := piece.strip():
                at = last + piece.index(bare)
                yield at, at + len(bare)
            last = max(last, end)
