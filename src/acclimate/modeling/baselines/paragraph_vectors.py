"""Paragraph vectors (Le & Mikolov 2014), computed by gensim: of a text the vector that predicts its words best.

What was trained are vectors of words; that of a text is inferred from them, the same one whenever it is asked for. gensim's own
`infer_vector` gives another one in every process: it begins where Python's hash of the text says, whatever hash function the model has.
"""

import importlib.util
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from acclimate.errors import MissingExtraError
from acclimate.modeling.baselines.word_list import words_and_marks_of, words_of
from acclimate.randomness import generator, seed_of

MOST_AT_ONCE = 10_000  # words; gensim reads no more of a document, and does not say so

Vectors = NDArray[np.float32]


def check_installed() -> None:
    """Refuse paragraph vectors where nothing is there to compute them.

    Raises:
        MissingExtraError: gensim is not installed.
    """
    if importlib.util.find_spec("gensim") is None:
        raise MissingExtraError('doc2vec needs gensim: pip install "acclimate[doc2vec]"')


@dataclass(frozen=True)
class Network:
    """How texts and words predict words, and how a text is inferred."""

    mode: Literal["dbow", "dm"] = "dbow"
    """The text alone predicts its words, or the text together with the words around."""
    vector_size: int = 100
    """D."""
    window: int = 5
    """Words on either side, at most."""
    negative: int = 5
    """Words drawn beside each that is predicted."""
    sample: float = 1e-3
    """Share of all words above which a frequent one is left out now and then; 0: none is."""
    word_vectors: bool = False
    """With `dbow`, whether words predict their neighbours, too."""
    marks: bool = False
    """Whether punctuation and marks are words."""
    inference_epochs: int = 20
    alpha: float = 0.025
    min_alpha: float = 1e-4
    """The learning rate of inference, from the first epoch to the last."""
    seed: int = 0
    """Of what is drawn where a text is inferred."""

    @property
    def read(self) -> Callable[[str], list[str]]:
        """From a text to its words."""
        return words_and_marks_of if self.marks else words_of

    def model(self, counts: Mapping[str, int], seed: int, workers: int = 1) -> Any:
        """gensim's model with random weights, knowing these words with how often each is seen, the most frequent first.

        Raises:
            MissingExtraError: gensim is not installed.
        """
        check_installed()
        from gensim.models.doc2vec import Doc2Vec

        model = Doc2Vec(
            dm=int(self.mode == "dm"), dbow_words=int(self.word_vectors), vector_size=self.vector_size, window=self.window,
            negative=self.negative, sample=self.sample, min_count=1, sorted_vocab=0, workers=workers, seed=seed % 2**32,
            hashfxn=steady_hash,
        )  # fmt: skip
        model.build_vocab_from_freq(dict(counts))
        return model


def steady_hash(text: str) -> int:
    """The same in every process, as Python's own is not."""
    return zlib.crc32(text.encode("utf-8", "surrogatepass"))


def in_pieces(words: list[str]) -> Iterator[list[str]]:
    """A document's words in as many at once as gensim reads."""
    return (words[begin : begin + MOST_AT_ONCE] for begin in range(0, len(words), MOST_AT_ONCE))


@dataclass(frozen=True)
class ParagraphVectors:
    """Trained vectors of V words, by which texts are given vectors."""

    network: Network
    words: tuple[str, ...]
    """[V] by falling frequency."""
    counts: NDArray[np.int64]
    """[V] how often each was seen in an epoch."""
    inputs: Vectors
    """[V, D] of words that predict others; random where none did."""
    outputs: Vectors
    """[V, D] of words that are predicted."""

    @classmethod
    def of(cls, network: Network, model: Any) -> "ParagraphVectors":
        """What a model of gensim knows, as a copy."""
        counts = np.asarray(model.wv.expandos["count"], dtype=np.int64)
        return cls(network, tuple(model.wv.index_to_key), counts, model.wv.vectors.copy(), model.syn1neg.copy())

    @property
    def trained(self) -> Vectors:
        """[V, D] the vectors of words in which a text's vector lies: those that predict where words do, else those predicted."""
        return self.outputs if self.network.mode == "dbow" and not self.network.word_vectors else self.inputs

    @property
    def parameters(self) -> int:
        """Numbers that were trained, the vectors of training documents aside."""
        return self.outputs.size + (self.inputs.size if self.trained is self.inputs else 0)

    def vectors(self, texts: Sequence[str], draw: int = 0, each: Callable[[int, int], None] = lambda words, unknown: None) -> Vectors:
        """The vectors [N, D] of N texts; zeros where no word is known. Another `draw` gives others, as near as inference comes.

        `each` is called after every text with its words, and how many of them are unknown.

        Raises:
            MissingExtraError: gensim is not installed.
        """
        found = np.zeros((len(texts), self.network.vector_size), dtype=np.float32)
        for row, text in enumerate(texts):
            words = self.network.read(text)
            known = [word for word in words if word in self._known]
            if known:
                self._infer(known, draw, found[row : row + 1])
            each(len(words), len(words) - len(known))
        return found

    def _infer(self, words: list[str], draw: int, vector: Vectors) -> None:
        from gensim.models.doc2vec_inner import train_document_dbow, train_document_dm

        network, model = self.network, self._model
        key = (network.seed, "paragraph vector", draw, " ".join(words))
        vector[0] = (generator(*key).random(network.vector_size, dtype=np.float32) - 0.5) / network.vector_size
        model.random.seed(seed_of(*key) % 2**32)
        train = train_document_dm if network.mode == "dm" else train_document_dbow
        pieces, lock = list(in_pieces(words)), np.ones(1, dtype=np.float32)
        for alpha in np.linspace(network.alpha, network.min_alpha, network.inference_epochs).tolist():
            for piece in pieces:
                train(model, piece, [0], alpha, learn_words=False, learn_hidden=False, doctag_vectors=vector, doctags_lockf=lock)

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.words)

    @cached_property
    def _model(self) -> Any:
        model = self.network.model(dict(zip(self.words, self.counts.tolist(), strict=True)), 0)
        model.wv.vectors, model.syn1neg = self.inputs, self.outputs
        return model
