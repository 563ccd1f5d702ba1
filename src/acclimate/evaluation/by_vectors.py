"""A task answered by vectors of its texts, whatever makes them: an encoder, Doc2Vec, the words' own vectors.

Of texts with labels: logistic regression, or nearest neighbours, fitted on the vectors of train. Of pairs with a number: the cosine.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from acclimate.data.exact_search import Found, most_similar_of, unit
from acclimate.errors import TrainingError
from acclimate.modeling.embedding_form import Side
from acclimate.modeling.vector_heads import Cosine, VectorHead, Vectors, logistic, nearest
from acclimate.tasks.kind import Form
from acclimate.tasks.rankings import asked_for
from acclimate.tasks.split import Split
from acclimate.tasks.task import Task

Encode = Callable[[Sequence[str], Side | None], Vectors]
"""[N, D] float32, a vector a text; the side says which of two things that are searched and found it is, None where they are alike."""
Classifier = Literal["logistic", "knn"]
EMBEDDING: Form = "embedding"
AT_ONCE = 1 << 14  # documents whose vectors are held


@dataclass(frozen=True)
class HeadSettings:
    """What is fitted on vectors where texts have labels."""

    classify: Classifier = "logistic"
    neighbours: int = 10
    strengths: Sequence[float] = (0.1, 1.0, 10.0, 100.0)
    """Inverse regularisation C of the regression; dev decides where there are several."""
    select_by: str | None = None
    """The score of dev that does; None: the task's first one."""


@dataclass(frozen=True)
class ByVectors:
    """What answers a task by vectors, and what it gives for dev and test, as `TaskKind.decoded` takes it."""

    form: Form
    head: VectorHead | None
    """None where documents are ranked: then nothing is kept but what makes the vectors."""
    dev: Any
    test: Any
    metrics: dict[str, Any] = field(default_factory=dict)
    log: tuple[dict[str, Any], ...] = ()
    notes: tuple[str, ...] = ()


def by_vectors(task: Task, form: Form, encode: Encode, settings: HeadSettings = HeadSettings()) -> ByVectors:
    """Answer dev and test of a task by vectors; of train its labels and texts are read where its items have classes.

    `form` is `sequence` where a head is fitted, `embedding` where the vectors themselves answer.

    Raises:
        TrainingError: vectors are not numbers.
    """
    encode = _finite(encode)
    if task.test.collection is not None:
        of_dev, of_test = rankings((task.dev, task.test), task.test.collection.texts, encode)
        return ByVectors(form, None, of_dev, of_test)
    if form == EMBEDDING:
        head = Cosine(task.kind.head(task.names, form).names)
        dev, test = (head.outputs(*encoded_columns(split.inputs, encode)) for split in (task.dev, task.test))
        return ByVectors(form, head, dev, test, notes=(NOT_ON_THE_SCALE,))
    columns = {name: encoded_columns(split.inputs, encode) for name, split in task.splits.items()}
    return fitted(task, form, columns["train"], columns["dev"], columns["test"], settings)


def rankings(splits: Sequence[Split], documents: Sequence[str], encode: Encode) -> list[Found]:
    """For each split of queries the most similar of the documents, by cosine; so many of these are encoded at a time, and none is kept."""

    queries_QD = unit(encode([query for split in splits for query in split.inputs[0]], "query"))
    blocks = (unit(encode(documents[start : start + AT_ONCE], "document")) for start in range(0, len(documents), AT_ONCE))
    found = most_similar_of(queries_QD, blocks, asked_for(*splits))
    ends = np.cumsum([len(split) for split in splits])[:-1]
    parts = zip(*(np.split(column, ends) for column in found), strict=True)
    return [Found(rows, scores) for rows, scores in parts]


NOT_ON_THE_SCALE = "cosines are not on the scale of the scores: correlations compare them, errors (mae, mse) say nothing"


def fitted(
    task: Task, form: Form, train: Sequence[Vectors], dev: Sequence[Vectors], test: Sequence[Vectors], settings: HeadSettings
) -> ByVectors:
    """What is fitted on the vectors of train, and what it gives for those of dev and test: of each split the columns of its texts."""
    head, gold = task.kind.head(task.names, form), np.asarray(task.train.gold)
    if settings.classify == "knn":
        found = nearest(train, gold, head.names, settings.neighbours, head.link)
        few = f"knn asks all {found.neighbours:,} training texts: there are fewer than {settings.neighbours:,}"
        notes = (few,) if found.neighbours < settings.neighbours else ()
        metrics = {"neighbours": found.neighbours}
        return ByVectors(form, found, found.outputs(*dev), found.outputs(*test), metrics, notes=notes)
    metric = task.kind.metric(settings.select_by)
    tried = []
    for strength, each in logistic(train, gold, head.names, settings.strengths, head.link):
        outputs = each.outputs(*dev)
        tried.append((metric.score(task.dev, task.kind.decoded(form, outputs, task.dev)), strength, each, outputs))
    # The first of equals: the strongest regularisation that reaches the best dev score.
    _, strength, best, outputs = max(tried, key=lambda entry: metric.merit(entry[0]))
    log = tuple({"strength": strength, f"dev_{metric.name}": score} for score, strength, _, _ in tried)
    return ByVectors(form, best, outputs, best.outputs(*test), {"strength": strength}, log)


def encoded_columns(columns: Sequence[Sequence[str]], encode: Encode, side: Side | None = None) -> tuple[NDArray[Any], ...]:
    """[N, D] of each column of texts; every text is encoded once, however often it stands in them."""
    place = _places(text for column in columns for text in column)
    vectors = encode(list(place), side)
    return tuple(vectors[[place[text] for text in column]] for column in columns)


def _finite(encode: Encode) -> Encode:
    def checked(texts: Sequence[str], side: Side | None) -> Vectors:
        vectors = encode(texts, side)
        if not np.isfinite(vectors).all():  # a document of such a vector would be found by no query, and nobody would know
            raise TrainingError("vectors of texts are not numbers: the model's weights grew without bound in training")
        return vectors

    return checked


def _places(texts: Iterable[str]) -> dict[str, int]:
    return {text: number for number, text in enumerate(dict.fromkeys(texts))}
