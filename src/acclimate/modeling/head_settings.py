"""The classifier on top of the pooled text; apart from the code that builds it, so that reading a study file does not load torch."""

from typing import Self

from pydantic import Field, model_validator

from acclimate.settings import Settings


class HeadSettings(Settings):
    """Linear layers of the classifier."""

    layers: int = Field(default=1, ge=1, le=8)
    """1: one linear layer, as the architecture has it; more: hidden layers with GELU before it."""
    hidden: int | None = Field(default=None, gt=0)
    """Width of the hidden layers; default the model's."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Dropout after each hidden layer."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.hidden is not None and self.layers == 1:
            raise ValueError("`hidden` needs `layers` of 2 or more: one linear layer has no hidden width")
        return self
