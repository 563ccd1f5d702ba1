"""The settings of `pretrain` that are about vectors of texts, and what of the others goes with them. No torch."""

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from acclimate.data.cut_texts import Texts
from acclimate.errors import SettingsError
from acclimate.modeling.embedding_form import Pooling
from acclimate.settings import Settings
from acclimate.stages.planned import Sizes

DELETE, TEMPERATURE = 0.6, 0.05  # where nothing is said: Wang et al. 2021; Gao et al. 2021
OWN: Mapping[str, tuple[str, ...]] = {
    "mlm": ("masking", "mask_rate", "mask_rate_end", "whole_word", "new_rows_first", "head_warmup", "head_lr", "teacher"),
    "tsdae": ("texts", "pooling", "delete", "head_warmup", "head_lr"),
    "simcse": ("texts", "pooling", "temperature"),
}
"""The settings that not every objective has."""


class WithoutLabels(Settings):
    """What a pretraining learns, and what is said of vectors of texts where it learns these."""

    objective: Literal["mlm", "tsdae", "simcse"] = "mlm"
    """What is learned: to predict masked words; or vectors of texts without labels, by giving back a text from the vector of a few of its
    words (`tsdae`: Wang et al. 2021), or by telling texts apart under dropout (`simcse`: Gao et al. 2021)."""
    texts: Texts | None = None
    """tsdae, simcse: what a vector is learned of, `sentences` (the default), `lines`, or whole `documents`; those longer than `max_length`
    are read in several windows, and counted."""
    pooling: Pooling | None = None
    """tsdae, simcse: how vectors are made of the states of tokens, `mean`, `cls` or `max`; default as the model has it, or else `mean`."""
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
        for name in self.others_own():
            if getattr(self, name) != type(self).model_fields[name].default:
                others = next(each for each, names in OWN.items() if name in names)
                raise ValueError(f"`{name}` goes with `objective: {others}`, and this is {self.objective}; leave one of them out")
        if self.objective == "simcse" and getattr(self, "dropout") == 0:  # noqa: B009 - a field of the stage
            raise ValueError("`dropout: 0` would make both views of a text equal, and simcse learns from how they differ; leave it out")
        return self

    @property
    def masks(self) -> bool:
        """Whether masked words are learned."""
        return self.objective == "mlm"

    def others_own(self) -> tuple[str, ...]:
        """The settings that only other objectives have."""
        return tuple(dict.fromkeys(name for names in OWN.values() for name in names if name not in OWN[self.objective]))

    def keyed_objective(self) -> dict[str, Any]:
        """What stands in the key of vectors of texts: every setting of theirs as what it comes to."""
        defaults = {"texts": "sentences", "delete": DELETE, "temperature": TEMPERATURE}
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
