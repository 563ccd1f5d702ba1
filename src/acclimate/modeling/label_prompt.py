"""How a decoder is asked which label a text has: examples, a template up to its mask, and the words of each label that may come next.

A label is as likely as its words are to follow (Brown et al. 2020, section 2.4). Where the model says what it would answer to a text
without content, each label is divided by that (contextual calibration, Zhao et al. 2021). No torch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from acclimate.data.prompts import SEPARATORS, Question, check_question, question_of
from acclimate.errors import ModelError, SettingsError
from acclimate.modeling.base_files import TEMPLATE
from acclimate.modeling.hypotheses import check_words
from acclimate.modeling.label_words import TEMPLATES, Cloze

DEFAULTS = {1: TEMPLATES[1], 2: "First: {text} Second: {text_b} Relation: {mask}."}  # by how many texts an item has
CONTENT_FREE = ("N/A", "[MASK]", "")  # Zhao et al. 2021, section 5: what is said of these is averaged
EXAMPLES = "examples"  # in what config.json says: only a decoder has some, or none


@dataclass(frozen=True)
class LabelPrompt:
    """A template with L labels, what stands before it, and what the model says of no content."""

    cloze: Cloze
    examples: str = ""
    """Filled templates and what stands between them, as they are read before each text."""
    prior: tuple[float, ...] | None = field(default=None)
    """[L] what it answers to a text without content; None where answers are not calibrated."""

    def check(self) -> None:
        """Refuse what no vocabulary could mend.

        Raises:
            SettingsError: the template cannot be read from left to right, or words are given that cannot be asked for.
        """
        check_question(self.cloze.template, self.cloze.texts)
        check_words(self.cloze.names, self.cloze.labels)

    def question(self, tokenizer: Tokenizer) -> Question:
        """The same in tokens.

        Raises:
            SettingsError: as `check`; or the vocabulary does not know a word, or makes the same of two.
        """
        self.check()
        found = question_of(tokenizer, self.cloze.template, self.cloze.texts, self.cloze.words, self.examples)
        self.cloze.check_pieces(tokenizer, found.words)
        return found

    def probabilities(self, log_likelihood_NL: NDArray[np.float64]) -> NDArray[np.float64]:
        """[N, L] that sum to 1 over the labels; calibrated where it has a `prior`."""
        against_L = 0.0 if self.prior is None else np.log(np.asarray(self.prior))
        log_NL = log_likelihood_NL - against_L
        found: NDArray[np.float64] = np.exp(log_NL - np.logaddexp.reduce(log_NL, axis=1, keepdims=True))
        return found

    def written(self, question: Question, begin: int) -> dict[str, Any]:
        """As it stands in config.json; with its tokens, the first of which begins a text, for whoever asks the model without acclimate."""
        parts = [part if isinstance(part, int) else part._asdict() for part in question.parts]
        return {
            "template": self.cloze.template,
            "labels": list(self.cloze.labels),
            "names": {label: list(words) for label, words in self.cloze.names.items()},
            "tokens": [begin, *parts],
            "words": {label: [list(word) for word in words] for label, words in zip(self.cloze.labels, question.words, strict=True)},
            EXAMPLES: self.examples,
            "prior": None if self.prior is None else list(self.prior),
        }

    @classmethod
    def read(cls, config: Mapping[str, Any], where: str) -> Self | None:
        """That of a config.json; None where it has none, or that of a masked language model. `where` names it in messages.

        Raises:
            ModelError: it is damaged.
        """
        said = config.get(TEMPLATE)
        if not isinstance(said, Mapping) or EXAMPLES not in said:
            return None
        try:
            names = {str(label): tuple(map(str, words)) for label, words in said["names"].items()}
            cloze = Cloze(tuple(map(str, said["labels"])), said["template"], names, 2 if "{text_b}" in said["template"] else 1)
            prior = None if said["prior"] is None else tuple(map(float, said["prior"]))
            if not cloze.labels or (prior is not None and (len(prior) != len(cloze.labels) or not min(prior) > 0)):
                raise ValueError("`labels` and `prior` do not belong together")
            found = cls(cloze, str(said[EXAMPLES]), prior)
            found.check()
        except (KeyError, IndexError, TypeError, AttributeError, ValueError, SettingsError) as error:
            raise ModelError(f"{where}: {TEMPLATE} is damaged ({error}); copy the model again") from error
        return found


def prior_of(log_likelihood_CL: NDArray[np.float64]) -> tuple[float, ...]:
    """[L] the mean answer to texts without content, by what the labels are likely for each of these."""
    found_CL = np.exp(log_likelihood_CL - np.logaddexp.reduce(log_likelihood_CL, axis=1, keepdims=True))
    return tuple(float(value) for value in found_CL.mean(axis=0))


def separator_of(tokenizer: Tokenizer, cloze: Cloze, example: str) -> str:
    """What stands between examples: the first that this vocabulary keeps apart from a text after it.

    Raises:
        SettingsError: it keeps none apart.
    """
    for separator in SEPARATORS:
        try:
            question_of(tokenizer, cloze.template, cloze.texts, cloze.words, example + separator)
        except SettingsError as error:
            refused = error
        else:
            return separator
    raise refused


def joined(examples: Sequence[str], separator: str) -> str:
    """Examples as they stand before a text."""
    return "".join(example + separator for example in examples)
