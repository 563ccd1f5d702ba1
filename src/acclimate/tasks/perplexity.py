"""Perplexity: how well a masked language model knows text that it has not read. Its items are documents; none teaches it anything."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from acclimate.data.corpus import CorpusSettings
from acclimate.data.ragged import Ragged
from acclimate.errors import DataError, SettingsError, did_you_mean
from acclimate.tasks.blocks import Block
from acclimate.tasks.duplicates import DuplicateFacts
from acclimate.tasks.facts import TaskFacts, word_lengths
from acclimate.tasks.held_documents import Held, beginning, of_corpus, of_files, smaller_documents
from acclimate.tasks.kind import Form, Head, Judged, Place, T, TaskKind
from acclimate.tasks.metrics.metric import Metric
from acclimate.tasks.metrics.texts import METRICS, NATS, UNREAD_BITS
from acclimate.tasks.named import label_counts
from acclimate.tasks.one_name import refuse_not_finite
from acclimate.tasks.split import Answers, Column, Split
from acclimate.tasks.splits import carve
from acclimate.tasks.text_blocks import TOLD

HELDOUT_SHARE, DOCUMENTS, CHARACTERS = 0.05, 200, 5000  # of each corpus, where nothing is said
PLAIN_USE = """\
from transformers import pipeline

fill = pipeline("fill-mask", model=".")  # "." is this folder; a hub id serves as well
print(fill(f"a text with a {fill.tokenizer.mask_token} in it"))"""


def _several(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Named = tuple[str, ...]
Names = Annotated[Named, Field(min_length=1), BeforeValidator(_several, json_schema_input_type=str | Named)]
Files = Annotated[dict[str, CorpusSettings], Field(min_length=1)]


def _form(value: Any) -> str:
    return "files" if isinstance(value, Mapping) else "names"


def scored(sums_N5: Any, split: Split) -> Answers:
    """What a model's sums over each document mean: nats and number of the tokens asked for, how many were found, bytes, and unread ones.

    `predicted` is what a byte of the document costs, in bits. Bytes that the vocabulary cannot read are never asked for, so each is charged
    as it is, 8 bits: a vocabulary is never the better one for what it cannot read.

    Raises:
        TrainingError: a sum is not a number, as those of a model whose weights are not.
    """
    sums_N5 = np.asarray(sums_N5, dtype=np.float64)
    refuse_not_finite(sums_N5)
    nats, tokens, right, size, unread = sums_N5.T
    bits = nats / NATS + UNREAD_BITS * unread
    counts = {"tokens": tokens, "right": right, "bytes": size, "unread": unread}
    whole = {name: column.astype(np.int64) for name, column in counts.items()}
    return {"predicted": bits / np.maximum(size, 1), "bits": bits, **whole}


class Perplexity(TaskKind):
    """Held-out text by which masked language models are compared; `on` says which. Nothing is learned from it."""

    kind: Literal["perplexity"] = "perplexity"
    """What is to be answered: `perplexity` asks how well a model knows held-out text."""
    on: Annotated[Annotated[Files, Tag("files")] | Annotated[Names, Tag("names")], Discriminator(_form)]
    """The text: names with files, `{pubmed: heldout.txt, wiki: {path: ..., duplicates: drop}}`, each read as a corpus is; or the name of a
    corpus of `data`, or several, `[domain, general]`: then some of its documents are held out, and no stage of the study reads them."""
    heldout_share: float | None = Field(default=None, gt=0, le=0.5)
    """The share of a corpus's documents that is held out, those of the smallest digests (at least 8); default 0.05."""
    documents: int | None = Field(default=None, ge=4)
    """At most so many documents of each are judged by; default 200 of a corpus of `data`, all of a file."""
    characters: int | None = Field(default=None, ge=100)
    """Of a longer document only so many characters are judged by; default 5,000 of a corpus of `data`, all of a file."""
    dev_share: float = Field(default=0.25, gt=0, lt=1)
    """The share of the documents that chooses (dev); the rest judges (test)."""
    split_seed: int = 0
    """The seed by which documents are dealt to dev and test."""
    duplicates: Literal["keep", "drop"] = "keep"
    """Where a document of a file stands in a corpus of the study, too: `keep` it there, and say so, or `drop` it from the corpus."""

    learned: ClassVar[bool] = False
    item: ClassVar[str] = "document"
    name_is: ClassVar[str] = "corpus"
    right_is: ClassVar[str] = "mean probability of a byte"
    metrics: ClassVar[tuple[Metric, ...]] = METRICS
    answered: ClassVar[Mapping[Form, Callable[[Any, Split], Answers]]] = {"tokens": scored}
    blocks: ClassVar[tuple[Callable[[Judged], Block | None], ...]] = TOLD
    named: ClassVar[tuple[str, ...]] = ("gold",)
    card: ClassVar[tuple[str, str]] = ("fill-mask", "predicts the words that are masked in a text")
    limits: ClassVar[tuple[str, ...]] = (
        "What it puts into a gap is what is likely there in texts like those it has read, true or not.",
        "To be of use for a task it is fine-tuned first; that it knows a text well does not say how much is gained by it.",
    )
    architecture: ClassVar[str | tuple[str, ...] | None] = ("ForMaskedLM", "ForCausalLM", "LMHeadModel")
    plain_use: ClassVar[str] = PLAIN_USE
    whole_use: ClassVar[str] = "acclimate evaluate FOLDER texts.txt"

    @model_validator(mode="after")
    def _share_of_corpora(self) -> "Perplexity":
        if self.heldout_share is not None and not self.corpora_named:
            raise ValueError("`heldout_share` is about corpora of `data`; files are there to judge by, and all of them do (`documents:`)")
        if isinstance(self.on, dict) and (silent := next((name for name, each in self.on.items() if not each.placed), None)) is not None:
            raise ValueError(f"`on: {silent}` has no `path` that says where its text is")
        if len(set(self.on)) != len(self.on):
            raise ValueError("`on` names one corpus twice")
        return self

    @property
    def corpora_named(self) -> Named:
        """The corpora of the study of which documents are held out."""
        return () if isinstance(self.on, dict) else self.on

    @property
    def _characters(self) -> int | None:
        return self.characters or (CHARACTERS if self.corpora_named else None)

    def corpora(self) -> dict[str, CorpusSettings]:
        """The files that it names."""
        return {f"task {name}": settings for name, settings in self.on.items()} if isinstance(self.on, dict) else {}

    # Items

    def opened(self, task: type[T], place: Place) -> T:
        """Read the documents and deal them to dev and test.

        Raises:
            DataError: files or corpora cannot be read, or have too few documents.
            SettingsError: there is no corpus of this name.
        """
        held = self._held(place)
        names = tuple(each.name for each in held)
        whole = Split(
            (tuple(beginning(document.text, self._characters) for each in held for document in each.documents),),
            np.repeat(np.arange(len(held), dtype=np.int64), [len(each.documents) for each in held]),
            np.array([document.number for each in held for document in each.documents], dtype=np.int64),
            tuple(dict.fromkeys(file for each in held for file in each.corpus.files)),
            None,
            names,
        )
        chooses = carve(self.strata(whole.gold), np.arange(len(whole)), self.dev_share, self.split_seed, "dev")
        splits = {"dev": whole.take(np.flatnonzero(chooses)), "test": whole.take(np.flatnonzero(~chooses))}
        self._refuse_too_few(held, splits)
        # Equal texts are the same document wherever they stand: a corpus that is held out of is read without those of the others, too.
        judging = frozenset(document.digest for each in held for document in each.documents)
        empty = Split(((),), np.zeros(0, np.int64), np.zeros(0, np.int64), (), None, names)
        return task(
            self, names, empty, splits["dev"], splits["test"], None, self._facts(held, splits), empty.text_fingerprint, judging,
            judging if self.corpora_named or self.duplicates == "drop" else frozenset(),
        )  # fmt: skip

    def _held(self, place: Place) -> list[Held]:
        # A text that stands in two of them is a document of the first.
        held: list[Held] = []
        seen: set[int] = set()
        for name in self.on:
            if isinstance(self.on, dict):
                each = of_files(name, self.on[name], place, self.documents)
            else:
                share, most = self.heldout_share or HELDOUT_SHARE, self.documents or DOCUMENTS
                instead = f"name held-out text of its own: `on: {{{name}: FILE}}`"
                each = of_corpus(name, self._corpus(name, place), place, share, most, "on", instead)
            held.append(each._replace(documents=tuple(document for document in each.documents if document.digest not in seen)))
            seen.update(document.digest for document in each.documents)
        return held

    def _corpus(self, name: str, place: Place) -> CorpusSettings:
        if name in place.corpora:
            return place.corpora[name]
        known = list(place.corpora)
        mend = did_you_mean(name, known) or f"; `data` has {', '.join(map(repr, known)) or 'none'}"
        raise SettingsError(f"on: there is no corpus {name!r}{mend}; held-out files are named with `on: {{NAME: FILE}}`")

    def _refuse_too_few(self, held: Sequence[Held], splits: Mapping[str, Split]) -> None:
        for number, each in enumerate(held):
            for name, split in splits.items():
                if not (np.asarray(split.gold) == number).any():
                    count = len(each.documents)
                    have = f"{each.name!r} has {'1 document' if count == 1 else f'{count:,} different documents'}"
                    raise DataError(
                        f"on: {have}, too few for dev and test (none is left for {name}); "
                        f"{smaller_documents(each.corpus)}, name more text, or change `dev_share`"
                    )

    def _facts(self, held: Sequence[Held], splits: Mapping[str, Split]) -> TaskFacts:
        names = tuple(each.name for each in held)
        own = held if not self.corpora_named else ()  # what the study's corpora are like is said of these
        return TaskFacts(
            labels=names,
            examples={name: len(split) for name, split in splits.items()},
            label_counts={name: self.counts(split.gold, names) for name, split in splits.items()},
            words={name: word_lengths(split.inputs[0]) for name, split in splits.items()},
            files={each.name: each.facts.paths for each in own},
            duplicates=DuplicateFacts({}, {}, 0),
            dropped={},
            rejected=sum(each.facts.rejected for each in own),
            problems={kind: count for each in own for kind, count in each.facts.problems.items()},
            rejects_file=next((each.facts.rejects_file for each in own if each.facts.rejects_file), None),
            detected={f"{each.name} {what}": value for each in own for what, value in each.facts.detected.items()},
            made=tuple(splits) if self.corpora_named else (),
            split_seed=self.split_seed,
            file_notes=tuple(self._noted(held)),
        )

    def _noted(self, held: Sequence[Held]) -> Iterator[str]:
        for each in held:
            count = len(each.documents)
            if self.corpora_named:
                yield f"held out of {each.name!r}: {count:,} of {each.read:,} documents, which no stage reads, of any corpus"
            else:
                yield from each.corpus.notes
                if count < each.read:
                    yield f"{each.name}: {count:,} of {each.read:,} documents are judged by (each text once, at most `documents`)"
            if long := sum(len(document.text) > (self._characters or len(document.text)) for document in each.documents):
                yield f"of {long:,} long documents of {each.name!r} the first {self._characters:,} characters are judged by (`characters`)"

    def strata(self, gold: Column) -> Ragged:
        """The corpus."""
        assert isinstance(gold, np.ndarray)
        return Ragged.single(gold)

    def counts(self, gold: Column, names: tuple[str, ...]) -> dict[str, int]:
        """Documents of each corpus."""
        return label_counts(gold, names)

    def written(self, split: Split, row: int) -> dict[str, Any]:
        """Text and corpus."""
        return {"text": split.inputs[0][row], "corpus": split.names[int(np.asarray(split.gold)[row])]}

    # Judging

    def head(self, names: tuple[str, ...], form: Form) -> Head:
        """The probabilities of the whole vocabulary at every token; nothing is trained."""
        if form not in self.answered:
            raise SettingsError(f"a model that gives {form} cannot answer perplexity")
        return Head("tokens", names, "none", ())

    @classmethod
    def right(cls, split: Split, answers: Answers) -> NDArray[np.float64]:
        """The probability that it gives a byte of the document, in the (geometric) mean."""
        return np.asarray(2.0 ** -np.asarray(answers["predicted"], dtype=np.float64), dtype=np.float64)

    @classmethod
    def shown(cls, column: Column, row: int, names: tuple[str, ...]) -> str:
        """The corpus of a document, or what a byte of it costs."""
        value = np.asarray(column)[row]
        return names[int(value)] if np.issubdtype(value.dtype, np.integer) else f"{value:.3f} bits per byte"
