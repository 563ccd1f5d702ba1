"""What the card of a model tells that answers by vectors: how the vectors themselves are had, beside what stands on them."""

from collections.abc import Mapping
from typing import Any

VECTORS = """\
from sentence_transformers import SentenceTransformer

vectors = SentenceTransformer("."{cut}).encode(["a text"])  # what these answers are made from"""


def told_of(written: Mapping[str, Any], own_use: str) -> dict[str, Any]:
    """What replaces the kind of task's own words on a card; `written` as in config.json, `own_use` as the kind has it."""
    dimensions = written.get("dimensions")
    code = VECTORS.replace("{cut}", "" if dimensions is None else f", truncate_dim={dimensions}")
    return {"own_use": "\n\n".join(part for part in (own_use, code) if part)}
