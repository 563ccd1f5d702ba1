"""The losses of vectors of texts, all in one place, each made from its settings. A new one is one file, its settings, and one line."""

from acclimate.objectives.losses.columns import VectorLoss
from acclimate.objectives.losses.contrastive import Contrastive
from acclimate.objectives.losses.cosent import Cosent
from acclimate.objectives.losses.cosine import Cosine
from acclimate.objectives.losses.from_labels import FromLabels
from acclimate.objectives.losses.multiple_negatives import MultipleNegatives
from acclimate.objectives.losses.online_contrastive import OnlineContrastive
from acclimate.objectives.losses.triplet import Triplet

VECTOR_LOSSES: dict[str, type[VectorLoss]] = {
    "multiple_negatives": MultipleNegatives,
    "contrastive": Contrastive,
    "online_contrastive": OnlineContrastive,
    "cosent": Cosent,
    "cosine": Cosine,
    "triplet": Triplet,
    "from_labels": FromLabels,
}
