"""Which loss trains, and its settings, as a study file says them: `focal`, or `{focal: {gamma: 2}}`. No torch: a plan checks them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, GetJsonSchemaHandler, SerializerFunctionWrapHandler, model_serializer
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from acclimate.errors import SettingsError
from acclimate.own_code import OwnCode
from acclimate.settings import ByName, Settings
from acclimate.tasks.kind import Head


class LossSettings(Settings):
    """One loss of names, with its settings."""

    weighed: ClassVar[bool] = True
    """Whether the examples of a class may count more (`class_weights`)."""

    loss: str
    """Its name."""

    def own_code(self) -> tuple[str, ...]:
        """Functions of the user's own that it calls, as `module:function`."""
        return ()

    def located(self, root: Path) -> Self:
        """The same with the sources of its `own_code` found, none of which is imported; `root` is the folder of the study file.

        Raises:
            SettingsError: there is no such function, or it does not take what it would be given.
        """
        return self

    def notes(self) -> tuple[str, ...]:
        """What should be known of a model that it trained."""
        return ()

    @model_serializer(mode="wrap")
    def _as_written(self, inner: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {self.loss: {name: value for name, value in inner(self).items() if name != "loss"}}

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        # Which loss it is, is said by the key in front of the settings.
        schema = handler.resolve_ref_schema(super().__get_pydantic_json_schema__(core, handler))
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


class LabelSmoothingSettings(LossSettings):
    """Cross-entropy against names that are right by 1 - epsilon, with epsilon spread over all: a model need not be sure (Szegedy et al.
    2016)."""

    loss: Literal["label_smoothing"] = "label_smoothing"
    epsilon: float = Field(default=0.1, ge=0, lt=1)
    """What is spread over all names; of labels each by itself over the two answers, so that one that holds is right by 1 - epsilon / 2."""


class LogitAdjustmentSettings(LossSettings):
    """Cross-entropy of logits to which tau log(prior) is added in training alone, so that the model answers as if all classes were equally
    frequent (Menon et al. 2021). Priors are those of the training labels (of labels each by itself their odds)."""

    loss: Literal["logit_adjustment"] = "logit_adjustment"
    tau: float = Field(default=1.0, ge=0, le=100)
    """How much of the priors is left out: 0 is cross-entropy, 1 suits recall that is averaged over classes."""


class DiceSettings(LossSettings):
    """1 - (2 q y + smooth) / (q^2 + y + smooth) with q = (1 - p)^alpha p, of every name against the others: a soft F1 (Li et al. 2020), for
    tags first of all. It balances by itself and takes no `class_weights`."""

    weighed: ClassVar[bool] = False
    loss: Literal["dice"] = "dice"
    alpha: float = Field(default=0.01, ge=0, le=10)
    """How much less an easy answer counts. The authors' code has 0.01; a right name is pulled to p = 1 / (1 + alpha), so 1 is too much."""
    smooth: float = Field(default=1.0, gt=0, le=100)
    """Added above and below, so that names which are wrong teach something, too."""
    squared: bool = True
    """Whether it is q^2 below, as in the authors' own trainings, or q, as in the paper's formula, which learns far more slowly."""


OWN: Literal["module:function"] = "module:function"


class OwnLoss(LossSettings):
    """A loss of your own (docs/own-loss.md), which runs with `--allow-code` alone: `my_package.losses:my_loss` is a function from outputs
    [M, L] and what is right, [M] or of labels each by itself [M, L], to losses [M]; `{my_package.losses:my_loss: {gamma: 1}}` gives it
    keywords."""

    loss: Literal["module:function"] = OWN
    function: str = Field(exclude=True)  # module:function
    settings: dict[str, Any] = Field(default={}, exclude=True)
    digest: str | None = Field(default=None, exclude=True)  # of its sources, once they are found
    files: dict[str, str] = Field(default={}, exclude=True)  # the modules, and where they are here

    @model_serializer(mode="wrap")
    def _as_written(self, _: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {self.function: self.settings} | ({"digest": self.digest} if self.digest else {})

    def own_code(self) -> tuple[str, ...]:
        return (self.function,)

    def located(self, root: Path) -> Self:
        code = OwnCode.find(self.function, root)
        code.check_settings(tuple(self.settings), positional=2)
        return self.model_copy(update={"digest": code.digest, "files": code.files})

    def code(self) -> OwnCode:
        """The sources as they were when the study was planned.

        Raises:
            SettingsError: they have changed since.
        """
        return OwnCode.again(self.function, self.files, self.digest)

    def notes(self) -> tuple[str, ...]:
        return (f"trained with code of one's own: the loss {self.code().told}",)


class LossByName(ByName):
    """That of a loss of one's own is its module and function."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        made = super().__get_pydantic_json_schema__(schema, handler)
        names, one = made["anyOf"]
        names["enum"].remove(OWN)
        about = one["properties"].pop(OWN)["description"]
        one["patternProperties"] = {":": {"anyOf": [{"type": "object"}, {"type": "null"}], "description": about}}
        return {"anyOf": [names, {"type": "string", "pattern": ":", "description": about}, one]}

    def _read(self, value: Any) -> Any:
        word = next(iter(value)) if isinstance(value, Mapping) and len(value) == 1 else value
        if not isinstance(word, str) or ":" not in word:
            return super()._read(value)
        module, _, function = word.partition(":")
        if not all(part.isidentifier() for part in (*module.split("."), function)):
            raise ValueError(f"{word!r} names no function; one is written `my_package.losses:my_loss`, module and function")
        settings = value[word] if isinstance(value, Mapping) else None
        if settings is not None and not isinstance(settings, Mapping):
            raise ValueError(f"the settings of {word} are a mapping, `{word}: {{key: value}}`, not {settings!r}")
        return {"loss": OWN, "function": word, "settings": settings or {}}


OF_ACCLIMATE = (CrossEntropySettings, FocalSettings, LabelSmoothingSettings, LogitAdjustmentSettings, DiceSettings)
Loss = Annotated[LossSettings, LossByName("loss", (*OF_ACCLIMATE, OwnLoss))]
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
