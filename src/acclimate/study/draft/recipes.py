"""Recipes to begin with, for each kind of task: a ladder from what costs nothing up, of which a first study takes some."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SMALL = {"lr": 2e-4}  # small models learn with larger rates than BERT's
MOST_TOKENS = 1_000_000  # of a corpus that a first study reads: minutes on two cores


@dataclass(frozen=True)
class Rung:
    """A recipe as a study file says it, what it asks in a few words, and whether one would try it first."""

    recipe: Any
    asks: str
    first: bool = False


def first_recipes(kind: str | None, corpora: Mapping[str, int]) -> dict[str, Any]:
    """Recipes by name, as a study file says them, the reference first; `corpora`: their words. Without a kind: by held-out text."""
    return of_ladder(kind, corpora, [name for name, rung in ladder(kind, corpora).items() if rung.first])


def of_ladder(kind: str | None, corpora: Mapping[str, int], names: list[str]) -> dict[str, Any]:
    """The recipes of these rungs, what others are usually compared with first."""
    rungs = ladder(kind, corpora)
    usual = reference(kind)
    return {name: rungs[name].recipe for name in sorted((name for name in rungs if name in names), key=lambda name: name != usual)}


def reference(kind: str | None) -> str:
    """The rung that others are usually compared with."""
    return "as it is" if kind in (None, "retrieve") else "fine-tune"


def ladder(kind: str | None, corpora: Mapping[str, int]) -> dict[str, Rung]:
    """All rungs by name, from the cheapest up; `corpora`: their words. Without a kind: what is compared by held-out text."""
    if kind is None:
        read = {f"DAPT {name}": Rung([_read(name, words), "score"], f"what {name} teaches it", True) for name, words in corpora.items()}
        return {"as it is": Rung(["score"], "what the model knows already", True), **read}
    if kind == "retrieve":
        return _of_vectors(corpora)
    learn = {"finetune": SMALL}
    plain = (
        {"linear tagger": Rung({"base": "linear_tagger"}, "words and their neighbours, without a pretrained model", True)}
        if kind == "tag"
        else {"tfidf": Rung({"base": "tfidf"}, "counted words, without a pretrained model", True)}
    )
    static = {"static": Rung({"base": "static"}, "one vector a word, out of the model")} if kind in _BY_STATIC_VECTORS else {}
    return {
        "majority": Rung({"base": "majority"}, "what is reached without reading a text", True),
        **plain,
        **static,
        "head only": Rung([{"finetune": {"train": "head"}}], "the model as it is, and a head that learns", True),
        "top 2": Rung([{"finetune": {"train": 2, **SMALL}}], "the last two layers learn, too"),
        "fine-tune": Rung([learn], "all layers learn from the labels", True),
        "scratch": Rung({"base": "random", "stages": [{"finetune": {"epochs": 30, **SMALL}}]}, "what the pretraining was worth"),
        "TAPT": Rung([{"pretrain": {"corpus": "task"}}, learn], "the task's texts are read before", True),
        **{f"DAPT {name}": Rung([_read(name, words), learn], f"{name} is read before", True) for name, words in corpora.items()},
        **{
            f"DAPT {name} + TAPT": Rung([_read(name, words), {"pretrain": {"corpus": "task"}}, learn], f"{name}, then the task's texts")
            for name, words in corpora.items()
        },
    }


_BY_STATIC_VECTORS = ("classify", "multilabel", "similarity")


def _of_vectors(corpora: Mapping[str, int]) -> dict[str, Rung]:
    tsdae = {name: _read(name, words, objective="tsdae") for name, words in corpora.items()}
    return {
        "tfidf": Rung({"base": "tfidf"}, "shared words, without a pretrained model", True),
        "static": Rung({"base": "static"}, "one vector a word, out of the model", True),
        "as it is": Rung(["vectors"], "the model's own vectors", True),
        "pairs": Rung(["embed", "vectors"], "it learns from queries and their documents", True),
        **{f"TSDAE {name}": Rung([read, "vectors"], f"it learns from {name} alone", True) for name, read in tsdae.items()},
        **{f"TSDAE {name} + pairs": Rung([read, "embed", "vectors"], f"{name}, then queries") for name, read in tsdae.items()},
    }


def budgets(examples: int) -> list[int | str]:
    """Label budgets that would show what more labels are worth."""
    return [*(size for size in (100, 1000, 10_000) if size <= examples // 2), "all"]


def _read(name: str, words: int, **more: Any) -> dict[str, Any]:
    return {"pretrain": {"corpus": name, **more, **({"epochs": 1} if words <= MOST_TOKENS // 2 else {"tokens": MOST_TOKENS})}}
