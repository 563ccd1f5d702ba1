"""Which loss trains vectors of texts, as a study file says it: `cosent`, or `{cosent: {scale: 20}}`. No torch: a plan checks it."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from acclimate.objectives.loss_settings import LossSettings
from acclimate.settings import ByName
from acclimate.tasks.relations import Shape


class VectorLossSettings(LossSettings):
    """One loss of vectors, with its settings."""

    shape: ClassVar[Shape]
    """The examples that it learns from."""
    least: ClassVar[int] = 1
    """Examples that a batch must have at least, so that there is something to compare."""
    least_why: ClassVar[str] = ""
    """Why, in words."""


class MultipleNegativesSettings(VectorLossSettings):
    """Of all second texts of a batch an anchor must tell its own: cross-entropy of their cosines (Henderson et al. 2017). The larger the
    batch, the more there is to tell apart. Texts that equal a right one are no negatives; hard negatives are where the task has some."""

    shape: ClassVar[Shape] = "ranked"
    least: ClassVar[int] = 2
    least_why: ClassVar[str] = "the negatives of a pair are the second texts of the other pairs of its batch"
    loss: Literal["multiple_negatives"] = "multiple_negatives"
    scale: float = Field(default=20.0, gt=0, le=1000)
    """What cosines are multiplied by, the inverse of a temperature."""


class ContrastiveSettings(VectorLossSettings):
    """Pairs that belong together are pulled together, others pushed apart up to a margin (Hadsell et al. 2006)."""

    shape: ClassVar[Shape] = "labelled"
    loss: Literal["contrastive"] = "contrastive"
    margin: float = Field(default=0.5, gt=0, le=2)
    """The distance (1 - cosine) from which on a pair that does not belong together costs nothing."""


class OnlineContrastiveSettings(ContrastiveSettings):
    """The same over the hard pairs of a batch alone: those together that are farther than the nearest apart, and the reverse."""

    least: ClassVar[int] = 2
    least_why: ClassVar[str] = "a pair is hard beside other pairs of its batch"
    loss: Literal["online_contrastive"] = "online_contrastive"  # type: ignore[assignment]


class CosentSettings(VectorLossSettings):
    """Pairs with a higher score must have a higher cosine than those with a lower one: log(1 + sum exp(scale (cos of the lower - cos of the
    higher))) over all couples of pairs of a batch (CoSENT: Huang et al. 2024)."""

    shape: ClassVar[Shape] = "scored"
    least: ClassVar[int] = 2
    least_why: ClassVar[str] = "pairs are compared with the other pairs of their batch"
    loss: Literal["cosent"] = "cosent"
    scale: float = Field(default=20.0, gt=0, le=1000)
    """What cosines are multiplied by, the inverse of a temperature."""


class CosineSettings(VectorLossSettings):
    """The squared error of cosines, against scores brought to 0 to 1 (Reimers & Gurevych 2019)."""

    shape: ClassVar[Shape] = "scored"
    loss: Literal["cosine"] = "cosine"


class TripletSettings(VectorLossSettings):
    """An anchor must be nearer to its own text than to another by a margin (Schroff et al. 2015)."""

    shape: ClassVar[Shape] = "triplets"
    loss: Literal["triplet"] = "triplet"
    margin: float = Field(default=0.5, gt=0, le=2)
    """By how much, in 1 - cosine."""


class FromLabelsSettings(VectorLossSettings):
    """A text is nearer to those of its class than to all others of the batch (supervised contrast: Khosla et al. 2020). Every labelled text
    is read once an epoch, so cost grows with the labels, and not with their pairs."""

    shape: ClassVar[Shape] = "classes"
    least: ClassVar[int] = 4
    least_why: ClassVar[str] = "a batch must hold two texts of a class, and two of another"
    loss: Literal["from_labels"] = "from_labels"
    scale: float = Field(default=10.0, gt=0, le=1000)
    """What cosines are multiplied by: the inverse of the temperature, which the paper has at 0.1."""


OF_VECTORS: tuple[type[VectorLossSettings], ...] = (
    MultipleNegativesSettings, ContrastiveSettings, OnlineContrastiveSettings, CosentSettings, CosineSettings, TripletSettings,
    FromLabelsSettings,
)  # fmt: skip
VectorLoss = Annotated[VectorLossSettings, ByName("loss", OF_VECTORS)]
"""In a stage's settings: one of these losses."""


def named(loss: str) -> VectorLossSettings:
    """The loss of this name, with its defaults."""
    return next(each for each in OF_VECTORS if each.model_fields["loss"].default == loss)()  # type: ignore[call-arg]
