"""The plain baseline stage of Doc2Vec: vectors of texts from unlabelled text alone, and a linear model on those of the labelled ones."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from acclimate.data.mixture import Mixture, in_words, reads_of, shares
from acclimate.settings import Settings
from acclimate.stages.answers_by_vectors import AnswersByVectors
from acclimate.stages.base import Context, Outcome, Role
from acclimate.stages.planned import Reads, Sizes, Work
from acclimate.stages.words_read import WordsRead, told_of_marks
from acclimate.tasks.task import Task

if TYPE_CHECKING:
    from acclimate.modeling.baselines.paragraph_vectors import Network
    from acclimate.training.paragraph_training import Course

MOST_TIMES = 100  # that a corpus is read in an epoch: each is a reader of its own
WORDS_A_SECOND = {"dbow": 4e5, "dm": 1.5e5}  # that one worker trains on with 100 dimensions, roughly
CHARACTERS_A_WORD = 6
CRASHES = (
    "`vocabulary: update` is refused: gensim's build_vocab(update=True) ends the process (a segmentation fault, gensim 4.4) as soon as a "
    "Doc2Vec model is trained further; leave `vocabulary` out, and the words of both phases are counted before the first"
)


def _corpus_alone(value: Any) -> Any:
    return {"corpus": value} if isinstance(value, str) else value


class Then(Settings):
    """A second phase of training, on other text: what the first one left is trained further."""

    corpus: Mixture = "domain"
    """A corpus of `data`, or several with how often each is read, as for the first phase."""
    epochs: int | None = Field(default=None, gt=0, le=10_000)
    """Passes over it; as many as the first phase makes when not given."""
    alpha: Literal["restarted", "carried on"] = "restarted"
    """The learning rate: from `alpha` down to `min_alpha` once more (`restarted`), or both phases on one line from the one to the other, so
    that the second begins where the first ended (`carried on`)."""
    vocabulary: Literal["both", "first"] = "both"
    """The words that are known: of `both` phases, counted before the first, or of the `first` alone. It cannot grow in between."""

    @model_validator(mode="before")
    @classmethod
    def _of_words_that_can_be_known(cls, value: Any) -> Any:
        if isinstance(value, Mapping) and value.get("vocabulary") == "update":
            raise ValueError(CRASHES)
        return value


class Doc2vec(AnswersByVectors):
    """Doc2Vec (paragraph vectors, Le & Mikolov 2014, by gensim) on unlabelled text; needs `acclimate[doc2vec]`. On the vectors of labelled
    texts a classifier is fitted; pairs with a score are answered by the cosine.
    """

    libraries: ClassVar[tuple[str, ...]] = ("gensim", "scikit-learn", "scipy", "numpy")
    role: ClassVar[Role] = "baseline"
    stage: Literal["doc2vec"] = "doc2vec"
    corpus: Mixture = "task"
    """A corpus of `data`, or `task`: the texts of the whole training split and of the task's unlabelled files. Several at once, their
    documents among each other, with how often each is read in an epoch: `{general: 1, domain: 4}` reads the domain four times."""
    then: Annotated[Then, BeforeValidator(_corpus_alone)] | None = None
    """A second phase: `{corpus: domain, alpha: restarted | carried on, epochs: N}`; null: there is none."""
    mode: Literal["dbow", "dm"] = "dbow"
    """A text's vector predicts its words alone (`dbow`), or with the words around (`dm`); Lau & Baldwin (2016) found dbow better."""
    word_vectors: bool = False
    """With `dbow`, words also learn to predict their neighbours (skip-gram), in the space of the texts; about `window` times as slow."""
    vector_size: int = Field(default=100, gt=0, le=10_000)
    """Numbers of a vector."""
    window: int = Field(default=5, gt=0, le=1000)
    """Words on either side that are neighbours, at most (`dm`, `word_vectors`)."""
    min_count: int = Field(default=2, ge=1)
    """A word must stand in the corpora so often to be known."""
    negative: int = Field(default=5, ge=1, le=1000)
    """Words drawn at random beside each word that is predicted."""
    sample: float = Field(default=1e-3, ge=0, lt=1)
    """Share of all words above which a frequent word is left out now and then; 0: none is."""
    words: WordsRead = "letters"
    """What a word is: a run of `letters` and digits, in lower case; with `marks` also every run of another sign, as `<<`, `!!!` or `@`."""
    epochs: int = Field(default=20, gt=0, le=10_000)
    """Passes over the corpus (of the first phase)."""
    alpha: float = Field(default=0.025, gt=0)
    """Learning rate at the beginning (gensim's default)."""
    min_alpha: float = Field(default=1e-4, ge=0)
    """Learning rate at the end, to which it falls along a line."""
    inference_epochs: int = Field(default=20, gt=0, le=10_000)
    """Passes over a text whose vector is inferred, by rates from `alpha` to `min_alpha`; every labelled text is inferred, train as well."""
    workers: int = Field(default=1, ge=1, le=256)
    """Threads that train. One: equal seeds give equal vectors to the last bit. More are faster, and each run gives other vectors."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.min_alpha > self.alpha:
            raise ValueError(
                f"`min_alpha` ({self.min_alpha:g}) lies above `alpha` ({self.alpha:g}); the rate falls from the one to the other"
            )
        if self.word_vectors and self.mode == "dm":
            raise ValueError("`word_vectors` goes with `mode: dbow`; dm trains vectors of words anyway")
        for name, share in (pair for mixture in self._mixtures for pair in shares(mixture).items()):
            if share > MOST_TIMES:
                raise ValueError(f"`corpus`: {name} would be read {share:g} times an epoch; at most {MOST_TIMES} times, and `epochs` more")
        return self

    @property
    def _mixtures(self) -> tuple[Mixture, ...]:
        return (self.corpus,) if self.then is None else (self.corpus, self.then.corpus)

    def title(self) -> str:
        after = "" if self.then is None else f", then {in_words(self.then.corpus)} (alpha {self.then.alpha})"
        return f"{self.word()} on {in_words(self.corpus)}{after}"

    def reads(self) -> tuple[str, ...]:
        return ("labels", *sorted({name for mixture in self._mixtures for name in reads_of(mixture)}))

    def draws(self) -> bool:
        return True

    def sliver(self) -> Self:
        then = None if self.then is None else self.then.model_copy(update={"epochs": 1})
        return self.model_copy(update={"epochs": 1, "then": then, "inference_epochs": 2})

    def check(self, given: Sizes, task: Task | None) -> Sizes:
        from acclimate.modeling.baselines.paragraph_vectors import check_installed

        check_installed()
        if task is not None:
            self.check_heads(task)
        return given

    def notes(self, given: Sizes, reads: Callable[[], Reads]) -> tuple[str, ...]:
        task = reads().task
        assert task is not None
        return (*told_of_marks(self.words, task), *self._told_of_workers())

    def _told_of_workers(self) -> tuple[str, ...]:
        if self.workers == 1:
            return ()
        return (f"{self.workers} workers train at once: another run of the same seed gives other vectors; `workers: 1` gives the same",)

    def work(self, given: Sizes, reads: Reads) -> Work:
        def characters(names: tuple[str, ...]) -> float:
            return float(sum(sample.characters for name in names for sample in reads.samples.get(name, ())))

        def read(mixture: Mixture) -> float:
            return sum(share * characters((name,)) for name, share in shares(mixture).items())

        trained = self.epochs * read(self.corpus)
        if self.then is not None:
            trained += (self.then.epochs or self.epochs) * read(self.then.corpus)
        inferred = self.inference_epochs * characters(("task train", "task dev", "task test"))
        speed = WORDS_A_SECOND[self.mode] * CHARACTERS_A_WORD * 100 / self.vector_size / (self.window if self.word_vectors else 1)
        return Work(disk_bytes=0, seconds=1 + (trained + inferred) / speed)

    def network(self, seed: int) -> "Network":
        """What is trained."""
        from acclimate.modeling.baselines.paragraph_vectors import Network

        return Network(
            self.mode, self.vector_size, self.window, self.negative, self.sample, self.word_vectors, self.words == "marks",
            self.inference_epochs, self.alpha, self.min_alpha, seed,
        )  # fmt: skip

    def course(self) -> "Course":
        """On what it is trained, one phase after the other."""
        from acclimate.training.paragraph_training import Course, Phase

        epochs = [self.epochs] if self.then is None else [self.epochs, self.then.epochs or self.epochs]
        # The order of a mapping is no part of a key, so it decides nothing.
        mixtures = [dict(sorted(shares(mixture).items())) for mixture in self._mixtures]
        carried_on, of_first = (self.then.alpha == "carried on", self.then.vocabulary == "first") if self.then else (False, False)
        return Course(
            tuple(map(Phase, mixtures, epochs)), self.min_count, self.alpha, self.min_alpha, carried_on, of_first, self.workers
        )  # fmt: skip

    def run(self, parent: object, context: Context) -> Outcome:
        from acclimate.modeling.baselines.doc2vec_model import write_doc2vec
        from acclimate.stages.kept_paragraphs import trained_once
        from acclimate.stages.plain_vectors import Vectored, vectors_outcome
        from acclimate.training.paragraph_training import Watched

        course, runtime = self.course(), context.runtime
        corpora = {name: context.data.documents(name) for name in sorted({name for phase in course.phases for name in phase.shares})}
        watched = Watched(context.title, runtime.reporter, runtime.stop)

        def make() -> Vectored:
            trained, seconds_before = trained_once(context, course, self.network(context.seed), corpora, watched)
            texts, drift = trained.texts, trained.drift
            metrics = {
                "words": len(texts.words), "words_read": trained.words_read, "documents": trained.documents,
                **({} if drift is None else drift.metrics),
            }  # fmt: skip
            notes = (*told_of_marks(self.words, context.task()), *self._told_of_workers(), *(() if drift is None else (drift.told(),)))
            return Vectored(
                lambda asked, each: texts.vectors(asked, each=each), lambda folder: write_doc2vec(folder, texts), texts.parameters,
                metrics, notes, trained.words_read, seconds_before,
            )  # fmt: skip

        return vectors_outcome(context, self, make)
