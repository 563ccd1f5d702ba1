"""How the vectors of texts are made from the states of an encoder, as it stands in its config.json. No torch."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, ValidationError

from acclimate.errors import ModelError, SettingsError
from acclimate.modeling.families import family_of
from acclimate.settings import Settings

EMBEDDING = "acclimate_embedding"  # in config.json: an `EmbeddingForm`
DENSE = "acclimate_dense"  # among the weights: the layer over the pooled states, as `acclimate_dense.weight` [E, D] and `.bias` [E]
Pooling = Literal["mean", "cls", "max", "last"]
POOLINGS: tuple[Pooling, ...] = get_args(Pooling)
Side = Literal["query", "document"]


class Prompts(Settings):
    """What stands before every text of a side."""

    query: str = ""
    """Before what is asked."""
    document: str = ""
    """Before what answers."""


class EmbeddingForm(Settings):
    """From states [T, D] of the tokens of texts to their vectors [B, E]: pooled, through a dense layer, of length 1."""

    pooling: Pooling = "mean"
    """Of the states of all tokens of a text, special ones too, the mean or the highest of each column; or the state of the first token
    (`cls`), or of the last. Where a decoder says nothing it is the last, which alone has seen all of a text."""
    normalize: bool = True
    """Whether vectors have length 1, so that their products are cosines."""
    dense: int | None = Field(default=None, gt=0)
    """Width E of a layer over the pooled states; null: there is none."""
    activation: Literal["identity", "tanh"] = "identity"
    """What that layer's outputs go through."""
    dimensions: tuple[Annotated[int, Field(gt=0)], ...] = ()
    """How many of the first dimensions are vectors by themselves, because they were trained as such (Kusupati et al. 2022)."""
    prompts: Prompts = Prompts()
    """What stands before texts."""
    max_length: int | None = Field(default=None, ge=3)
    """Tokens of a text that are read, special ones included; null: the model's limit, at most 512."""
    trained: bool = False
    """Whether labels trained these vectors (the stage `embed`): a classifier after it stands on them where nothing else is said."""

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> "EmbeddingForm":
        """The form that a config.json names, or where it names none: the mean of the states, or of a decoder the last one, normalised.

        Raises:
            ModelError: what it names is no form.
        """
        try:
            return cls.model_validate(config.get(EMBEDDING) or ({"pooling": "last"} if looks_back(config) else {}))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, (EMBEDDING, *first["loc"])))
            raise ModelError(
                f"config.json: {where}: {first['msg']}; the folder was written by another version, or changed since"
            ) from error

    def prompt(self, side: Side | None) -> str:
        """What stands before a text of this side; nothing where it has none."""
        return "" if side is None else str(getattr(self.prompts, side))

    def prompted(self, texts: Sequence[str], side: Side | None) -> Sequence[str]:
        """Each text behind what stands before those of this side."""
        prompt = self.prompt(side)
        return [prompt + text for text in texts] if prompt else texts

    def width(self, states: int) -> int:
        """E, the width of a vector made from states of width D."""
        return self.dense or states


def looks_back(config: Mapping[str, Any]) -> bool:
    """Whether the tokens of a model see those before them alone."""
    return family_of(config).decoder and not config.get("use_bidirectional_attention")


def check_pooling(pooling: Pooling | None, config: Mapping[str, Any]) -> None:
    """Refuse what says nothing of a text: a decoder's first state.

    Raises:
        SettingsError: it is asked for.
    """
    if pooling == "cls" and looks_back(config):
        raise SettingsError(
            f"pooling: cls: {config['model_type']} is a decoder, whose first token sees nothing of a text; say last, or mean"
        )
