"""Which label a text has, as a model of natural language inference says: what speaks for each hypothesis, and against it."""

import numpy as np
from numpy.typing import NDArray
from torch import nn

from acclimate.data.pairs import PairSequences
from acclimate.evaluation.inference import Told, class_probabilities
from acclimate.modeling.hypotheses import Hypotheses
from acclimate.training.devices import Devices


def entailments(
    model: nn.Module, pairs: PairSequences, hypotheses: Hypotheses, outputs: tuple[str, ...], max_tokens: int, devices: Devices,
    told: Told | None = None,
) -> NDArray[np.float64]:  # fmt: skip
    """[N, L] probabilities of the labels for each text; `pairs` are N x L of `crossed`, `outputs` the names of what the model gives.

    One label holds: softmax over the labels of what says that their hypotheses follow. Several may: of each label softmax over that and
    what speaks against it, as for a single label. Both as transformers' ZeroShotClassificationPipeline (`multi_label`), but for
    what speaks against it: see `Hypotheses.columns`.

    Raises:
        SettingsError: no output says that a hypothesis follows.
    """
    columns = list(hypotheses.columns(outputs))
    found = class_probabilities(model, pairs, 2, max_tokens, devices, lambda logits_BL: logits_BL[:, columns], told)
    logits_NL2 = found.reshape(-1, len(hypotheses.labels), 2)
    if hypotheses.several or len(hypotheses.labels) == 1:
        return _softmax(logits_NL2)[..., 1]
    return _softmax(logits_NL2[..., 1])


def _softmax(values: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(values - values.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))
