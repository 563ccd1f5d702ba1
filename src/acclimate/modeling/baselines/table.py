"""The models of the plain baselines by the `model_type` of their config.json, one a line: no library besides ours knows these.

Whoever looks at the table loads none of them, and no torch.
"""

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

MAJORITY, TFIDF, BILSTM = "acclimate-majority", "acclimate-tfidf", "acclimate-bilstm"
BASELINES: Mapping[str, str] = {
    MAJORITY: "acclimate.modeling.baselines.majority_model:MajorityModel",
    TFIDF: "acclimate.modeling.baselines.tfidf_model:TfidfModel",
    BILSTM: "acclimate.modeling.baselines.bilstm_model:BilstmClassifier",
}
"""`module:class`; the class has a static `load(folder)`, which gives a `PlainModel`, or a torch module over flat batches that has `labels`
and says by `sequences(texts)` how it reads texts. Either may say by `link` what its numbers mean (`Link`): silent, that one label holds."""


class PlainModel(Protocol):
    """A classifier that needs no tokens."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The L labels, in the order of the columns."""

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """[N, L] of every text."""

    def save(self, folder: Path) -> object:
        """Write it into a new folder, with a config.json that says its `model_type`."""


def load_baseline(folder: Path, config: Mapping[str, Any], baselines: Mapping[str, str] = BASELINES) -> Any:
    """The model in a folder with this config.json; None where it is none of `baselines`.

    Raises:
        ModelError: its files do not belong together, or its numbers are not finite.
    """
    home = baselines.get(str(config.get("model_type")))
    if home is None:
        return None
    module, _, name = home.partition(":")
    return getattr(import_module(module), name).load(folder)
