"""The plainest baseline: each class with the share of the training texts that it has, whatever the text. Kept as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acclimate.data.ragged import Ragged
from acclimate.errors import ModelError
from acclimate.files import read_json, write_json
from acclimate.modeling.baselines.table import MAJORITY
from acclimate.modeling.finite import check_finite
from acclimate.modeling.links import link_of, said
from acclimate.tasks.kind import Link


@dataclass(frozen=True)
class MajorityModel:
    """The labels and their shares of the training texts; the most frequent (of equally frequent ones the first) is predicted.

    Of labels each by itself, those that more than half of the texts have. Of numbers, the only label has their mean for its share.
    """

    labels: tuple[str, ...]
    shares: tuple[float, ...]
    link: Link = "softmax"

    @staticmethod
    def of(gold: NDArray[Any], labels: tuple[str, ...], link: Link = "softmax") -> "MajorityModel":
        """The model of the training texts' class numbers [N], of their words' tag numbers, or of which labels they have [N, L].

        Where the link is `none`, of numbers to be estimated [N].
        """
        if link == "none":
            return MajorityModel(labels, (float(gold.mean()),), link)
        counts = gold.sum(axis=0) if link == "sigmoid" else np.bincount(gold, minlength=len(labels))
        return MajorityModel(labels, tuple((counts / len(gold)).tolist()), link)

    def probabilities(self, *columns: Sequence[str], words: Ragged | None = None) -> NDArray[np.float64]:
        """Probabilities [N, L] of the items of these columns of texts, every row the same; [all words, L] where `words` are asked about."""
        return np.tile(np.array(self.shares), (len(columns[0]) if words is None else len(words.values), 1))

    def save(self, folder: Path) -> None:
        """Write the model's folder."""
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "config.json", {"model_type": MAJORITY, "labels": self.labels, "shares": self.shares, **said(self.link)})

    @staticmethod
    def load(folder: Path) -> "MajorityModel":
        """Read a folder that `save` wrote.

        Raises:
            ModelError: it is another kind of model, or it is damaged.
        """
        config: dict[str, Any] = read_json(folder / "config.json")
        if config.get("model_type") != MAJORITY:
            raise ModelError(f"{folder}: not a majority baseline but {config.get('model_type')!r}")
        model = MajorityModel(tuple(config["labels"]), tuple(config["shares"]), link_of(config))
        if len(model.shares) != len(model.labels):
            counts = f"{len(model.labels)} labels and {len(model.shares)} shares"
            raise ModelError(f"{folder}: the model cannot be read ({counts}); it is damaged, copy it again")
        check_finite(folder, [("shares", bool(np.isfinite(model.shares).all()))])
        return model
