"""Every text with every hypothesis, as pairs: where both are too long the text is cut, never the hypothesis (as `only_first` does)."""

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from acclimate.data.pairs import PairMarks, PairSequences, pair_marks
from acclimate.data.ragged import IntArray
from acclimate.data.tokens import TokenStore
from acclimate.data.windows import Windows
from acclimate.errors import SettingsError


def crossed(texts: TokenStore, hypotheses: TokenStore, tokenizer: Tokenizer, length: int) -> PairSequences:
    """`N` texts with `L` hypotheses each: pair n * L + l has at most `length` tokens, special ones included.

    Raises:
        ModelError: the tokenizer cannot tell two texts apart.
        SettingsError: beside a hypothesis there is no room for a text.
    """
    marks = pair_marks(tokenizer)
    whole_N, hypothesis_L = np.diff(texts.offsets), np.diff(hypotheses.offsets)
    room_L = check_room(hypothesis_L, marks, length)
    kept_NL = np.minimum(whole_N[:, None], room_L)
    cut = int((whole_N - kept_NL.min(axis=1)).sum())
    count, labels = kept_NL.shape
    read = Windows(np.repeat(texts.offsets[:-1], labels), kept_NL.ravel().astype(np.int32), cut, cut)
    asked = Windows(np.tile(hypotheses.offsets[:-1], count), np.tile(hypothesis_L, count).astype(np.int32), 0, 0)
    return PairSequences(
        texts, read, marks.prefix, marks.suffix,
        other=hypotheses, other_windows=asked, middle=marks.middle, segments=marks.segments,
    )  # fmt: skip


def cut_texts(pairs: PairSequences, texts: TokenStore) -> npt.NDArray[np.bool_]:
    """[N] which of the texts that are `crossed` are not read to their end beside every hypothesis."""
    whole_N = np.diff(texts.offsets)
    if not len(whole_N):
        return np.zeros(0, dtype=np.bool_)
    return np.asarray(whole_N > pairs.windows.length.reshape(len(whole_N), -1).min(axis=1))


def check_room(hypothesis_L: IntArray, marks: PairMarks, length: int) -> IntArray:
    """[L] tokens that a text has room for beside each hypothesis of so many tokens, in sequences of at most `length`.

    Raises:
        SettingsError: beside one of them there is none.
    """
    special = sum(map(len, (marks.prefix, marks.middle, marks.suffix)))
    room_L: IntArray = length - special - hypothesis_L
    if room_L.min() < 1:
        most = int(hypothesis_L.max()) + special
        raise SettingsError(f"max_length: of {length} tokens the longest hypothesis takes {most} with its special ones: no text has room")
    return room_L
