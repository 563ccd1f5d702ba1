"""How a corpus is chosen from others: the setting `select`."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from acclimate.data.corpus import CorpusSettings
from acclimate.settings import Settings

Method = Literal["knn", "bm25", "dsir", "random"]
LEARNING_TASK = "task"  # in `like`: the texts of the task's training split
DRAWING: tuple[Method, ...] = ("dsir", "random")


class Selection(Settings):
    """Documents chosen from other corpora: those that are most like some texts."""

    like: str = LEARNING_TASK
    """What the chosen documents are to be like: `task`, the texts of the whole training split (never those of dev and test), or a corpus.
    `random` does not look at it."""
    among: str | tuple[str, ...] = "domain"
    """The corpus that is chosen from, or several."""
    method: Method = "dsir"
    """`dsir`: importance resampling by hashed words and pairs of words (Xie et al. 2023); `bm25`: the nearest documents of each text by
    BM25, the first of all, then the second, ...; `knn`: the same by the cosine of the mean hidden states that the study's base has of them;
    `random`: the baseline."""
    tokens: int | None = Field(default=None, gt=0)
    """Documents are taken until they have so many tokens: words and marks, counted without a model, whose pieces are more."""
    documents: int | None = Field(default=None, gt=0)
    """So many documents, instead."""
    seed: int | None = Field(default=None, ge=0, le=2**32 - 1)
    """Of what `dsir` and `random` draw; default 0. It is not the study's: all of its seeds read the same text."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.tokens is None) == (self.documents is None):
            raise ValueError("say how much is to be chosen: either `tokens` or `documents`")
        if self.seed is not None and self.method not in DRAWING:
            raise ValueError(f"`seed` is of what is drawn, and `method: {self.method}` draws nothing; leave it out")
        if not self.sources:
            raise ValueError("`among` names no corpus")
        if len(set(self.sources)) < len(self.sources):
            raise ValueError("`among` names one corpus twice")
        return self

    @property
    def sources(self) -> tuple[str, ...]:
        """The corpora that it chooses from."""
        return (self.among,) if isinstance(self.among, str) else self.among

    @property
    def asks_base(self) -> bool:
        """Whether the study's base is run over all of the text."""
        return self.method == "knn"

    @property
    def named(self) -> tuple[str, ...]:
        """All corpora that it reads."""
        like = () if self.like == LEARNING_TASK or self.method == "random" else (self.like,)
        return tuple(dict.fromkeys((*like, *self.sources)))

    def told(self) -> str:
        """For people, e.g. `dsir, like task, among domain, 1,000,000 tokens`."""
        like = "" if self.method == "random" else f"like {self.like}, "
        much = f"{self.tokens:,} tokens" if self.tokens is not None else f"{self.documents:,} documents"
        return f"{self.method}, {like}among {' and '.join(self.sources)}, {much}"

    def keyed(self) -> dict[str, Any]:
        """What decides which documents are chosen, besides the content of the corpora: their names do not."""
        seed = {"seed": self.seed or 0} if self.method in DRAWING else {}
        budget = {"tokens": self.tokens, "documents": self.documents}
        return {"method": self.method, "sources": len(self.sources), **budget, **seed}


class SelectedCorpus(Settings):
    """A corpus that is chosen from others when the study runs: `{select: {like: task, among: domain, tokens: 1_000_000}}`."""

    select: Selection
    """Which documents."""

    @model_validator(mode="before")
    @classmethod
    def _one_place(cls, value: Any) -> Any:
        if isinstance(value, Mapping) and "path" in value:
            raise ValueError("a corpus stands in files (`path`) or is chosen from others (`select`), not both")
        return value


def _which(value: Any) -> str:
    selects = isinstance(value, SelectedCorpus) or (isinstance(value, Mapping) and "select" in value)
    return SelectedCorpus.__name__ if selects else CorpusSettings.__name__


AnyCorpus = Annotated[
    Annotated[CorpusSettings, Tag(CorpusSettings.__name__)] | Annotated[SelectedCorpus, Tag(SelectedCorpus.__name__)], Discriminator(_which)
]
"""A corpus in files, or one that is chosen from others."""
