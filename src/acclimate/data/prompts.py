"""Prompts: what a decoder reads before it is asked which label's words come next, in the tokens of a vocabulary (Brown et al. 2020).

Examples stand first, each a text in the template with the word of its label, then the text that is asked about, in the template up to the
mask. Texts that are too long are cut, the template never. Where all words of labels are one token, every text is one sequence; else it is
one for each beginning of words (a `stem`), and each gives the probabilities of all tokens that come after a part of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from string import Formatter

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from acclimate.data.batches import TARGET_INDEX, Batch, woven
from acclimate.data.cloze import (
    COLUMNS,
    MASK,
    ClozeSequences,
    Pattern,
    Pieces,
    Text,
    check_template,
    cloze_sequences,
    lead_of,
    read_places,
)
from acclimate.data.pairs import OTHER_PROBE, longest_first
from acclimate.data.ragged import IntArray, offsets_of, ranges
from acclimate.data.tokens import PROBE, TokenStore, plain
from acclimate.errors import SettingsError

SEPARATORS = ("\n\n", " ")  # between examples; the first that a vocabulary keeps apart from the texts
LEAST_SHARED = 8  # tokens that all prompts begin with, so that these go through a model once
SHORTEST_TEXT = 8  # tokens of a text that examples must leave room for


@dataclass(frozen=True)
class Question:
    """A template up to its mask in tokens, examples before it included, and the words that may come next."""

    parts: tuple[int | Text, ...]
    """Without a token that begins texts."""
    words: Pieces

    @property
    def fixed(self) -> int:
        """Tokens of a sequence that are no text, with the longest stem and a token that begins it."""
        return 1 + sum(isinstance(part, int) for part in self.parts) + max(map(len, self.stems))

    @cached_property
    def stems(self) -> tuple[tuple[int, ...], ...]:
        """[S] the beginnings of words, all but their last token, that are not the beginning of another one."""
        found = sorted({word[:-1] for words in self.words for word in words}, key=lambda stem: (-len(stem), stem))
        kept: list[tuple[int, ...]] = []
        for stem in found:
            if not any(longer[: len(stem)] == stem for longer in kept):
                kept.append(stem)
        return tuple(kept)

    def stem_of(self, word: tuple[int, ...]) -> int:
        """Which of them a word goes along."""
        return next(number for number, stem in enumerate(self.stems) if stem[: len(word) - 1] == word[:-1])


def check_question(template: str, texts: int) -> None:
    """Refuse a template that cannot be read from left to right up to its mask.

    Raises:
        SettingsError: it lacks a place, or a text stands behind the mask.
    """
    check_template(template, texts)
    names = [name for _, name, _, _ in Formatter().parse(template) if name is not None]
    if names[-1] != MASK:
        raise SettingsError(
            f"template: in {template!r} {{{names[-1]}}} stands behind {{mask}}: a decoder reads from left to right and never sees it"
        )


def filled(template: str, texts: Sequence[str], word: str) -> str:
    """An example: the template with the texts of an item, and a word at its mask."""
    values = {**dict(zip(COLUMNS, texts, strict=False)), MASK: word}
    return "".join(before + ("" if name is None else values[name]) for before, name, _, _ in Formatter().parse(template))


def question_of(tokenizer: Tokenizer, template: str, texts: int, words: Sequence[Sequence[str]], examples: str = "") -> Question:
    """A template in the tokens of a vocabulary, for `words` [L] of labels; `examples` stand before it as they are.

    The tokens of a word are those that the tokenizer makes of the whole, beyond those of what stands before it.

    Raises:
        SettingsError: the template cannot be read from left to right, or what stands beside a place would become one token with it.
    """
    check_question(template, texts)
    tokenizer = plain(tokenizer)
    places: list[tuple[str, str | None]] = []
    for before, name, _, _ in Formatter().parse(template):
        places.append((before, name))
        if name == MASK:
            break
    places[0] = (examples + places[0][0], places[0][1])
    last, _ = places.pop()
    bare = last.rstrip()
    probes = {"text": PROBE, "text_b": OTHER_PROBE}
    ids, owners = read_places(tokenizer, [*places, (bare, None)], probes, template, special=False)
    parts: list[int | Text] = []
    for place, (token, owner) in enumerate(zip(ids, owners, strict=True)):
        if owner is None:
            parts.append(token)
        elif owner not in owners[:place]:
            parts.append(Text(COLUMNS.index(owner), lead_of(tokenizer, owner, template, probes[owner], ids, owners)))
    whole = "".join(before + ("" if name is None else probes[name]) for before, name in places) + last
    return Question(tuple(parts), tuple(tuple(_next(tokenizer, whole, word, ids, template) for word in each) for each in words))


def _next(tokenizer: Tokenizer, whole: str, word: str, ids: list[int], template: str) -> tuple[int, ...]:
    found = tokenizer.encode(whole + word, add_special_tokens=False).ids
    if found[: len(ids)] != ids:
        raise SettingsError(
            f"template: in {template!r} the tokenizer makes one token of what stands before {{mask}} and the beginning of {word!r}; put a "
            "space between them"
        )
    return tuple(found[len(ids) :])


def cut_example(tokenizer: Tokenizer, template: str, texts: Sequence[str], word: str, room: int) -> tuple[str, bool]:
    """An example of at most `room` tokens, and whether its texts had to be cut for that; of two the longer one is cut first.

    Raises:
        SettingsError: there is no room for a text.
    """
    tokenizer = plain(tokenizer)
    encoded = [tokenizer.encode(text, add_special_tokens=False) for text in texts]
    lengths = [len(each.ids) for each in encoded]
    left = sum(lengths)
    example = filled(template, texts, word)
    while (over := len(tokenizer.encode(example, add_special_tokens=False).ids) - room) > 0:
        left -= over
        if left < len(texts):
            raise SettingsError(f"shots: an example of {room} tokens has no room for a text; lower `shots`, or raise `max_length`")
        both = longest_first(np.array(lengths[:1]), np.array(lengths[1:]), left) if len(texts) > 1 else ([left],)
        kept = [int(each[0]) for each in both]
        ends = [each.offsets[count - 1][1] if count < len(each.ids) else len(text)
                for each, count, text in zip(encoded, kept, texts, strict=True)]  # fmt: skip
        example = filled(template, [text[:end] for text, end in zip(texts, ends, strict=True)], word)
    return example, left < sum(lengths)


@dataclass(frozen=True)
class PromptSequences:
    """`N` items as a decoder is asked about them, each in `S` sequences: those of an item stand one after the other."""

    contexts: ClozeSequences
    """The items up to the words of labels."""
    question: Question

    @property
    def lengths(self) -> IntArray:
        """[N * S] tokens."""
        return (self.contexts.lengths[:, None] + self._stem_lengths).ravel()

    @property
    def shared(self) -> IntArray:
        """The tokens that all sequences begin with, but for the last of them; none where they are few."""
        parts = self.contexts.pattern.parts
        first = next((place for place, part in enumerate(parts) if isinstance(part, Text)), len(parts))
        return np.array([part for part in parts[: first - 1] if isinstance(part, int)] if first > LEAST_SHARED else [], dtype=np.int64)

    @property
    def asked(self) -> IntArray:
        """[N * S] how many tokens are asked for in each."""
        return np.tile(self._stem_lengths + 1, len(self.contexts))

    @property
    def _stem_lengths(self) -> IntArray:
        return np.array([len(stem) for stem in self.question.stems], dtype=np.int64)

    def batch(self, indices: npt.NDArray[np.integer], left_out: int = 0) -> Batch:
        """The flat batch of these sequences, asked what comes after the context and after every token of the stem.

        Of what is `shared` so many tokens are `left_out`, and positions are counted from there.
        """
        items, stems = np.divmod(np.asarray(indices, dtype=np.int64), len(self.question.stems))
        contexts, lengths_B = self.contexts, self._stem_lengths[stems]
        parts = [part if isinstance(part, int) else contexts.columns[part.column] for part in contexts.pattern.parts[left_out:]]
        ids, _, lengths_BP = woven(parts, items)
        contexts_B = lengths_BP.sum(axis=1)
        offsets = offsets_of(contexts_B + lengths_B)
        input_ids = np.empty(offsets[-1], dtype=np.int64)
        input_ids[ranges(offsets[:-1], contexts_B)] = ids
        input_ids[ranges(offsets[:-1] + contexts_B, lengths_B)] = [token for stem in stems for token in self.question.stems[stem]]
        asked = ranges(offsets[:-1] + contexts_B - 1, lengths_B + 1)
        position_ids = np.arange(len(input_ids)) - np.repeat(offsets[:-1], np.diff(offsets))
        return Batch(input_ids, position_ids, offsets, targets={TARGET_INDEX: asked})

    def word_log_likelihoods(self, log_MK: npt.NDArray[np.float64], column: Mapping[int, int]) -> npt.NDArray[np.float64]:
        """[N, L] of every label the log of the mean likelihood of its words, a word's being the product of its tokens'.

        `log_MK` has the log-probabilities at all that is asked in the sequences 0, 1, ..., of the tokens of words, each in its `column`.
        """
        begins = offsets_of(self._stem_lengths + 1)[:-1]
        log_NPK = log_MK.reshape(len(self.contexts), int((self._stem_lengths + 1).sum()), log_MK.shape[1])
        labels = []
        for words in self.question.words:
            each = []
            for word in words:
                begin = int(begins[self.question.stem_of(word)])
                each.append(log_NPK[:, begin + np.arange(len(word)), [column[token] for token in word]].sum(axis=1))
            labels.append(np.logaddexp.reduce(np.stack(each), axis=0) - np.log(len(words)))
        return np.stack(labels, axis=1)


def prompt_sequences(stores: Sequence[TokenStore], question: Question, begin: int, length: int) -> PromptSequences:
    """The items of one store a column (of texts as `led` gives them), each of at most `length` tokens, behind the token `begin`.

    Raises:
        SettingsError: `length` leaves no room for text.
    """
    pattern = pattern_of_question(question, begin)
    stem = max(map(len, question.stems))
    return PromptSequences(cloze_sequences(stores, pattern, length - stem), question)


def pattern_of_question(question: Question, begin: int) -> Pattern:
    """The same as a template is, which ends at what is asked."""
    return Pattern((begin, *question.parts), len(question.parts))


def check_room(question: Question, length: int, shots: int) -> int:
    """How many tokens each of `shots` examples may have in a prompt of `length`: an equal part, the text that is asked about one more.

    `question` is one without examples.

    Raises:
        SettingsError: so little that no text would be left.
    """
    share = (length - 1) // (shots + 1)
    least = question.fixed - 1 + SHORTEST_TEXT
    if share < least:
        most = max(0, (length - 1) // least - 1)
        raise SettingsError(
            f"shots: {shots} examples and a text have {share} tokens each of max_length {length}, and the template alone takes "
            f"{question.fixed - 1}: say `shots: {most}` or fewer, or raise `max_length`"
        )
    return share
