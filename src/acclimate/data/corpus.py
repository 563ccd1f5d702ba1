"""A corpus: unlabelled documents, streamed from files, so that it may be larger than memory."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import GetJsonSchemaHandler, ValidationInfo, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from acclimate.data.cleaning import Cleaned, Cleaning, Pattern
from acclimate.data.digests import TextDigest, text_hash
from acclimate.data.readers.columns import detect_column
from acclimate.data.readers.problems import Problems
from acclimate.data.readers.read_files import file_notes, if_empty, rows_by_file, unread_facts
from acclimate.data.readers.reading import DocumentMode, Format, Reading, TableReading
from acclimate.data.readers.records import open_source
from acclimate.data.readers.texts import Place, read_texts
from acclimate.data.sample import Sample, Spread
from acclimate.errors import DataError


class CorpusSettings(TableReading):
    """Where a corpus is and how to read it. A bare string or list of strings stands for `path`."""

    path: str | tuple[str, ...]
    """A file, glob (`**` included) or folder, a Hugging Face dataset folder or hub id (`owner/name:config@revision[split]`),
    `acclimate-general` (public-domain text that comes along), or several."""
    text: str | None = None
    """The column that holds the text; detected when not given."""
    format: Format | None = None
    """`jsonl`, `json`, `csv`, `tsv`, `parquet`, `txt` or `hf`; known from the file names when not given."""
    documents: DocumentMode | None = None
    """What a document is in txt files: a `line`, a block between `blank` lines, or a `file`; detected when not given."""
    skip_bad: bool = False
    """Skip and count records that cannot be used, and keep them in a rejects file, instead of stopping."""
    duplicates: Literal["keep", "drop"] = "keep"
    """`drop` reads a text once that stands there several times (but for case and white space), whatever the file."""
    leave_out: tuple[Pattern, ...] = ()
    """Regular expressions (Python's); a document in which one is found is left out and counted, e.g. a licence's boilerplate."""
    remove: tuple[Pattern, ...] = ()
    """Regular expressions; what they match is removed from every document, e.g. marks of italics."""

    @property
    def placed(self) -> bool:
        """Whether it says where the texts are; else they are given from Python."""
        return self.path != ()

    @property
    def reading(self) -> Reading:
        """How the files are to be read, as far as it is stated."""
        return self.read_as(self.format, self.documents)

    @property
    def cleaning(self) -> Cleaning:
        """What of the text is not read."""
        return Cleaning(self.leave_out, self.remove, self.duplicates == "drop")

    @model_validator(mode="before")
    @classmethod
    def _bare_path(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, Mapping) and "path" not in value and info.context is None:
            return {**value, "path": ()}  # in Python the texts may be given later
        return {"path": value} if isinstance(value, str | list | tuple) else value

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        full = handler.resolve_ref_schema(super().__get_pydantic_json_schema__(core_schema, handler))
        bare = [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]
        return {"anyOf": [*bare, full], "description": full.get("description", "")}


@dataclass(frozen=True)
class CorpusFacts:
    """What a full reading of a corpus has found."""

    documents: int
    words: int  # separated by white space
    bytes: int  # of the documents' text as UTF-8
    files: int
    rejected: int = 0
    left_out: int = 0  # by `leave_out`, or because `remove` left nothing
    repeated: int = 0  # by `duplicates: drop`
    problems: Mapping[str, int] = field(default_factory=dict)  # count by kind
    detected: Mapping[str, str] = field(default_factory=dict)  # what was not stated: format, documents, text, split
    rejects_file: str | None = None
    paths: Mapping[str, int] = field(default_factory=dict)  # rows of each file
    unread: Sequence[str] = ()  # what lies below a folder that was named and is not read

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class Corpus:
    """Documents under a name, read again from the files each time they are asked for."""

    def __init__(
        self,
        name: str,
        read: Callable[[Problems], Iterator[str]],
        fingerprint: str | None = None,
        *,
        settings: CorpusSettings | None = None,
        files: tuple[Path, ...] = (),
        detected: Mapping[str, str] | None = None,
        unread: tuple[Path, ...] = (),
        groups: tuple[str | None, ...] = (),
    ) -> None:
        self.name = name
        self.settings = settings
        self.files = files
        self.unread = unread  # what lies below a folder that was named and is not read
        self.groups = groups  # what the first documents belong to, None where that is nothing else; the rest stand by themselves
        self.detected = dict(detected or {})
        self._read = read
        self.held_out = 0  # documents that were found and are not read, once it was scanned
        self._place = Place()
        self._without: frozenset[int] = frozenset()  # digests of documents that are read as if they were not there
        self._fingerprint = fingerprint
        self._facts: CorpusFacts | None = None
        self._sample: Sample | None = None

    @classmethod
    def open(
        cls, name: str, settings: CorpusSettings, root: Path, planned: str | None = None, without: frozenset[int] = frozenset()
    ) -> "Corpus":
        """Find the files and settle format and columns; the documents are not read yet.

        `planned` is the fingerprint that an earlier reading found: then whoever reads the documents to their end is told if they changed.
        It is read `without` the documents of these digests (`text_hash`), as if they were not there.

        Raises:
            DataError: nothing is there, or it is not clear which column holds the text.
        """
        if not settings.placed:
            raise DataError(f"the corpus {name!r}: no `path` says where its texts are; or give them to `run_study`, with `corpora=`")
        source = open_source(settings.path, root, settings.reading)
        detected = dict(source.detected)
        text = settings.text
        if text is None:
            text = detect_column("text", source)
            if source.format != "txt":
                detected["text"] = text
        column, place = text, Place()

        found = cls(
            name,
            lambda problems: read_texts(source, column, problems, place),
            planned,
            settings=settings,
            files=source.files,
            detected=detected,
            unread=source.unread,
        )
        found._without, found._place = without, place
        return found

    @classmethod
    def of_texts(
        cls, name: str, texts: Iterable[str], fingerprint: str, then: "Corpus | None" = None, groups: Sequence[str] | None = None
    ) -> "Corpus":
        """A corpus of texts in memory, followed by the documents of another one when given; `fingerprint` covers both.

        Where texts belong together, `groups` names what each belongs to, and `fingerprint` covers that, too.
        """
        kept = tuple(texts)
        own = tuple(groups) if groups is not None else (None,) * len(kept)

        def read(problems: Problems) -> Iterator[str]:
            yield from kept
            if then is not None:
                yield from then.documents()

        files, detected, further = (then.files, then.detected, then.groups) if then else ((), None, ())
        return cls(name, read, fingerprint, files=files, detected=detected, groups=(*own, *further))

    def documents(self) -> Iterator[str]:
        """Every document in order; records that are skipped are left out.

        Raises:
            DataError: a record cannot be used and `skip_bad` is not set; or, once all are read, they are not those that the fingerprint
                names: files were changed in between.
        """
        skip_bad = self.settings is not None and self.settings.skip_bad
        with Problems(skip_bad=skip_bad, at_once=not skip_bad) as problems:
            documents = self._cleaned(problems, Cleaned())
            if self.settings is None or self._fingerprint is None:  # in memory, or nothing was promised of them
                yield from documents
                return
            digest = TextDigest()
            yield from digest.passing(documents)
            if digest.hexdigest() != self._fingerprint:
                raise changed(f"{self.files[0]}: the corpus {self.name!r}")

    def without(self, digests: frozenset[int], planned: str | None = None) -> "Corpus":
        """The corpus as if the documents of these digests (`text_hash`) were not there either; `planned` as in `open`."""
        fewer = copy(self)
        fewer._without = self._without | digests
        fewer._fingerprint, fewer._facts, fewer._sample = planned, None, None
        return fewer

    @property
    def place(self) -> tuple[Path, int] | None:
        """File and line of the document that was given last, while its files are read."""
        return self._place.at

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the documents as they are read, in order; reads them all where that is not known yet.

        Where they stand and in which format is no part of it; how they are read is, as far as it changes them.
        """
        if self._fingerprint is None:
            self.scan()
        assert self._fingerprint is not None
        return self._fingerprint

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be known of its files before anything is spent."""
        return tuple(file_notes(f"corpus {self.name!r}", self.facts.paths, self.unread))

    @property
    def facts(self) -> CorpusFacts:
        """What a full reading found; reads everything the first time unless `scan` did."""
        return self._facts if self._facts is not None else self.scan()

    @property
    def sample(self) -> Sample:
        """A bounded part of the documents, spread over all of them; reads everything the first time unless `scan` did."""
        if self._sample is None:
            self.scan()
        assert self._sample is not None
        return self._sample

    def scan(self, rejects: Path | None = None, watch: Callable[[str], None] | None = None) -> CorpusFacts:
        """Read and check everything in one streaming pass; `watch` sees every document as it goes by.

        Raises:
            DataError: records cannot be used (all kinds together, five of each shown), or there is no document at all.
        """
        documents = words = size = 0
        digest = TextDigest()
        cleaned = Cleaned()
        spread = Spread()
        skip_bad = self.settings is not None and self.settings.skip_bad
        with Problems(skip_bad=skip_bad, rejects=rejects) as problems:
            for text in digest.passing(self._cleaned(problems, cleaned)):
                documents += 1
                words += len(text.split())
                size += len(text) if text.isascii() else len(text.encode())
                spread.add(text)
                if watch is not None:
                    watch(text)
        if not documents:
            patterns = f": `leave_out` and `remove` left out all {cleaned.left_out:,}" if cleaned.left_out else ""
            why = patterns or if_empty(self.files)
            raise DataError(f"{self.files[0] if self.files else self.name}: the corpus {self.name!r} holds no usable document{why}")
        if self.settings is not None:
            self._fingerprint = digest.hexdigest()
        self._sample = spread.sample()
        self.held_out = cleaned.held_out
        rejects_file = str(problems.rejects_file) if problems.rejects_file else None
        self._facts = CorpusFacts(
            documents, words, size, len(self.files), problems.rejected, cleaned.left_out, cleaned.repeated, problems.counts, self.detected,
            rejects_file, rows_by_file(self.files, problems.rows), unread_facts(self.unread),
        )  # fmt: skip
        return self._facts

    def _cleaned(self, problems: Problems, counts: Cleaned) -> Iterator[str]:
        documents = self._read(problems)
        if self.settings is not None and self.settings.cleaning:
            documents = self.settings.cleaning.of(documents, counts)
        return self._kept(documents, counts) if self._without else documents

    def _kept(self, documents: Iterator[str], counts: Cleaned) -> Iterator[str]:
        for text in documents:
            if text_hash(text) in self._without:
                counts.held_out += 1
            else:
                yield text


def changed(what: str) -> DataError:
    """The error where data is not what it was when the study was planned; the same in every place that notices."""
    return DataError(f"{what} changed while the study ran; what was made from it is not kept — run the same command again")
