"""What `pretrain` can learn without labels, and the settings that only some of that has. No torch."""

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from acclimate.data.cut_texts import Texts
from acclimate.errors import SettingsError
from acclimate.modeling.embedding_form import Pooling
from acclimate.modeling.families import Family
from acclimate.settings import Settings
from acclimate.stages.planned import Sizes

DELETE, TEMPERATURE = 0.6, 0.05  # where nothing is said: Wang et al. 2021; Gao et al. 2021
OWN: Mapping[str, tuple[str, ...]] = {
    "mlm": ("masking", "mask_rate", "mask_rate_end", "whole_word", "new_rows_first", "head_warmup", "head_lr", "teacher"),
    "clm": ("windows",),
    "tsdae": ("texts", "pooling", "delete", "head_warmup", "head_lr"),
    "simcse": ("texts", "pooling", "temperature"),
}
"""The settings that not every objective has."""


class WithoutLabels(Settings):
    """What a pretraining learns, and what is said of vectors of texts where it learns these."""

    objective: Literal["mlm", "clm", "tsdae", "simcse"] | None = None
    """What is learned: to predict masked words (`mlm`, an encoder's default), or each next word (`clm`, a decoder's; an encoder looks back
    alone while it does, on the way to a `pretrain` on masked words); or vectors of texts without labels, by giving back a text from the
    vector of a few of its words (`tsdae`: Wang et al. 2021), or by telling texts apart under dropout (`simcse`: Gao et al. 2021)."""
    windows: Literal["within", "across"] | None = None
    """clm: windows end where their document does (`within`, the default), or hold what comes after it, too (`across`): all of the same
    length, in which a token also sees the documents before its own."""
    texts: Texts | None = None
    """tsdae, simcse: what a vector is learned of, `sentences` (the default), `lines`, or whole `documents`; those longer than `max_length`
    are read in several windows, and counted."""
    pooling: Pooling | None = None
    """tsdae, simcse: how vectors are made of the states of tokens, `mean`, `cls`, `max` or `last`; default as the model has it, or
    else `mean`."""
    delete: float | None = Field(default=None, gt=0, lt=1)
    """tsdae: share of the words that are deleted (default 0.6); at least one of a text stays."""
    temperature: float | None = Field(default=None, gt=0)
    """simcse: what cosines are divided by (default 0.05)."""

    @model_validator(mode="before")
    @classmethod
    def _dropout_of_the_model(cls, value: Any) -> Any:
        # Without dropout both views of a text are equal, so here its default is another one.
        views = isinstance(value, Mapping) and value.get("objective") == "simcse" and "dropout" not in value
        return {**value, "dropout": None} if views else value

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        # Where no objective is written the model decides between these two.
        if wrong := self.foreign() if self.objective else self.foreign("mlm", "clm"):
            raise ValueError(f"{wrong}, and this is {self.objective or 'mlm'}; leave one of them out")
        if self.objective == "simcse" and getattr(self, "dropout") == 0:  # noqa: B009 - a field of the stage
            raise ValueError("`dropout: 0` would make both views of a text equal, and simcse learns from how they differ; leave it out")
        return self

    @property
    def masks(self) -> bool:
        """Whether masked words are learned, as they are where nobody said anything and the model is not known yet."""
        return self.objective in (None, "mlm")

    @property
    def learns_words(self) -> bool:
        """Whether words are learned, masked or next ones, by a head that the model keeps."""
        return self.masks or self.objective == "clm"

    def for_model(self, family: Family) -> Self:
        """The same with the objective that is the default for an architecture, where none was written.

        Raises:
            SettingsError: settings of another objective were.
        """
        if self.objective is not None:
            return self
        settled = self.model_copy(update={"objective": "clm" if family.decoder else "mlm"})
        if wrong := settled.foreign():
            form = "a decoder, which learns next words (`objective: clm`)" if family.decoder else "an encoder, which learns masked words"
            raise SettingsError(f"{wrong}, and {family.model_type} is {form}; leave it out")
        return settled

    def check_objective(self, family: Family, name: str) -> None:
        """Refuse an objective that this architecture cannot learn; `name` is the base's.

        Raises:
            SettingsError: masked words or vectors of texts, and a decoder; next words, and an encoder whose attention is not computed here.
        """
        if family.decoder and self.objective != "clm":
            raise SettingsError(
                f"objective: {self.objective}: {name} is a decoder ({family.model_type}), whose tokens see those before them alone; "
                "take `objective: clm` (its default), or an encoder"
            )
        if self.objective == "clm" and family.unpacked:
            raise SettingsError(
                f"objective: clm: {name} is an encoder ({family.model_type}) that cannot be made to look back alone: {family.unpacked}; "
                "take `objective: mlm` (its default), or another base"
            )

    def foreign(self, *objectives: str) -> str:
        """What is said of the first setting that goes with none of these objectives (default: its own); empty where there is none."""
        for name in self.others_own(*objectives):
            if getattr(self, name) != type(self).model_fields[name].default:
                others = next(each for each, names in OWN.items() if name in names)
                return f"`{name}` goes with `objective: {others}`"
        return ""

    def others_own(self, *objectives: str) -> tuple[str, ...]:
        """The settings that only other objectives have than these (default: its own)."""
        own = {name for each in objectives or (self.objective or "mlm",) for name in OWN[each]}
        return tuple(dict.fromkeys(name for names in OWN.values() for name in names if name not in own))

    def keyed_objective(self) -> dict[str, Any]:
        """What stands in the key where no masked words are learned: every setting of the objective as what it comes to."""
        assert self.objective is not None
        defaults = {"texts": "sentences", "delete": DELETE, "temperature": TEMPERATURE, "windows": "within"}
        return {name: getattr(self, name) or defaults.get(name) for name in ("objective", *OWN[self.objective])}


def check_dropout(given: Sizes, dropout: float | None) -> None:
    """Refuse views that would not differ.

    Raises:
        SettingsError: the model's own dropout is none.
    """
    if dropout is None and not given.family.drops(given.config):
        assert given.source is not None
        raise SettingsError(
            f"objective: simcse: {given.source.name} has no dropout of its own, so both views of a text would be equal; "
            "say how much, as in `dropout: 0.1`"
        )
