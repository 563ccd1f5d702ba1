"""Text that `finetune` reads between its batches of labelled texts: its settings, and what they come to. No torch."""

from typing import Any, Self

from pydantic import Field, model_validator

from acclimate.data.mixture import Mixture, in_words
from acclimate.errors import SettingsError
from acclimate.modeling.longest import LONGEST_DEFAULT
from acclimate.settings import MOST_EPOCHS, Settings
from acclimate.stages.planned import Reads, Sizes, Work
from acclimate.stages.pretrain import Pretrain


class Auxiliary(Settings):
    """Text whose words are learned in the same stage, by the model's own head for them: masked ones, of a decoder next ones."""

    corpus: Mixture = "domain"
    """A corpus of `data`, or `task`, or several with how often each is read in an epoch, as in `pretrain`."""
    tokens: int | None = Field(default=None, gt=0)
    """Budget in tokens of text (not with `epochs`), spread evenly over the whole training."""
    epochs: float | None = Field(default=None, gt=0, le=MOST_EPOCHS)
    """Budget in passes over the text; default 1, or 10 for `task`."""
    batch_tokens: int = Field(default=8192, gt=0)
    """Tokens of a step that reads text, over all devices."""
    max_length: int | None = Field(default=None, ge=8)
    """Tokens per window of text, special ones included; default the model's limit, at most 512."""
    mask_rate: float | None = Field(default=None, gt=0, lt=1)
    """Share of tokens masked, of an encoder; default .15, .30 for ModernBERT."""
    weight: float = Field(default=1.0, gt=0)
    """Of a step that reads text, beside 1 of a step that learns from labels."""

    @model_validator(mode="after")
    def _one_budget(self) -> Self:
        if self.tokens is not None and self.epochs is not None:
            raise ValueError("give `tokens` or `epochs`, not both")
        return self

    @property
    def pretraining(self) -> Pretrain:
        """The pretraining that would read the same text in the same batches."""
        return Pretrain(**self.model_dump(exclude={"weight"}), dropout=None)

    def keyed(self) -> dict[str, Any]:
        """As it stands in a key."""
        of_text = self.pretraining
        settled = {"epochs": None if self.tokens is not None else of_text.passes(), "max_length": self.max_length or LONGEST_DEFAULT}
        return self.model_dump(mode="json") | settled

    def told(self) -> str:
        """For titles."""
        return f"with text of {in_words(self.corpus)}"

    def sliver(self) -> Self:
        """Cut down to a step or two."""
        of_text = self.pretraining.sliver()
        return self.model_copy(update={"tokens": of_text.tokens, "epochs": None, "batch_tokens": of_text.batch_tokens})

    def check(self, given: Sizes) -> Sizes:
        """The sizes with what is held out of the text.

        Raises:
            SettingsError: the model has no head for words that could go on learning, or the text cannot be read so.
        """
        assert given.source is not None
        if given.fresh_head:
            raise SettingsError(
                f"auxiliary: {given.source.name} has no head for masked words that could go on learning; let it learn one first, with "
                "`pretrain`, or take a base that has one"
            )
        if given.family.decoder and self.mask_rate is not None:
            raise SettingsError(f"auxiliary: mask_rate: {given.source.name} is a decoder, which learns next words; leave `mask_rate` out")
        try:
            return self.pretraining.for_model(given.family).check(given, None)
        except SettingsError as error:
            raise SettingsError(f"auxiliary: {error}") from error

    def work(self, given: Sizes, reads: Reads) -> Work:
        """What its part of the steps takes."""
        return self.pretraining.for_model(given.family).work(given, reads)
