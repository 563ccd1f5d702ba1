"""How long a sequence a model can read."""

from typing import TYPE_CHECKING, Any

from acclimate.errors import SettingsError
from acclimate.modeling.families import dimensions_of

if TYPE_CHECKING:  # the plan looks at limits without torch
    from acclimate.modeling.folder import ModelFolder

LONGEST_DEFAULT = 512  # longer windows cost memory; whoever wants them sets max_length


def longest(config: dict[str, Any]) -> int:
    """The longest sequence the model's positions allow, special tokens included."""
    return dimensions_of(config).positions


def sequence_length(asked: int | None, folder: "ModelFolder") -> int:
    """Tokens a sequence may have, special ones included: what was asked for, or the model's limit up to 512.

    Raises:
        SettingsError: more was asked for than the model has positions.
    """
    check_length(asked, folder.config)
    return asked or min(longest(folder.config), LONGEST_DEFAULT)


def check_length(asked: int | None, config: dict[str, Any]) -> None:
    """Refuse a length that the model has no positions for.

    Raises:
        SettingsError: more was asked for than the model has positions.
    """
    if asked is not None and asked > longest(config):
        raise SettingsError(f"max_length: {asked} is more than the {longest(config)} positions of this model")
