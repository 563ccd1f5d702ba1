"""Which loss trains, and its settings, as a study file says them: `focal`, or `{focal: {gamma: 2}}`. No torch: a plan checks them."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, GetJsonSchemaHandler, SerializerFunctionWrapHandler, model_serializer
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from acclimate.errors import SettingsError
from acclimate.settings import ByName, Settings
from acclimate.tasks.kind import Head


class LossSettings(Settings):
    """One loss of names, with its settings."""

    weighed: ClassVar[bool] = True
    """Whether the examples of a class may count more (`class_weights`)."""

    loss: str
    """Its name."""

    @model_serializer(mode="wrap")
    def _as_written(self, inner: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {self.loss: {name: value for name, value in inner(self).items() if name != "loss"}}

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        # Which loss it is, is said by the key in front of the settings.
        schema = handler.resolve_ref_schema(handler(core))
        schema["properties"].pop("loss", None)
        return schema


class CrossEntropySettings(LossSettings):
    """-log p, p being the probability of what is right: the loss of nearly all classifiers, which has no settings."""

    loss: Literal["cross_entropy"] = "cross_entropy"


class FocalSettings(LossSettings):
    """-(1 - p)^gamma log p: what is nearly right counts less, so that many easy examples do not drown the hard ones (Lin et al. 2017).
    Their alpha is `class_weights`."""

    loss: Literal["focal"] = "focal"
    gamma: float = Field(default=2.0, ge=0, le=100)
    """How much less it counts; 0 is cross-entropy, 2 is what the paper found best."""


Loss = Annotated[LossSettings, ByName("loss", (CrossEntropySettings, FocalSettings))]
"""In a stage's settings: one of these losses."""


def is_cross_entropy(choice: object) -> bool:
    """Whether it is what was done before there was a choice: said or not, it is the same computation."""
    return isinstance(choice, CrossEntropySettings)


def check_loss(choice: LossSettings | None, class_weights: object, kind: str, head: Head) -> None:
    """Refuse a loss that cannot train this kind of task, or that goes with no weights of classes.

    Raises:
        SettingsError: which losses can; or that weights and loss do not go together.
    """
    if choice is None:
        return
    if choice.loss not in head.losses:
        if len(head.losses) == 1:
            raise SettingsError(f"loss: {kind} is learned by {head.losses[0]} alone, and {choice.loss} is for names; leave `loss` out")
        raise SettingsError(f"loss: {choice.loss} cannot train {kind}; those that can are {', '.join(head.losses)}")
    if not choice.weighed and class_weights != "none":
        raise SettingsError(f"class_weights: {choice.loss} balances classes by itself and takes no weights; leave one of the two out")
