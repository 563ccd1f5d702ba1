"""A retrieval set as BEIR keeps it (Thakur et al. 2021): corpus.jsonl, queries.jsonl, and qrels/train.tsv, dev.tsv, test.tsv."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from acclimate.data.readers.problems import Problems
from acclimate.data.readers.reading import Reading
from acclimate.data.readers.records import Record, Source, open_source
from acclimate.data.readers.split_names import split_of
from acclimate.data.readers.texts import checked_text
from acclimate.errors import DataError
from acclimate.tasks.collection import HIGHEST, Collection

CORPUS, QUERIES, JUDGED = "corpus.jsonl", "queries.jsonl", "qrels"
PACKED = ("", ".gz", ".zst", ".xz", ".bz2")
COLUMNS = ("query-id", "corpus-id", "score")
QUERY, RELEVANT = "query", "relevant"  # what a record of a query holds


def is_beir(folder: Path) -> bool:
    """Whether a folder is such a set."""
    return _file(folder, CORPUS) is not None and _file(folder, QUERIES) is not None


@dataclass(eq=False)
class Beir:
    """Queries and documents of a folder, each read once, when they are first asked for."""

    folder: Path
    _texts: dict[str, str] | None = field(default=None, repr=False)
    _collection: Collection | None = field(default=None, repr=False)
    _rows: dict[str, int] = field(default_factory=dict, repr=False)

    def judged(self) -> dict[str, "JudgedQueries"]:
        """The judged queries of each split that is there.

        Raises:
            DataError: no file of judgements is there.
        """
        by_split: dict[str, Path] = {}
        for file in sorted((self.folder / JUDGED).glob("*.tsv*")):
            name, _, packed = file.name.partition(".tsv")
            split = split_of(Path(name)) if packed in PACKED else None  # an editor's test.tsv.bak is none
            if split is not None and split in by_split:
                raise DataError(f"{file}: {by_split[split].name} says what is relevant in {split}, too; remove one of them")
            if split is not None:
                by_split[split] = file
        if not by_split:
            raise DataError(f"{self.folder / JUDGED}: no train.tsv, dev.tsv or test.tsv here, which say what is relevant to which query")
        order = [split for split in ("train", "dev", "test") if split in by_split]
        return {split: JudgedQueries((by_split[split],), "tsv", detected={"format": "BEIR"}, beir=self) for split in order}

    def sources(self) -> dict[str, Source]:
        """The judged queries of each split that is there; where there is no train, what comes first is the pool that is split.

        Raises:
            DataError: no file of judgements is there.
        """
        found = self.judged()
        if "train" in found:
            return dict(found)
        pool = found.pop(next(iter(found)))
        detected = pool.detected | {"train": f"taken out of {JUDGED}/{pool.files[0].name}, for there is no train.tsv"}
        return {split: replace(each, detected=detected) for split, each in {"train": pool, **found}.items()}

    def queries(self, problems: Problems) -> Mapping[str, str]:
        """The text of each query by its id."""
        if self._texts is None:
            self._texts = {key: text for key, text, _ in self._read(QUERIES, problems)}
        return self._texts

    def collection(self, problems: Problems) -> Collection:
        """The documents: title and text."""
        if self._collection is None:
            documents = {key: text for key, text, _ in self._read(CORPUS, problems)}
            self._collection = Collection(tuple(documents.values()), tuple(documents))
            self._rows = {key: row for row, key in enumerate(documents)}
        return self._collection

    def row_of(self, key: str) -> int | None:
        """The document of this id."""
        return self._rows.get(key)

    def _read(self, name: str, problems: Problems) -> Iterator[tuple[str, str, int]]:
        file = _file(self.folder, name)
        assert file is not None
        seen: dict[str, int] = {}
        for record in open_source((str(file),), self.folder, Reading(format="jsonl")).records(("_id", "text"), problems):
            said, title, body = (record.values.get(name) for name in ("_id", "title", "text"))
            if said is None or said == "" or isinstance(said, dict | list):
                problems.add("no _id", record.file, record.line, f"the _id is {said!r}, and a word or number is wanted", record.values)
                continue
            key = str(said)
            titled = isinstance(title, str) and title.strip() and isinstance(body, str | None)
            whole = f"{title} {body or ''}".strip() if titled else body
            text = checked_text(record._replace(values={"text": whole}), "text", problems)
            if text is None:
                continue
            if key in seen:
                message = f"the _id {key!r} stands there twice (first in line {seen[key]:,})"
                problems.add("repeated _id", record.file, record.line, message, record.values)
                continue
            seen[key] = record.line
            yield key, text, record.line


@dataclass(frozen=True)
class JudgedQueries(Source):
    """The queries of one file of judgements, each a record with its text and its documents: rows of the collection with their grades."""

    beir: Beir | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Of a record."""
        return (QUERY, RELEVANT)

    def records(self, columns: Sequence[str], problems: Problems) -> Iterator[Record]:
        """Every query of which a document is judged; `problems` gets to know judgements of what is not there."""
        assert self.beir is not None
        texts, _ = self.beir.queries(problems), self.beir.collection(problems)
        lines: dict[str, int] = {}
        found: dict[str, dict[int, int]] = {}
        judgements = open_source((str(self.files[0]),), self.beir.folder, Reading(format="tsv"))
        for record in judgements.records(COLUMNS, problems):
            key, judgement = str(record.values["query-id"]), self._judgement(record, texts, problems)
            lines.setdefault(key, record.line)
            if judgement is None:
                continue
            row, grade = judgement
            if row in found.setdefault(key, {}):
                message = f"the document {record.values['corpus-id']!r} is judged twice for the query {key!r}"
                problems.add("judged twice", record.file, record.line, message, record.values)
                continue
            found[key][row] = grade
        for number, (key, judged) in enumerate(found.items()):
            yield Record(self.files[0], lines[key], number, {QUERY: texts[key], RELEVANT: tuple(judged.items())})

    def _judgement(self, record: Record, texts: Mapping[str, str], problems: Problems) -> tuple[int, int] | None:
        assert self.beir is not None
        query, document, score = (str(record.values[name]) for name in COLUMNS)
        row, grade = self.beir.row_of(document), _grade(score)
        if query not in texts:
            problems.add("unknown query", record.file, record.line, f"no query {query!r} in {QUERIES}", record.values)
        elif row is None:
            problems.add("unknown document", record.file, record.line, f"no document {document!r} in {CORPUS}", record.values)
        elif grade is None:
            problems.add("no grade", record.file, record.line, f"'score' is {score!r}, and a whole number is wanted", record.values)
        else:
            return row, grade
        return None


def _grade(score: Any) -> int | None:
    try:
        grade = max(0, int(score))
    except ValueError:
        return None
    return grade if grade <= HIGHEST else None


def _file(folder: Path, name: str) -> Path | None:
    return next((file for end in PACKED if (file := folder / f"{name}{end}").is_file()), None)
