"""A trained model as a server asks it: items in, a JSON text for each of them out, as `acclimate predict` and `encode` answer."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from acclimate.data.found_words import found_words
from acclimate.errors import ModelError
from acclimate.evaluation.answers import AnswerForm, EntityForm, LabelForm, WrittenForm
from acclimate.evaluation.encoder import Encoder, encoding_of
from acclimate.evaluation.evaluate_ranking import ANSWERS
from acclimate.evaluation.plain_encoder import PlainEncoder
from acclimate.evaluation.predictor import load_predictor, problem_of
from acclimate.evaluation.stated import stated_kind, texts_of
from acclimate.evaluation.trained_folder import Predictor, model_config
from acclimate.evaluation.unread import Unread
from acclimate.evaluation.writing_predictor import WritingPredictor
from acclimate.evaluation.zero_shot_predictor import AskedModel, ZeroShotPredictor
from acclimate.inert import inert
from acclimate.modeling.base_files import CONFIG, KIND, VECTORS
from acclimate.modeling.baselines.table import BASELINES, BM25, DOC2VEC, STATIC, TFIDF_RANKING
from acclimate.modeling.embedding_form import Pooling
from acclimate.serving.asked import Shape, Way
from acclimate.tasks.asked_words import words_between_spaces
from acclimate.tasks.retrieve import Retrieve
from acclimate.training.precision import Precision

Item = tuple[str, ...]


class Answered(NamedTuple):
    """What a model says of some items."""

    answers: list[bytes]
    """A JSON text for each."""
    cut: list[bool]
    """Of each, whether it was not read to its end."""


class Service(Protocol):
    """A model that is loaded. One thread asks it."""

    @property
    def verb(self) -> str:
        """`predict` or `encode`, as the command that gives the same answers."""

    @property
    def plural(self) -> str:
        """What the answers are called in a response."""

    @property
    def shape(self) -> Shape:
        """What it can be asked about."""

    @property
    def told(self) -> dict[str, Any]:
        """What a client may want to know of it."""

    def answer(self, way: Way, items: Sequence[Item]) -> Answered:
        """The answers, in order.

        Raises:
            ModelError: one of them is not a finite number.
        """


@dataclass(frozen=True)
class Predicting:
    """A model that gives labels, numbers or entities, or writes."""

    name: str
    predictor: Predictor
    shape: Shape
    words: bool
    """Whether every word is asked about."""
    kind: str | None
    verb = "predict"
    plural = "answers"

    @property
    def told(self) -> dict[str, Any]:
        """Its labels, and what it answers."""
        if isinstance(self.predictor, WritingPredictor):
            return {"model": self.name, "kind": self.kind, "problem": "text_generation"}
        problem = "token_classification" if self.words else problem_of(self.predictor)
        kind = {} if self.kind is None else {"kind": self.kind}
        return {"model": self.name, **kind, "problem": problem, "labels": list(self.predictor.labels)}

    def answer(self, way: Way, items: Sequence[Item]) -> Answered:
        """As `predict_file`."""
        columns = tuple(zip(*items, strict=True))
        words = None
        if self.words:
            words = (words_between_spaces if way.tokens else found_words)(columns[0])
        before = _cut_so_far(self.predictor.unread)
        if isinstance(self.predictor, WritingPredictor):
            outputs: Any = self.predictor.answers(columns[0])
        else:
            outputs = self.predictor.probabilities(*columns, **({} if words is None else {"words": words}))
            _check_finite(outputs)
        answers = self._form(way).answers(outputs, columns[0], words)
        return Answered([as_json(answer) for answer in answers], _cut(self.predictor.unread, before, len(items)))

    def _form(self, way: Way) -> AnswerForm:
        if isinstance(self.predictor, WritingPredictor):
            return WrittenForm()
        if self.words:
            return EntityForm(self.predictor.labels, way.tokens, self.predictor.thresholds)
        return LabelForm(self.predictor.labels, problem_of(self.predictor), self.predictor.thresholds)


@dataclass(frozen=True)
class Encoding:
    """A model that gives vectors."""

    name: str
    encoder: Encoder | PlainEncoder
    verb = "encode"
    plural = "vectors"
    shape = Shape(sides=True)

    @property
    def told(self) -> dict[str, Any]:
        """How long its vectors are."""
        return {"model": self.name, "dimensions": self.encoder.dimensions}

    def answer(self, way: Way, items: Sequence[Item]) -> Answered:
        """As `encode_file`; every digit of a float32 is kept."""
        before = _cut_so_far(self.encoder.unread)
        vectors = self.encoder.encode([text for (text,) in items], way.side)
        _check_finite(vectors)
        return Answered([as_json(vector) for vector in vectors.tolist()], _cut(self.encoder.unread, before, len(items)))


def predicting(model: Path | AskedModel) -> Predicting:
    """Load a model that answers.

    Raises:
        ModelError: there is no trained classifier in the folder, or its files are damaged.
    """
    if isinstance(model, AskedModel):
        zero_shot: ZeroShotPredictor = model.predictor()
        return Predicting(model.folder.resolve().name, zero_shot, Shape(), False, model.kind.model_fields["kind"].default)
    config = model_config(model)
    kind = stated_kind(config)
    words = kind is not None and kind.every_word
    texts = kind.texts() if kind is not None else texts_of(config)
    shape = Shape((1, 2) if texts is None else (texts,), tokens=words)
    name = None if kind is None else str(kind.model_fields["kind"].default)
    return Predicting(model.resolve().name, load_predictor(model), shape, words, name)


def encoding(
    model: str, pooling: Pooling | None = None, dimensions: int | None = None, precision: Precision = "float32"
) -> tuple[Encoding, list[str]]:  # fmt: skip
    """Load a model of vectors, and what should be known of these.

    Raises:
        ModelError: the model is refused, damaged, or cannot be found.
        SettingsError: it knows no such pooling or dimensions.
    """
    how = encoding_of(model, pooling, dimensions, precision=precision)
    return Encoding(Path(how.name).name, how.load()), how.told()


def answers_itself(model: str) -> bool:
    """Whether a model has learned to answer; else its vectors are asked for.

    Raises:
        ModelError: it ranks documents by their words, which a server of texts has none of.
    """
    folder = Path(model).expanduser()
    if not (folder / CONFIG).is_file():
        return False
    config = model_config(folder)
    kind = config.get("model_type")
    if kind in (BM25, TFIDF_RANKING):
        raise ModelError(
            f"{model}: ranks documents by the words that they share with a query: `acclimate search {model} DOCUMENTS QUERY` asks it"
        )
    if config.get(KIND) == Retrieve.model_fields["kind"].default:
        return False
    by_vectors = config.get(VECTORS)
    if isinstance(by_vectors, dict):
        return by_vectors.get("head") is not None  # else they are searched
    if kind in BASELINES:
        return kind not in (STATIC, DOC2VEC)
    learned = any(str(name).endswith("Classification") for name in config.get("architectures") or ())
    return learned or any(config.get(name) for name in ANSWERS)


def _check_finite(outputs: NDArray[np.floating]) -> None:
    if not np.isfinite(outputs).all():
        raise ModelError("the model is broken, not the request: its outputs are not finite numbers (NaN or infinite)")


def _cut_so_far(unread: Unread | None) -> int:
    return 0 if unread is None else unread.cut_texts


def _cut(unread: Unread | None, before: int, items: int) -> list[bool]:
    if unread is None or unread.cut_texts == before:
        return [False] * items
    assert unread.cut is not None
    return [bool(each) for each in unread.cut]


def as_json(value: Any) -> bytes:
    """As `predict` writes it: harmless where people read it, whatever labels and texts are."""
    return inert(json.dumps(value, ensure_ascii=False, allow_nan=False)).encode()
