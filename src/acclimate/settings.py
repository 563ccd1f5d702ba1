"""The base class of everything a user can set: frozen, and unknown names are errors."""

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """A setting is a value: change one with `settings.model_copy(update={"lr": 3e-5})`."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, validate_default=True, allow_inf_nan=False)
