"""How a masked language model is asked which label a text has: a template with one mask, and the words of each label that may stand there.

"{text} It was {mask}." and "great", "terrible": patterns and verbalizers of Schick & Schütze (2021), templates and label words of Gao,
Fisch & Chen (2021). The score of a label is the mean logit, at the mask, of its words; that of a word of several tokens is the mean of
theirs. No torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

from tokenizers import Tokenizer

from acclimate.data.cloze import Pattern, Pieces, check_template, pattern_of, pieces_of
from acclimate.data.unknown import unknown_id
from acclimate.errors import ModelError, SettingsError
from acclimate.modeling.base_files import TEMPLATE
from acclimate.modeling.hypotheses import check_words

TEMPLATES = {1: "{text} This text is about {mask}.", 2: "{text} ? {mask} , {text_b}"}  # by how many texts an item has


class ClozeTokens(NamedTuple):
    """Template and label words in the tokens of a vocabulary."""

    pattern: Pattern
    words: Pieces


@dataclass(frozen=True)
class Cloze:
    """A template, and L labels as words that may stand at its mask."""

    labels: tuple[str, ...]
    """What the answers are called."""
    template: str
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The words of a label, where they are not the label itself."""
    texts: int = 1
    """How many texts an item has."""

    @property
    def words(self) -> tuple[tuple[str, ...], ...]:
        """[L] the words of each label."""
        return tuple(self.names.get(label, (label,)) for label in self.labels)

    def check(self) -> None:
        """Refuse what no vocabulary could mend.

        Raises:
            SettingsError: the template lacks a place, words are given for labels that there are not, or two labels have the same one.
        """
        check_template(self.template, self.texts)
        check_words(self.names, self.labels)

    def tokens(self, tokenizer: Tokenizer) -> ClozeTokens:
        """The same in tokens.

        Raises:
            ModelError: the vocabulary has no mask.
            SettingsError: as `check`; or the vocabulary does not know a word, or makes the same of two.
        """
        self.check()
        found = ClozeTokens(
            pattern_of(tokenizer, self.template, self.texts),
            tuple(tuple(pieces_of(tokenizer, self.template, word) for word in words) for words in self.words),
        )
        self.check_pieces(tokenizer, found.words)
        return found

    def check_pieces(self, tokenizer: Tokenizer, found: Pieces) -> None:
        """Refuse words that a vocabulary does not know, or of which it makes the same, by what it makes of them.

        Raises:
            SettingsError: they are refused.
        """
        unknown = unknown_id(tokenizer)
        said: dict[frozenset[tuple[int, ...]], str] = {}
        for label, words, pieces in zip(self.labels, self.words, found, strict=True):
            for word, each in zip(words, pieces, strict=True):
                if not each or unknown in each:
                    raise SettingsError(
                        f"names: {word!r} is no word of this model's vocabulary, so it cannot stand at the mask for the label {label!r}; "
                        f"name another, e.g. names: {{{label}: a word}}"
                    )
            other = said.setdefault(frozenset(pieces), label)
            if other != label:
                raise SettingsError(f"names: this model's vocabulary makes the same of the words of {other!r} and {label!r}: name others")

    def notes(self, tokenizer: Tokenizer) -> tuple[str, ...]:
        """What should be known of them in a vocabulary: words of several tokens, and what it does not know of the template."""
        found = self.tokens(tokenizer)
        several = [
            f"{word!r} = {' '.join(str(tokenizer.id_to_token(piece)) for piece in pieces)}"
            for words, each in zip(self.words, found.words, strict=True)
            for word, pieces in zip(words, each, strict=True)
            if len(pieces) > 1
        ]
        notes = []
        if several:
            shown = ", ".join(several[:5]) + (", ..." if len(several) > 5 else "")
            are = "is a label word" if len(several) == 1 else "are label words"
            notes.append(f"there {are} of several tokens ({shown}): the score is the mean of theirs at the one mask")
        unread = found.pattern.tokens.count(unknown) if (unknown := unknown_id(tokenizer)) is not None else 0
        if unread:
            notes.append(
                f"{unread} of the {len(found.pattern.tokens)} tokens of the template {self.template!r} are unknown to the vocabulary"
            )
        return tuple(notes)

    def written(self, tokens: ClozeTokens) -> dict[str, Any]:
        """As it stands in config.json; with its tokens, for whoever asks the model without acclimate."""
        parts = [part if isinstance(part, int) else part._asdict() for part in tokens.pattern.parts]
        return {
            "template": self.template,
            "labels": list(self.labels),
            "names": {label: list(words) for label, words in self.names.items()},
            "tokens": parts,
            "mask": tokens.pattern.mask,
            "words": {label: [list(word) for word in words] for label, words in zip(self.labels, tokens.words, strict=True)},
        }

    @classmethod
    def read(cls, config: Mapping[str, Any], where: str) -> Self | None:
        """That of a config.json; None where it has none. `where` names it in messages.

        Raises:
            ModelError: it is damaged.
        """
        said = config.get(TEMPLATE)
        if said is None:
            return None
        try:
            names = {str(label): tuple(words) for label, words in said["names"].items()}
            found = cls(tuple(said["labels"]), said["template"], names, 2 if "{text_b}" in said["template"] else 1)
            if not found.labels or not all(isinstance(word, str) for word in (*found.labels, *(w for words in found.words for w in words))):
                raise ValueError("`labels` and `names` are no texts")
            found.check()
            if not isinstance(said["tokens"][said["mask"]], int) or set(said["words"]) != set(found.labels):
                raise ValueError("`tokens`, `mask` and `words` do not belong together")
        except (KeyError, IndexError, TypeError, AttributeError, ValueError, SettingsError) as error:
            raise ModelError(f"{where}: {TEMPLATE} is damaged ({error}); copy the model again") from error
        return found


def used_tokens(words: Pieces) -> tuple[int, ...]:
    """[K] every token of the words, each once, ascending."""
    return tuple(sorted({token for label in words for word in label for token in word}))
