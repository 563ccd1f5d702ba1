"""Training paragraph vectors with gensim on corpora that are streamed: vocabulary, phases, learning rate, progress, and stops.

The words of all phases are counted before the first one: `build_vocab(update=True)` between phases ends the process (gensim 4.4).
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

import numpy as np

from acclimate.data.corpus import Corpus
from acclimate.data.interleaved import Part, interleaved
from acclimate.data.sample import Spread
from acclimate.errors import DataError, Interrupted
from acclimate.modeling.baselines.drift import Drift
from acclimate.modeling.baselines.paragraph_vectors import Network, ParagraphVectors, Vectors, in_pieces
from acclimate.randomness import generator, seed_of
from acclimate.training.interrupt import StopRequest
from acclimate.training.progress import Reporter

STEPS_AN_EPOCH = 50  # that progress tells of
VECTORS_AT_ONCE = 1 << 16
DRIFTING = 500  # documents whose vectors are looked at before and after a second phase


class Phase(NamedTuple):
    """A part of the training."""

    shares: Mapping[str, float]
    """How often each corpus is read in an epoch, by name."""
    epochs: int


@dataclass(frozen=True)
class Course:
    """What is trained on, and how fast."""

    phases: tuple[Phase, ...]
    """One, or two in turn."""
    min_count: int
    alpha: float
    min_alpha: float
    carried_on: bool = False
    """One line of learning rates over both phases, and not one for each."""
    of_first: bool = False
    """Only words of the first phase are known."""
    workers: int = 1


class Watched(NamedTuple):
    """Who is told, and who may ask for a stop."""

    title: str
    reporter: Reporter
    stop: StopRequest

    def check(self) -> None:
        """Go on, unless a stop was asked for.

        Raises:
            Interrupted: it was.
        """
        if self.stop.asked:
            raise Interrupted(f"{self.title}: stopped; it begins anew")


class Trained(NamedTuple):
    """What a training came to."""

    texts: ParagraphVectors
    documents: dict[str, int]
    """Of each corpus."""
    words_read: int
    drift: Drift | None
    """In the second phase, where there was one."""


@dataclass
class Counted:
    """What one reading of a corpus found."""

    documents: int = 0
    words: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    spread: Spread = field(default_factory=Spread)


def train(course: Course, network: Network, corpora: Mapping[str, Corpus], work: Path, seed: int, watched: Watched) -> Trained:
    """Train on corpora, by name; `work` is a folder for the documents' vectors, which are on disk.

    Raises:
        DataError: a document cannot be read, or no word is frequent enough.
        Interrupted: a stop was asked for.
    """
    found = counted(corpora, network, watched)
    words = vocabulary(course.phases[:1] if course.of_first else course.phases, found, course.min_count)
    run = _Run(network, words, corpora, found, work, seed, course.workers, watched)
    read = [run.words(phase) for phase in course.phases]
    rates = learning_rates(read, course.alpha, course.min_alpha, course.carried_on)
    watched.reporter.start(watched.title, sum(map(run.steps, course.phases)), 0)
    try:
        done, drift = run.run(course.phases[0], rates[0], 0), None
        for phase, rate in zip(course.phases[1:], rates[1:], strict=True):
            before = ParagraphVectors.of(network, run.model)
            done = run.run(phase, rate, done)
            drift = _drift(before, ParagraphVectors.of(network, run.model), [found[name] for name in course.phases[0].shares])
    finally:
        run.close()
        watched.reporter.close()
    return Trained(ParagraphVectors.of(network, run.model), {name: of.documents for name, of in found.items()}, sum(read), drift)


def counted(corpora: Mapping[str, Corpus], network: Network, watched: Watched) -> dict[str, Counted]:
    """Documents and words of each corpus, in one reading."""
    found = {name: Counted() for name in corpora}
    for name, of in found.items():
        for text in corpora[name].documents():
            watched.check()
            words = network.read(text)
            of.documents, of.words = of.documents + 1, of.words + len(words)
            of.counts.update(words)
            of.spread.add(text)
    return found


def vocabulary(phases: Sequence[Phase], found: Mapping[str, Counted], min_count: int) -> dict[str, int]:
    """The words that stand in the corpora of these phases `min_count` times, and how often an epoch of each has them; frequent ones first.

    Raises:
        DataError: no word does.
    """
    names = dict.fromkeys(name for phase in phases for name in phase.shares)
    total: Counter[str] = Counter()
    read: defaultdict[str, float] = defaultdict(float)
    for name in names:
        total.update(found[name].counts)
        share = sum(phase.shares.get(name, 0.0) for phase in phases)
        for word, count in found[name].counts.items():
            read[word] += share * count  # as much of a word as of the text
    kept = sorted((word for word, count in total.items() if count >= min_count), key=lambda word: (-total[word], word))
    if not kept:
        raise DataError(f"min_count: no word stands {min_count} times in {' and '.join(names)}; lower it")
    return {word: max(1, round(read[word])) for word in kept}


def learning_rates(words: Sequence[int], alpha: float, min_alpha: float, carried_on: bool) -> list[tuple[float, float]]:
    """The rates with which phases of so many words begin and end: each from the top, or one line down over all of them."""
    if not carried_on:
        return [(alpha, min_alpha)] * len(words)
    ends = np.cumsum([0, *words]) / max(1, sum(words))
    return list(pairwise((alpha - (alpha - min_alpha) * ends).tolist()))


def _drift(before: ParagraphVectors, after: ParagraphVectors, first: Sequence[Counted]) -> Drift:
    texts = [text for of in first for text in of.spread.sample().texts]
    if len(texts) > DRIFTING:
        texts = [texts[place * len(texts) // DRIFTING] for place in range(DRIFTING)]
    return Drift.of(before, after, lambda word: any(word in of.counts for of in first), texts)


class _Run:
    """gensim's model on its way."""

    def __init__(
        self, network: Network, words: Mapping[str, int], corpora: Mapping[str, Corpus], found: Mapping[str, Counted], work: Path,
        seed: int, workers: int, watched: Watched,
    ) -> None:  # fmt: skip
        self._network, self._watched = network, watched
        begins = np.cumsum([0, *(of.documents for of in found.values())]).tolist()
        self._parts = {name: Part(corpora[name], found[name].documents, 1.0, first) for name, first in zip(found, begins, strict=False)}
        self._words = {name: of.words for name, of in found.items()}
        self._file = work / "documents.float32"
        self.model = network.model(words, seed_of(seed, "doc2vec"), workers)
        self.model.dv.index_to_key = range(begins[-1])  # gensim asks for its length alone, where tags are numbers
        self.model.dv.vectors = self._documents(begins[-1], seed)

    def words(self, phase: Phase) -> int:
        """That a phase reads in all its epochs."""
        return phase.epochs * self._of_an_epoch(phase)

    def steps(self, phase: Phase) -> int:
        """That are told of a phase."""
        return phase.epochs * min(STEPS_AN_EPOCH, sum(part.read for part in self._read(phase)))

    def run(self, phase: Phase, rates: tuple[float, float], done: int) -> int:
        """Train with rates from the one to the other; the steps that are done then, of which `done` were before."""
        parts, steps = self._read(phase), self.steps(phase) // phase.epochs
        for begin, end in pairwise(np.linspace(*rates, phase.epochs + 1).tolist()):
            feed = _Feed(parts, steps, done, self._watched, self._network)
            # Where a rate is zero gensim would take the one that it has.
            self.model.alpha, self.model.min_alpha = begin, end
            with _quiet():
                self.model.train(feed, total_words=self._of_an_epoch(phase), epochs=1, start_alpha=begin, end_alpha=end)
            if feed.error is not None:
                raise feed.error
            done += steps
        return done

    def close(self) -> None:
        """Let go of the documents' vectors."""
        self.model.dv.vectors = None
        self._file.unlink(missing_ok=True)

    def _read(self, phase: Phase) -> list[Part]:
        return [self._parts[name]._replace(share=share) for name, share in phase.shares.items()]

    def _of_an_epoch(self, phase: Phase) -> int:
        return max(1, round(sum(share * self._words[name] for name, share in phase.shares.items())))

    def _documents(self, count: int, seed: int) -> Vectors:
        size = self._network.vector_size
        vectors = np.memmap(self._file, dtype=np.float32, mode="w+", shape=(count, size))
        for begin in range(0, count, VECTORS_AT_ONCE):
            part = vectors[begin : begin + VECTORS_AT_ONCE]
            part[:] = (2 * generator(seed, "documents", begin).random(part.shape, dtype=np.float32) - 1) / size
        return vectors


class _Feed:
    """The documents of an epoch, as gensim takes them. Its thread that asks for them would wait for ever after an error, so it is kept."""

    def __init__(self, parts: Sequence[Part], steps: int, done: int, watched: Watched, network: Network) -> None:
        self._parts, self._steps, self._done, self._watched, self._network = parts, steps, done, watched, network
        self.error: Exception | None = None

    def __iter__(self) -> Iterator[Any]:
        from gensim.models.doc2vec import TaggedDocument

        documents, began, words = sum(part.read for part in self._parts), monotonic(), 0
        try:
            for place, (number, text) in enumerate(interleaved(self._parts), start=1):
                read = self._network.read(text)
                for piece in in_pieces(read):
                    yield TaggedDocument(piece, [number])
                words += len(read)
                step = place * self._steps // documents
                if step > (place - 1) * self._steps // documents:
                    self._watched.reporter.step(self._done + step, words / max(monotonic() - began, 1e-9), None)
                self._watched.check()
        except Exception as error:
            self.error = error


@contextmanager
def _quiet() -> Iterator[None]:
    # It warns of rates that rise again and of epochs that end early, both of which are meant here.
    logger = logging.getLogger("gensim")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
