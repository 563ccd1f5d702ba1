"""What the card of a model tells that answers by vectors, or ranks documents: how these are had, beside what is fitted on them."""

from collections.abc import Mapping
from typing import Any

from acclimate.modeling.base_files import VECTORS as VECTORS_FACTS
from acclimate.modeling.baselines.table import BM25, DOC2VEC, STATIC, TFIDF_RANKING

VECTORS = """\
from sentence_transformers import SentenceTransformer

vectors = SentenceTransformer("."{cut}).encode(["a text"])  # what these answers are made from"""

PLAIN = """\
from acclimate import load_encoder

vectors = load_encoder(".").encode(["a text", "another one"])  # [2, D]"""
PLAIN_VECTORS, RANKINGS = (STATIC, DOC2VEC), (BM25, TFIDF_RANKING)


def told_of(config: Mapping[str, Any], own_use: str) -> dict[str, Any]:
    """What replaces the kind of task's own words on a card; `own_use` as the kind has it."""
    written, model = config.get(VECTORS_FACTS) or {}, config.get("model_type")
    if model in RANKINGS:
        return {"own_use": ""}
    if model in PLAIN_VECTORS:
        # Where documents are found, what the kind says of its models is of encoders.
        return {"own_use": "\n\n".join(part for part in ("" if written.get("head") is None else own_use, PLAIN) if part)}
    dimensions = written.get("dimensions")
    code = VECTORS.replace("{cut}", "" if dimensions is None else f", truncate_dim={dimensions}")
    return {"own_use": "\n\n".join(part for part in (own_use, code) if part)}
