"""Texts in a template with one mask, "{text} It was {mask}.", in the tokens of a vocabulary: a cloze question (Schick & Schütze 2021).

Where a text is too long, it is cut, never the template. What a template's words, and the words that may stand at its mask, are in tokens is
asked of the tokenizer with the whole template before it, so it is as plain transformers would have it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import Formatter
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from acclimate.data.batches import TARGET_INDEX, Batch, woven
from acclimate.data.pairs import OTHER_PROBE, beginnings, longest_first
from acclimate.data.ragged import IntArray, offsets_of
from acclimate.data.sequences import Sequences
from acclimate.data.tokens import PROBE, TokenStore, mask_token, plain
from acclimate.data.windows import Windows, first
from acclimate.errors import SettingsError

MASK, COLUMNS = "mask", ("text", "text_b")
Pieces = tuple[tuple[tuple[int, ...], ...], ...]
"""[L] of each label its words, and of each word its tokens."""
SINGLE, OF_PAIR = "{text} It was {mask}.", "{text} ? {mask} , {text_b}"  # examples, those of Gao, Fisch & Chen (2021)


class Text(NamedTuple):
    """The place of a text in a template."""

    column: int
    """Which of an item's texts."""
    lead: str
    """What stands directly before it and is tokenised with it: a space, where the vocabulary knows words with the space before them."""


@dataclass(frozen=True)
class Pattern:
    """A template in tokens, special ones included."""

    parts: tuple[int | Text, ...]
    mask: int
    """Which part is the mask."""

    @property
    def texts(self) -> tuple[Text, ...]:
        """The places of the texts, in their order in the template."""
        return tuple(part for part in self.parts if isinstance(part, Text))

    @property
    def tokens(self) -> tuple[int, ...]:
        """All but the texts."""
        return tuple(part for part in self.parts if isinstance(part, int))

    def led(self, columns: Sequence[Sequence[str]]) -> tuple[Sequence[str], ...]:
        """The columns of text as they are to be tokenised."""
        leads = {text.column: text.lead for text in self.texts}
        return tuple(tuple(leads[at] + text for text in column) if leads[at] else column for at, column in enumerate(columns))


def check_template(template: str, texts: int | None = None) -> None:
    """Refuse a template without one place for each of an item's `texts` and one for the mask; None: one or two, whichever it has.

    Raises:
        SettingsError: it is refused.
    """
    example = OF_PAIR if texts == 2 else SINGLE
    try:
        places = [(name, layout, conversion) for _, name, layout, conversion in Formatter().parse(template) if name is not None]
    except ValueError as error:
        raise SettingsError(f"template: {template!r} cannot be read ({error}); e.g. {example!r}") from error
    names = [name for name, _, _ in places]
    count = texts or 1 + ("text_b" in names)
    wanted = [*COLUMNS[:count], MASK]
    odd = next((place for place in places if place[0] not in wanted or place[1] or place[2]), None)
    if odd is not None:
        layout = (f"!{odd[2]}" if odd[2] else "") + (f":{odd[1]}" if odd[1] else "")
        why = " of single texts" if odd[0] == "text_b" and count == 1 else ""
        raise SettingsError(f"template: {template!r} has the place {{{odd[0]}{layout}}}, which says nothing{why}; e.g. {example!r}")
    for name in wanted:
        if names.count(name) != 1:
            found = "no place" if name not in names else f"{names.count(name)} places"
            raise SettingsError(f"template: {template!r} has {found} for {{{name}}}, and needs one; e.g. {example!r}")


def pattern_of(tokenizer: Tokenizer, template: str, texts: int) -> Pattern:
    """A template in the tokens of a vocabulary.

    Raises:
        ModelError: the vocabulary has no mask.
        SettingsError: the template lacks a place, or what stands beside one would become one token with it.
    """
    check_template(template, texts)
    mask_id, mask = mask_token(tokenizer, "fill a mask in a template")
    filled = {"text": PROBE, "text_b": OTHER_PROBE, MASK: mask}
    ids, owners = _read(plain(tokenizer), template, filled)
    parts: list[int | Text] = []
    at: dict[str, list[int]] = {}
    for token, owner in zip(ids, owners, strict=True):
        if owner is None or owner == MASK:
            if owner == MASK:
                at.setdefault(MASK, []).append(len(parts))
            parts.append(token)
            continue
        if owner not in at:
            at[owner] = []
            parts.append(Text(COLUMNS.index(owner), lead_of(tokenizer, owner, template, filled[owner], ids, owners)))
    if [parts[place] for place in at.get(MASK, [])] != [mask_id] or any(name not in at for name in COLUMNS[:texts]):
        raise SettingsError(
            f"template: what the tokenizer makes of {template!r} does not hold the mask and each text once; e.g. {SINGLE!r}"
        )
    return Pattern(tuple(parts), at[MASK][0])


def pieces_of(tokenizer: Tokenizer, template: str, word: str) -> tuple[int, ...]:
    """The tokens of a word that stands at the mask of a template.

    Raises:
        SettingsError: what stands beside the mask would become one token with it.
    """
    ids, owners = _read(plain(tokenizer), template, {"text": PROBE, "text_b": OTHER_PROBE, MASK: word})
    return tuple(token for token, owner in zip(ids, owners, strict=True) if owner == MASK)


def _read(tokenizer: Tokenizer, template: str, filled: Mapping[str, str]) -> tuple[list[int], list[str | None]]:
    """The tokens of a filled template, and in which place each stands; None: in none."""
    return read_places(tokenizer, [(before, name) for before, name, _, _ in Formatter().parse(template)], filled, template)


def read_places(
    tokenizer: Tokenizer, places: Sequence[tuple[str, str | None]], filled: Mapping[str, str], template: str, special: bool = True
) -> tuple[list[int], list[str | None]]:
    """The tokens of what stands before each place and of what fills it, and in which place each stands; None: in none.

    `special`: with the special tokens around a text; `template` is what messages call it.

    Raises:
        SettingsError: what stands beside a place would become one token with what fills it.
    """
    whole, spans = "", {}
    for before, name in places:
        whole += before
        if name is not None:
            spans[name] = (len(whole), len(whole) + len(filled[name]))
            whole += filled[name]
    encoding = tokenizer.encode(whole, add_special_tokens=special)
    owners: list[str | None] = []
    for begin, end in encoding.offsets:
        name, (first, last) = next(((n, s) for n, s in spans.items() if begin < s[1] and end > s[0]), (None, (begin, end)))
        if whole[begin:first].strip() or whole[last:end].strip():
            raise SettingsError(
                f"template: in {template!r} the tokenizer makes one token of {whole[begin:end]!r}, which is more than {{{name}}}; "
                "put a space between them"
            )
        owners.append(name)
    return encoding.ids, owners


def lead_of(tokenizer: Tokenizer, name: str, template: str, probe: str, ids: list[int], owners: list[str | None]) -> str:
    """What must be put before a text, so that it has the tokens that it has in the template.

    Raises:
        SettingsError: nothing makes it so.
    """
    there = [token for token, owner in zip(ids, owners, strict=True) if owner == name]
    for lead in ("", " "):
        if plain(tokenizer).encode(lead + probe, add_special_tokens=False).ids == there:
            return lead
    raise SettingsError(
        f"template: in {template!r} the tokenizer makes other tokens of {{{name}}} than of the text alone, or after a space; put spaces "
        "around it, or let the text stand first"
    )


@dataclass(frozen=True, kw_only=True)
class ClozeSequences(Sequences):
    """`N` items in a template, as the model reads them: `store` and `windows` are those of the first text, and there is no prefix."""

    pattern: Pattern
    columns: tuple[tuple[TokenStore, Windows], ...]
    """The tokens of each column, and what is read of each."""

    @property
    def frame(self) -> Mapping[str, Any]:
        """The template in tokens."""
        return {"template": [part if isinstance(part, int) else list(part) for part in self.pattern.parts]}

    @property
    def lengths(self) -> IntArray:
        """[N] tokens, those of the template included."""
        texts: IntArray = sum((windows.length.astype(np.int64) for _, windows in self.columns), np.zeros(len(self), dtype=np.int64))
        return texts + len(self.pattern.tokens)

    @property
    def cut_tokens(self) -> int:
        """Tokens of the texts that are not read."""
        return sum(windows.cut_tokens for _, windows in self.columns)

    @property
    def cut(self) -> npt.NDArray[np.bool_]:
        """[N] whether an item has a text that is not read to its end."""
        return np.asarray(np.any([np.diff(store.offsets) > windows.length for store, windows in self.columns], axis=0))

    @property
    def tokens(self) -> int:
        """Of all texts, read or not."""
        return sum(store.total for store, _ in self.columns)

    @property
    def unknown_share(self) -> float:
        """Of the tokens of the texts, those that are unknown to the vocabulary: 0 to 1."""
        unknown, total = (sum(store.unknown for store, _ in self.columns), sum(store.total for store, _ in self.columns))
        return min(1.0, unknown / max(1, total, unknown))

    def batch(self, indices: npt.NDArray[np.integer], targets: Mapping[str, npt.NDArray[np.generic]] | None = None) -> Batch:
        """The flat batch of these items, asked about their masks; `targets` are already theirs, row by row."""
        parts = [part if isinstance(part, int) else self.columns[part.column] for part in self.pattern.parts]
        ids, starts_BP, lengths_BP = woven(parts, indices)
        offsets = offsets_of(lengths_BP.sum(axis=1))
        position_ids = np.arange(len(ids)) - np.repeat(offsets[:-1], np.diff(offsets))
        hidden = None if self.hidden is None else self.hidden.rows(indices)
        asked = {TARGET_INDEX: starts_BP[:, self.pattern.mask].copy(), **(targets or {})}
        return Batch(ids, position_ids, offsets, targets=asked, hidden=hidden)


def cloze_sequences(stores: Sequence[TokenStore], pattern: Pattern, length: int) -> ClozeSequences:
    """The items of one store a column (of texts as `Pattern.led` gives them), each of at most `length` tokens.

    Raises:
        SettingsError: `length` leaves no room for text beside the template.
    """
    room = room_for_text(pattern, length)
    if len(stores) == 1:
        columns: tuple[tuple[TokenStore, Windows], ...] = ((stores[0], first(stores[0], room)),)
    else:
        whole = [np.diff(store.offsets) for store in stores]
        kept = longest_first(whole[0], whole[1], room)
        columns = tuple((store, beginnings(store, *each)) for store, *each in zip(stores, whole, kept, strict=True))
    return ClozeSequences(*columns[0], (), (), pattern=pattern, columns=columns)


def room_for_text(pattern: Pattern, length: int) -> int:
    """Tokens that texts have room for beside a template, in sequences of at most `length`.

    Raises:
        SettingsError: there is none.
    """
    room = length - len(pattern.tokens)
    if room < len(pattern.texts):
        raise SettingsError(f"max_length: of {length} tokens the template takes {len(pattern.tokens)}: no text has room")
    return room
