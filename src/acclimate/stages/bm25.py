"""The plain baseline stage for retrieval: BM25. What is not better has learned nothing that words do not say."""

from typing import ClassVar, Literal

from pydantic import Field

from acclimate.stages.base import Context, Outcome, Role, Serves, Stage
from acclimate.stages.planned import Reads, Sizes, Work
from acclimate.stages.words_read import WordsRead
from acclimate.tasks.task import Task


class Bm25(Stage):
    """BM25 on the documents of the task, as Lucene and bm25s compute it (Robertson & Zaragoza 2009); needs `acclimate[select]`."""

    version: ClassVar[int] = 2
    libraries: ClassVar[tuple[str, ...]] = ("bm25s", "scipy", "numpy")
    role: ClassVar[Role] = "baseline"
    serves: ClassVar[Serves] = {"ranking": ("none",)}
    stage: Literal["bm25"] = "bm25"
    k1: float = Field(default=1.5, gt=0)
    """How much more a word counts that stands in a document several times."""
    b: float = Field(default=0.75, ge=0, le=1)
    """How much less the words of a long document count: 0 not at all, 1 by its length."""
    words: WordsRead = "letters"
    """What a word is: a run of `letters` and digits, in lower case; with `marks` also every run of another sign, as `<<`, `!!!` or `@`."""

    def reads(self) -> tuple[str, ...]:
        return ("labels",)

    def draws(self) -> bool:
        return False

    def check(self, given: Sizes, task: Task | None) -> Sizes:
        from acclimate.modeling.baselines.bm25_ranking import check_installed

        check_installed()
        return given

    def work(self, given: Sizes, reads: Reads) -> Work:
        return Work(disk_bytes=0, seconds=5.0)

    def run(self, parent: object, context: Context) -> Outcome:
        from acclimate.modeling.baselines.bm25_ranking import Bm25Ranking
        from acclimate.stages.plain_rankings import ranking_outcome

        return ranking_outcome(context, lambda documents: Bm25Ranking(documents, self.k1, self.b, self.words == "marks"))
