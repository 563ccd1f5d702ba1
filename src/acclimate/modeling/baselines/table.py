"""The models of the plain baselines by the `model_type` of their config.json, one a line: no library besides ours knows these.

Whoever looks at the table loads none of them, and no torch.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from acclimate.tasks.split import Split

MAJORITY, TFIDF, BILSTM, LINEAR_TAGGER = "acclimate-majority", "acclimate-tfidf", "acclimate-bilstm", "acclimate-linear-tagger"
DOC2VEC, STATIC, BM25, TFIDF_RANKING = "acclimate-doc2vec", "acclimate-static", "acclimate-bm25", "acclimate-tfidf-ranking"
BASELINES: Mapping[str, str] = {
    MAJORITY: "acclimate.modeling.baselines.majority_model:MajorityModel",
    TFIDF: "acclimate.modeling.baselines.tfidf_model:TfidfModel",
    BILSTM: "acclimate.modeling.baselines.bilstm_model:BilstmClassifier",
    LINEAR_TAGGER: "acclimate.modeling.baselines.linear_tagger_model:LinearTagger",
    DOC2VEC: "acclimate.modeling.baselines.doc2vec_model:Doc2vecModel",
    STATIC: "acclimate.modeling.baselines.static_model:StaticModel",
    BM25: "acclimate.modeling.baselines.bm25_ranking:Bm25Ranking",
    TFIDF_RANKING: "acclimate.modeling.baselines.tfidf_ranking:TfidfRanking",
}
"""`module:class`; the class has a static `load(folder)`, which gives a `PlainModel`, or a torch module over flat batches that has `labels`
and says by `sequences(texts)` how it reads texts. Either may say by `link` what its numbers mean (`Link`): silent, that one label holds."""


class PlainModel(Protocol):
    """A model that needs no tokens."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The L labels, in the order of the columns."""

    @property
    def probabilities(self) -> Callable[..., NDArray[np.float64]]:
        """Of columns of texts [N], `probabilities(texts)` or `probabilities(texts, texts_b)`, numbers [N, L] as its `link` reads them.

        One that answers for every word takes `words` (as in `Split.words`), too, and gives [all words, L].
        """

    def save(self, folder: Path) -> object:
        """Write it into a new folder, with a config.json that says its `model_type`."""


def outputs_of(model: Any, split: Split) -> NDArray[np.float64]:
    """What a model that has `probabilities` gives for a split: [N, L], or [all words, L] where every word is asked about."""
    asked = {} if split.words is None else {"words": split.words}
    return np.asarray(model.probabilities(*split.inputs, **asked))


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
