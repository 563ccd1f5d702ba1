"""A corpus: unlabelled documents, or pairs of them, streamed from files, so that it may be larger than memory."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import asdict, dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any, Literal

from pydantic import GetJsonSchemaHandler, ValidationInfo, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from acclimate.data.cleaning import Cleaned, Cleaning, Pattern
from acclimate.data.digests import TextDigest, text_hash
from acclimate.data.readers.couples import TEXTS, text_columns
from acclimate.data.readers.problems import Problems
from acclimate.data.readers.read_files import file_notes, if_empty, rows_by_file, unread_facts
from acclimate.data.readers.reading import DocumentMode, Format, Reading, TableReading
from acclimate.data.readers.records import open_source
from acclimate.data.readers.texts import Place, read_texts
from acclimate.data.sample import Sample, Spread
from acclimate.errors import DataError
from acclimate.files import digest_json


class CorpusSettings(TableReading):
    """Where a corpus is and how to read it. A bare string or list of strings stands for `path`."""

    path: str | tuple[str, ...]
    """A file, glob (`**` included) or folder, a Hugging Face dataset folder or hub id (`owner/name:config@revision[split]`),
    `acclimate-general` (public-domain text that comes along), or several."""
    text: str | None = None
    """The column that holds the text; detected when not given."""
    text_b: str | None = None
    """The column that holds a second text: then every record is a pair, of which `distill` asks a teacher of pairs. Whoever reads single
    texts reads both, one after the other."""
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
    def texts(self) -> int:
        """How many texts a record has."""
        return 1 if self.text_b is None else 2

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


Record = tuple[str, ...]
"""What is read, or left out, as a whole: a document, or both texts of a pair."""


@dataclass(frozen=True)
class CorpusFacts:
    """What a full reading of a corpus has found. What is not read of pairs is counted in pairs."""

    documents: int  # both texts of each pair
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
    pairs: int = 0  # where every record has two texts

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON; where records are single texts, nothing of pairs."""
        return {name: value for name, value in asdict(self).items() if name != "pairs" or value}


class Corpus:
    """Documents under a name, read again from the files each time they are asked for."""

    def __init__(
        self,
        name: str,
        read: Callable[[Problems], Iterator[Record]],
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
        self.texts = 1 if settings is None else settings.texts  # of a record; all of them are documents
        self.held_out = 0  # records that were found and are not read, since models are judged by them, once it was scanned
        self.leaked = 0  # and since they hold what models are judged by (`leaks: drop`)
        self._place = Place()
        self._without: frozenset[int] = frozenset()  # digests of documents: a record that has one is read as if it were not there
        self._leaks: frozenset[int] = frozenset()  # the same
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
        columns, place = text_columns(source, settings.text, settings.text_b), Place()
        detected = dict(source.detected)
        if settings.text is None and source.format != "txt":
            detected[TEXTS[0]] = columns[0]

        found = cls(
            name,
            lambda problems: read_texts(source, columns, problems, place),
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

        def read(problems: Problems) -> Iterator[Record]:
            return ((text,) for text in chain(kept, then.documents() if then is not None else ()))

        files, detected, further = (then.files, then.detected, then.groups) if then else ((), None, ())
        return cls(name, read, fingerprint, files=files, detected=detected, groups=(*own, *further))

    def documents(self) -> Iterator[str]:
        """Every document in order, of pairs the second text after the first; records that are skipped are left out.

        Raises:
            DataError: a record cannot be used and `skip_bad` is not set; or, once all are read, they are not those that the fingerprint
                names: files were changed in between.
        """
        skip_bad = self.settings is not None and self.settings.skip_bad
        with Problems(skip_bad=skip_bad, at_once=not skip_bad) as problems:
            documents = chain.from_iterable(self._cleaned(problems, Cleaned()))
            if self.settings is None or self._fingerprint is None:  # in memory, or nothing was promised of them
                yield from documents
                return
            digest = TextDigest()
            yield from digest.passing(documents)
            if self._digested(digest) != self._fingerprint:
                raise changed(f"{self.files[0]}: the corpus {self.name!r}")

    def column(self, number: int) -> "Corpus":
        """The first texts of all pairs (0), or the second (1), as a corpus of their own: as many, in the same order."""

        def read(problems: Problems) -> Iterator[Record]:
            return ((text,) for text in islice(self.documents(), number, None, self.texts))

        return Corpus(self.name, read, digest_json([self.fingerprint, TEXTS[number]]))

    def without(self, digests: frozenset[int], planned: str | None = None) -> "Corpus":
        """The corpus as if the documents of these digests (`text_hash`), which leak, were not there either; `planned` as in `open`."""
        fewer = copy(self)
        fewer._leaks = self._leaks | digests
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
            for text in digest.passing(chain.from_iterable(self._cleaned(problems, cleaned))):
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
            self._fingerprint = self._digested(digest)
        self._sample = spread.sample()
        self.held_out, self.leaked = cleaned.held_out, cleaned.leaked
        rejects_file = str(problems.rejects_file) if problems.rejects_file else None
        self._facts = CorpusFacts(
            documents, words, size, len(self.files), problems.rejected, cleaned.left_out, cleaned.repeated, problems.counts, self.detected,
            rejects_file, rows_by_file(self.files, problems.rows), unread_facts(self.unread), documents // 2 if self.texts == 2 else 0,
        )  # fmt: skip
        return self._facts

    def _digested(self, digest: TextDigest) -> str:
        # The same texts one by one are another corpus: nobody is asked about pairs of them.
        return digest.hexdigest() if self.texts == 1 else digest_json([digest.hexdigest(), self.texts])

    def _cleaned(self, problems: Problems, counts: Cleaned) -> Iterator[Record]:
        records = self._read(problems)
        if self.settings is not None and self.settings.cleaning:
            records = self.settings.cleaning.of(records, counts)
        return self._kept(records, counts) if self._without or self._leaks else records

    def _kept(self, records: Iterator[Record], counts: Cleaned) -> Iterator[Record]:
        for record in records:
            digests = [text_hash(text) for text in record]
            if not self._without.isdisjoint(digests):
                counts.held_out += 1
            elif not self._leaks.isdisjoint(digests):
                counts.leaked += 1
            else:
                yield record


def changed(what: str) -> DataError:
    """The error where data is not what it was when the study was planned; the same in every place that notices."""
    return DataError(f"{what} changed while the study ran; what was made from it is not kept — run the same command again")
