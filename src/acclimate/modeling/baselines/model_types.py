"""The plain baselines by the `model_type` of their config.json, in one place: no library besides ours knows these."""

from collections.abc import Mapping
from typing import Any

MAJORITY, TFIDF, BILSTM = "acclimate-majority", "acclimate-tfidf", "acclimate-bilstm"


def is_baseline(config: Mapping[str, Any]) -> bool:
    """Whether the config.json of a model's folder is a plain baseline's."""
    return config.get("model_type") in (MAJORITY, TFIDF, BILSTM)
