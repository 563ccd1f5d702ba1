"""What is said of adapters; apart from the code that adds them, so that reading a study file does not load torch."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, GetJsonSchemaHandler, field_validator, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from acclimate.errors import MissingExtraError, SettingsError
from acclimate.modeling.base_files import BASE_DTYPE
from acclimate.modeling.families import Family
from acclimate.settings import Settings
from acclimate.versions import version

FOLDER, REST = "adapter", "rest.safetensors"  # of what a stage with adapters leaves: these, and what else is not as its parent has it
ADAPTER_LR = 5e-4  # ten times that of all weights (Hu et al. 2021, table 9; Schulman et al. 2025)
FOUR_BITS = ("quantize", "load_in_4bit")  # as others ask for them
Name = Annotated[str, Field(pattern=r"\S")]


class Lora(Settings):
    """Beside each linear layer a product of two thin matrices, which alone is trained (Hu et al. 2021)."""

    rank: int = Field(default=8, ge=1, le=4096)
    """Of the two matrices: [rank, inputs] and [outputs, rank]."""
    alpha: float | None = Field(default=None, gt=0)
    """The product counts `alpha / rank` times; default twice the rank."""
    targets: Literal["all"] | Annotated[tuple[Name, ...], Field(min_length=1)] = "all"
    """Which linear layers get one: `all` of those in the model's layers (Dettmers et al. 2023), or those of these names, such as
    `[query, value]`; a name is the last part of a module's path, or more of it."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout of what goes into an adapter."""
    dora: bool = False
    """Whether each output's length is learned by itself, and the product changes its direction (Liu et al. 2024)."""
    rslora: bool = False
    """Whether the product counts `alpha / sqrt(rank)` times (Kalajdzievski 2023)."""
    init: Literal["uniform", "gaussian", "orthogonal"] = "uniform"
    """How the first matrix is drawn (the second is zero, but with `orthogonal`, where their product is small)."""
    bits: Literal[4] | None = None
    """The frozen weights beside which adapters are trained are rounded to four bits in the GPU's memory (QLoRA: Dettmers et al. 2023), by
    bitsandbytes; null: they are as precise as the base has them."""

    @model_validator(mode="before")
    @classmethod
    def _whole_weights(cls, value: Any) -> Any:
        if isinstance(value, Mapping) and (said := [name for name in FOUR_BITS if name in value]):
            raise ValueError(f"`{said[0]}`: frozen weights in four bits (QLoRA) are said by `bits: 4`")
        return value

    @model_validator(mode="after")
    def _whole_columns(self) -> Self:
        if self.bits is not None and self.dora:
            raise ValueError("`bits: 4` does not go with `dora`, which looks at columns of whole weights; leave one out")
        return self

    @field_validator("targets", mode="before")
    @classmethod
    def _one_name(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) and value != "all" else value

    @property
    def scale_alpha(self) -> float:
        """`alpha`, with its default."""
        return self.alpha or 2.0 * self.rank

    def keeps_half(self, config: Mapping[str, Any]) -> bool:
        """Whether frozen matrices of a model stay in half precision, where they are so on disk. DoRA looks at columns of whole ones."""
        return not self.dora and BASE_DTYPE in config

    def keyed(self) -> dict[str, Any]:
        """As it stands in a key: what a default comes to, and the version of what draws and computes adapters."""
        targets = self.targets if self.targets == "all" else sorted(set(self.targets))
        rounded = {"bits": self.bits, "bitsandbytes": _found("bitsandbytes")} if self.bits is not None else {}
        said = self.model_dump(mode="json", exclude={"bits"})  # which came later: where it is not said, keys are what they were
        return {**said, "alpha": self.scale_alpha, "targets": targets, "peft": _found("peft"), **rounded}

    def told(self) -> str:
        """In a few words for people, e.g. `LoRA rank 8`."""
        name = "DoRA" if self.dora else "rsLoRA" if self.rslora else "LoRA"
        return f"{name} rank {self.rank}" + ("" if self.bits is None else f", {self.bits} bits")


class AdapterTraining(Settings):
    """Adapters beside frozen weights, and a fresh head where the stage has one."""

    lora: Lora
    """The adapters; `lora` alone has every default."""

    @model_validator(mode="before")
    @classmethod
    def _by_its_word(cls, value: Any) -> Any:
        # `train: lora`, and `train: {lora: }`, with every default.
        if value == "lora":
            return {"lora": {}}
        return {"lora": {}} if isinstance(value, Mapping) and dict(value) == {"lora": None} else value

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        full = handler.resolve_ref_schema(super().__get_pydantic_json_schema__(core_schema, handler))
        return {"anyOf": [{"const": "lora"}, full], "description": full.get("description", "")}


def check_installed() -> None:
    """Look for the library that makes adapters.

    Raises:
        MissingExtraError: it is not there.
    """
    if find_spec("peft") is None:
        raise MissingExtraError('train: lora needs peft: pip install "acclimate[lora]"')


def check_four_bits(gpu: bool, family: Family) -> None:
    """Look for what rounds weights to four bits; `gpu`: whether torch sees one that it knows how to use.

    Raises:
        SettingsError: there is no such GPU, or layers of this type of model are not linear ones of torch's own.
        MissingExtraError: the library is not there.
    """
    if not gpu:
        raise SettingsError(
            "lora: bits: 4: no CUDA GPU is seen here, and frozen weights in four bits (QLoRA) are computed on one; leave `bits` out: what "
            "is frozen then stays as precise as the base has it"
        )
    if family.transposed:
        raise SettingsError(
            f"lora: bits: 4: layers of {family.model_type} are of a kind of their own, and are not rounded; leave `bits` out"
        )
    if find_spec("bitsandbytes") is None:
        raise MissingExtraError('train: {lora: {bits: 4}} needs bitsandbytes: pip install "acclimate[lora,qlora]"')


def _found(library: str) -> str | None:
    return version(library) if find_spec(library) else None


def is_adapter(folder: Path) -> bool:
    """Whether a stage has left adapters there, and no whole model."""
    return (folder / REST).is_file()
