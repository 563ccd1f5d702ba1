"""What is told of the attention of several models: their maps of one text, how far every head moved, and which head is shown first."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from acclimate.data.unknown import unknown_id
from acclimate.errors import SettingsError
from acclimate.evaluation.attention_shift import Shifts, incomparable, shifts
from acclimate.modeling.attention_maps import AttentionReader, Item, Pieces

MOST_TOKENS = 64  # of a text whose maps are shown: more can be read neither on a page nor on paper
LEVELS = 255  # a weight is kept as a whole number of these, in a byte


def attention_facts(
    readers: Mapping[str, AttentionReader], text: Item, texts: Sequence[Item] = (), most: int | None = None
) -> dict[str, Any]:
    """Of models by name, before and after: maps of a text, or of a pair as a model reads both, and how far their heads moved over a sample
    of `texts` (none: over that text).

    With `most` the text is cut to its first so many tokens; else it must be short enough. Ready for JSON: `text`, `cut`, `models` (`name`,
    `tokens`, `layers`, `heads`, and `maps`: [K, H, T, T] bytes in base64, a weight in 255ths), `moved` (`Shifts.as_json`; None where there
    is nothing to compare), `shown` (`layer` and `head`, from 1), `notes`.

    Raises:
        SettingsError: the text has no words, or more tokens than can be shown or than a model has positions.
        ModelError: a model gives no finite maps.
    """
    shown = {name: _shortened(name, reader, reader.pieces(text), most) for name, reader in readers.items()}
    moved, notes = _moved(list(readers.values()), texts, [*shown.values()])
    notes += [told for name, pieces in shown.items() if (told := _unknown(name, readers[name], pieces))]
    layer, head = moved.each[-1].most if moved is not None else (0, 0)
    return {
        "text": text if isinstance(text, str) else "\n".join(text),
        "cut": any(len(pieces.ids) < len(readers[name].pieces(text).ids) for name, pieces in shown.items()),
        "models": [
            {
                "name": name,
                "tokens": list(pieces.labels),
                "layers": readers[name].layers,
                "heads": readers[name].heads,
                "maps": encoded(readers[name].read(pieces).maps),
            }
            for name, pieces in shown.items()
        ],
        "moved": None if moved is None else {**moved.as_json(), "sample": bool(texts)},
        "shown": {"layer": layer + 1, "head": head + 1},
        "notes": notes,
    }


def encoded(maps: Tensor) -> str:
    """Weights as bytes, in base64."""
    return b64encode((maps * LEVELS).round().byte().numpy().tobytes()).decode()


def _shortened(name: str, reader: AttentionReader, pieces: Pieces, most: int | None) -> Pieces:
    if all(word is None for word in pieces.words):
        raise SettingsError("the sentence has no word: give one in quotes")
    limit = min(MOST_TOKENS, reader.positions) if most is None else min(most, reader.positions)
    if len(pieces.ids) <= limit:
        return pieces
    if most is None:
        why = "a larger map cannot be read" if limit == MOST_TOKENS else "the model reads no more"
        raise SettingsError(f"the sentence has {len(pieces.ids)} tokens with {name}, and {limit} are shown at most, for {why}: shorten it")
    return pieces.first(limit)


def _unknown(name: str, reader: AttentionReader, pieces: Pieces) -> str:
    # Their labels are what stands in the text, and the model sees one and the same token in the place of each.
    blank = unknown_id(reader.tokenizer)
    count = sum(token == blank and word is not None for token, word in zip(pieces.ids, pieces.words, strict=True))
    return f"{count} of {len(pieces.ids)} tokens are unknown to the vocabulary of {name}: what stands there it cannot read" if count else ""


def _moved(readers: Sequence[AttentionReader], texts: Sequence[Item], shown: Sequence[Pieces]) -> tuple[Shifts | None, list[str]]:
    if len(readers) < 2:
        return None, []
    samples = [[reader.pieces(text) for text in texts] for reader in readers] if texts else [[pieces] for pieces in shown]
    if (why := incomparable(readers, samples)) is not None:
        return None, [f"how far heads moved is not told, for the models cannot be compared head by head: {why}"]
    return shifts(readers, samples), []
