"""Retrieval: queries, the documents among which theirs are to be found, and which of these are relevant."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from acclimate.data.corpus import Corpus, CorpusSettings
from acclimate.data.ragged import Ragged, offsets_of
from acclimate.data.readers.problems import Problems
from acclimate.data.readers.records import Record, Source
from acclimate.data.readers.texts import checked_text
from acclimate.errors import SettingsError
from acclimate.tasks.beir import QUERY, RELEVANT, Beir, JudgedQueries, is_beir
from acclimate.tasks.blocks import Block
from acclimate.tasks.collection import HIGHEST, Collection, judged
from acclimate.tasks.kind import ColumnRole, Form, Head, Judged, Place
from acclimate.tasks.labelled_kind import LabelledKind
from acclimate.tasks.metrics.metric import Metric
from acclimate.tasks.metrics.ranking import METRICS, NDCG
from acclimate.tasks.ranking_blocks import TOLD
from acclimate.tasks.rankings import ranked, ranked_by_words
from acclimate.tasks.relations import Relation
from acclimate.tasks.relevance import ByRelevance
from acclimate.tasks.rows import Row, Rows
from acclimate.tasks.split import Answers, Column, Split

QUERIES = ColumnRole("query", ("query", "question", "anchor", "claim", "title", "sentence1"), is_text=True)
POSITIVE = ColumnRole(
    "positive",
    ("positive", "positives", "document", "documents", "pos", "passage", "passages", "answer", "answers", "relevant", "context", "text",
     "abstract", "sentence2"),
)  # fmt: skip
NEGATIVES = ("negative", "negatives", "neg", "hard_negatives", "hard_negative")
KEYED = ("jsonl", "json", "rows")  # whose records may have a key or not
OWN_USE = """\
from sentence_transformers import SentenceTransformer

model = SentenceTransformer(".")  # this folder; a hub id serves as well
queries, documents = model.encode_query(["a question"]), model.encode_document(["a document", "another one"])
print(model.similarity(queries, documents))  # a row a query: the cosine of every document"""


class Retrieve(LabelledKind):
    """Queries with their relevant documents: a BEIR folder as `path`, or rows with a query and a document (or several), `path` or `train`.

    A bare string stands for `path`. The documents of all rows, and those of `documents`, are what is searched.
    """

    kind: Literal["retrieve"] = "retrieve"
    """What is to be answered: `retrieve` finds the documents that are relevant to a query."""
    query: str | None = None
    """The column that holds the query; detected when not given."""
    positive: str | None = None
    """The column that holds the relevant document, or a list of them (texts, or `{text, grade}`); detected when not given: positive,
    document, ..."""
    negative: str | None = None
    """The column that holds documents that are not relevant, one or a list; `negative` or `negatives` where there is one."""
    documents: CorpusSettings | None = None
    """More documents that are searched, of which no row says anything: a file, read as a corpus is."""

    item: ClassVar[str] = "query"
    right_is: ClassVar[str] = "nDCG@10 (100 %: no ranking is better)"
    gold_is: ClassVar[str] = "relevant documents"
    roles: ClassVar[tuple[ColumnRole, ...]] = (QUERIES, POSITIVE)
    metrics: ClassVar[tuple[Metric, ...]] = METRICS
    answered: ClassVar[Mapping[Form, Callable[[Any, Split], Answers]]] = {"embedding": ranked, "ranking": ranked_by_words}
    relates: ClassVar[Relation | None] = ByRelevance()
    blocks: ClassVar[tuple[Callable[[Judged], Block | None], ...]] = TOLD
    card: ClassVar[tuple[str, str]] = ("sentence-similarity", "finds the documents that are relevant to a query")
    limits: ClassVar[tuple[str, ...]] = (
        "It ranks every document for every query, also for a query that none of them answers.",
        "A ranking is as good as its documents: the scores are those of this collection.",
    )
    own_use: ClassVar[str] = OWN_USE
    whole_use: ClassVar[str] = 'acclimate search FOLDER documents.jsonl "a question"'

    @model_validator(mode="after")
    def _one_collection(self) -> "Retrieve":
        if self.unlabeled is not None:
            raise ValueError("`unlabeled`: the documents are the text of this task; name more of them with `documents`")
        return self

    def corpora(self) -> dict[str, CorpusSettings]:
        """The documents of which no row says anything."""
        return {} if self.documents is None else {"task documents": self.documents}

    @classmethod
    def metric(cls, name: str | None) -> Metric:
        """As for every kind; `ndcg@10` is read as `ndcg_at_10`."""
        return super().metric(None if name is None else name.lower().replace("@", "_at_"))

    # Rows

    def sources(self, root: Path) -> dict[str, Source]:
        """Of a BEIR folder its judged queries."""
        folder = None if self.path is None else root / Path(self.path).expanduser()
        if folder is None or not folder.is_dir() or not is_beir(folder):
            return super().sources(root)
        self.refuse_columns()
        return Beir(folder).sources()

    def refuse_columns(self) -> None:
        """Refuse columns that are named of a BEIR folder.

        Raises:
            SettingsError: they are.
        """
        said = [name for name in ("query", "positive", "negative", "documents", "group") if getattr(self, name) is not None]
        if said:
            raise SettingsError(f"{said[0]}: a BEIR folder says by itself what is a query and what a document; leave `{said[0]}` out")

    def columns(self, source: Source) -> tuple[dict[str, str], dict[str, str]]:
        """Query and relevant documents, and those that are not relevant where a table has a column of them."""
        if isinstance(source, JudgedQueries):
            return {QUERIES.name: QUERY, POSITIVE.name: RELEVANT}, dict(source.detected)
        found, detected = super().columns(source)
        if source.format not in KEYED and (name := self.negative or _first(NEGATIVES, source.columns)):
            found["negative"] = name
        return found, detected

    def read(self, record: Record, columns: Mapping[str, str], problems: Problems) -> Row | None:
        """A query with its documents, (text or row of the collection, grade) each."""
        query = checked_text(record, columns[QUERIES.name], problems)
        if query is None:
            return None
        value = record.values[columns[POSITIVE.name]]
        if columns[POSITIVE.name] == RELEVANT and isinstance(value, tuple):
            target = value
        else:
            positives = _documents(record, columns[POSITIVE.name], 1, problems)
            negative = columns.get("negative") or self.negative or _first(NEGATIVES, tuple(record.values))
            negatives = () if negative is None or record.values.get(negative) is None else _documents(record, negative, 0, problems)
            if positives is None or negatives is None:
                return None
            both = {text for text, _ in positives} & {text for text, _ in negatives}
            if both:
                message = f"{min(both)[:60]!r} is relevant and not relevant to one query"
                problems.add("judged twice", record.file, record.line, message, record.values)
                return None
            target = (*positives, *negatives)
        if not any(grade > 0 for _, grade in target):
            problems.add("no relevant document", record.file, record.line, "no document is relevant to this query", {QUERY: query})
            return None
        return Row((query,), target)

    def gathered(
        self, rows: Mapping[str, Rows], sources: Mapping[str, Source], root: Path, problems: Problems
    ) -> tuple[dict[str, Rows], tuple[str, ...]]:
        """The rows, a query each, with the collection in which what is right for them points."""
        source = sources["train"]
        if isinstance(source, JudgedQueries):
            assert source.beir is not None
            collection = source.beir.collection(problems)
            found = {split: replace(each, collection=collection) for split, each in rows.items()}
            return found, tuple(_noted(found, collection))
        merged, notes = {split: _by_query(each) for split, each in rows.items()}, []
        if twice := sum(map(len, rows.values())) - sum(map(len, merged.values())):
            notes.append(f"{twice:,} rows say more of a query that stands in a row before: they are one query with several documents")
        texts = {text for each in rows.values() for target in each.targets for text, _ in target}
        if self.documents is not None:
            texts.update(Corpus.open("documents", self.documents, root).documents())
        collection = Collection.of(texts)
        place = {text: number for number, text in enumerate(collection.texts)}
        found = {}
        for split, each in merged.items():
            targets = [tuple((place[text], grade) for text, grade in target) for target in each.targets]
            found[split] = replace(each, targets=targets, collection=collection)
        return found, (*notes, *_noted(found, collection))

    def more_text(self, train: Split, place: Place) -> Corpus | None:
        """The documents."""
        collection = train.collection
        assert isinstance(collection, Collection)
        return Corpus.of_texts("unlabeled", collection.texts, collection.fingerprint)

    def gold(self, targets: Sequence[Any], names: tuple[str, ...]) -> Column:
        """[N] rows of [M, 2]: documents of the collection, and the grade of each."""
        lengths = np.array([len(target) for target in targets], dtype=np.int64)
        return Ragged(np.array([pair for target in targets for pair in target], dtype=np.int64).reshape(-1, 2), offsets_of(lengths))

    def strata(self, gold: Column) -> Ragged:
        """All alike."""
        return Ragged.single(np.zeros(len(gold), dtype=np.int64))

    def written(self, split: Split, row: int) -> dict[str, Any]:
        """The query with the texts of its documents."""
        assert isinstance(split.collection, Collection)
        (documents, grades), texts = (each[row].tolist() for each in judged(split)), split.collection.texts
        both = [(texts[document], grade) for document, grade in zip(documents, grades, strict=True)]
        positives = [text if grade == 1 else {"text": text, "grade": grade} for text, grade in both if grade > 0]
        return {"query": split.inputs[0][row], "positives": positives, "negatives": [text for text, grade in both if grade == 0]}

    # Judging

    @classmethod
    def right(cls, split: Split, answers: Answers) -> NDArray[np.float64]:
        """nDCG@10 of each query."""
        return np.asarray(NDCG.each(split, answers))

    @classmethod
    def shown(cls, column: Column, row: int, names: tuple[str, ...]) -> str:
        """The relevant, or the first documents, by their ids (`names`)."""
        assert isinstance(column, Ragged)
        found = column[row]
        numbers = found[found[:, 1] > 0, 0] if found.ndim == 2 else found[:3]
        more = ", ..." if len(numbers) > 3 else ""
        called = [names[number] if names else str(number) for number in numbers[:3].tolist()]
        return f"document {', '.join(called)}{more}" if called else "nothing"

    def head(self, names: tuple[str, ...], form: Form) -> Head:
        """A vector a text, or a ranking."""
        if form not in self.answered:
            raise SettingsError(f"a model that gives {form} cannot answer {self.kind}")
        return Head(form, ("score",), "none", ("multiple_negatives",))


def _first(names: Sequence[str], columns: Sequence[str]) -> str | None:
    by_name = {column.strip().casefold(): column for column in columns}
    return next((by_name[name] for name in names if name in by_name), None)


def _documents(record: Record, column: str, grade: int, problems: Problems) -> tuple[tuple[str, int], ...] | None:
    """Texts with their grades, each once; None where one of them cannot be used, which `problems` gets to know."""
    value = record.values[column]
    found: dict[str, int] = {}
    for each in value if isinstance(value, list | tuple) else [value]:
        said, its = (each.get("text"), each.get("grade", grade)) if isinstance(each, Mapping) else (each, grade)
        text = checked_text(record._replace(values={column: said}), column, problems)
        if text is None:
            return None
        if not isinstance(its, int) or isinstance(its, bool) or not 0 <= its <= HIGHEST:
            message = f"the grade of a document is {its!r}, and a whole number up to {HIGHEST:,} is wanted"
            problems.add("no grade", record.file, record.line, message, record.values)
            return None
        found[text] = max(its, found.get(text, 0))
    return tuple(found.items())


def _by_query(rows: Rows) -> Rows:
    """A row a query: the first that has it, with the documents of all of them; the higher of two grades holds."""
    targets: dict[tuple[str, str | None], dict[str, int]] = {}
    first: dict[tuple[str, str | None], int] = {}
    for row, query in enumerate(rows.inputs[0]):
        key = (query, None if rows.groups is None else rows.groups[row])
        first.setdefault(key, row)
        known = targets.setdefault(key, {})
        for text, grade in rows.targets[row]:
            known[text] = max(grade, known.get(text, 0))
    merged = rows.take(list(first.values()))
    return replace(merged, targets=[tuple(targets[key].items()) for key in first])


def _noted(rows: Mapping[str, Rows], collection: Collection) -> Iterator[str]:
    """What is to be known of the collection."""
    yield f"{len(collection):,} documents are searched"
    if repeated := len(collection) - len(set(collection.texts)):
        yield f"{'1 document is' if repeated == 1 else f'{repeated:,} documents are'} the same text as another one"
    queries = [(text, target) for each in rows.values() for text, target in zip(each.inputs[0], each.targets, strict=True)]
    same = collection.same_as(text for text, _ in queries)
    known = [{document for document, grade in target if grade > 0} for _, target in queries]
    own = sum(bool(set(same[number].tolist()) - relevant) for number, relevant in enumerate(known))
    if own:
        are = "1 query is" if own == 1 else f"{own:,} queries are"
        yield f"{are} a document word for word: it is no answer to its own query, unless it is said to be relevant"
