"""Recipes to begin with, for each kind of task: what people would try first, cheap ones among them."""

from collections.abc import Mapping
from typing import Any

SMALL = {"lr": 2e-4}  # small models learn with larger rates than BERT's
MOST_TOKENS = 1_000_000  # of a corpus that a first study reads: minutes on two cores


def first_recipes(kind: str | None, corpora: Mapping[str, int]) -> dict[str, Any]:
    """Recipes by name, as a study file says them, the reference first; `corpora`: their words. Without a kind: by held-out text."""
    if kind is None:
        return {"as it is": ["score"], **{f"DAPT {name}": [_read(name, words), "score"] for name, words in corpora.items()}}
    if kind == "retrieve":
        more = {f"TSDAE {name}": [_read(name, words, objective="tsdae"), "vectors"] for name, words in corpora.items()}
        return {"as it is": ["vectors"], "tfidf": {"base": "tfidf"}, "static": {"base": "static"}, "pairs": ["embed", "vectors"], **more}
    learn = {"finetune": SMALL}
    plain = {"linear tagger": {"base": "linear_tagger"}} if kind == "tag" else {"tfidf": {"base": "tfidf"}}
    text = {
        "TAPT": [{"pretrain": {"corpus": "task"}}, learn],
        **{f"DAPT {name}": [_read(name, words), learn] for name, words in corpora.items()},
    }
    return {"fine-tune": [learn], "majority": {"base": "majority"}, **plain, "head only": [{"finetune": {"train": "head"}}], **text}


def budgets(examples: int) -> list[int | str]:
    """Label budgets that would show what more labels are worth."""
    return [*(size for size in (100, 1000, 10_000) if size <= examples // 2), "all"]


def _read(name: str, words: int, **more: Any) -> dict[str, Any]:
    return {"pretrain": {"corpus": name, **more, **({"epochs": 1} if words <= MOST_TOKENS // 2 else {"tokens": MOST_TOKENS})}}
