"""A labelled task: read and checked as a whole before any model is loaded, split where the user gave no split, cut to label budgets."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from pydantic import Field, GetJsonSchemaHandler, field_validator, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from acclimate.data.corpus import Corpus, CorpusSettings
from acclimate.data.digests import TextDigest
from acclimate.data.readers.columns import detect_column
from acclimate.data.readers.problems import Problems
from acclimate.data.readers.read_files import rows_by_file, task_notes, unread_facts
from acclimate.data.readers.reading import LabelledFormat, Reading, TableReading
from acclimate.data.readers.records import Source
from acclimate.errors import DataError
from acclimate.files import atomic_file, digest_json
from acclimate.randomness import generator
from acclimate.tasks.duplicates import count_duplicates, drop_across, refuse_leaks
from acclimate.tasks.facts import TaskFacts, label_counts, shared_groups, word_lengths
from acclimate.tasks.label_checks import NO_CLASSES, OddLabels, absent, check_labels, single_examples, without_labels
from acclimate.tasks.labels import in_order, label_name
from acclimate.tasks.rows import Rows, read_rows, unseen_labels
from acclimate.tasks.split_files import location, open_splits
from acclimate.tasks.splits import budget_order, carve, units_of


class TaskSettings(TableReading):
    """Where the labelled examples are and how to read them: `path` for the whole, or `train` with or without `dev` and `test`.

    A bare string stands for `path`.
    """

    kind: Literal["classify"] = "classify"
    """What is to be learned: `classify` gives one of several labels to a text."""
    path: str | None = None
    """A folder with train/dev/test files, a Hugging Face dataset folder or hub id, or one file or glob that acclimate splits."""
    train: str | None = None
    """The training examples: a file, glob or folder."""
    dev: str | None = None
    """The examples that choose; taken out of train when not given."""
    test: str | None = None
    """The examples that judge; taken out of train when not given."""
    text: str | None = None
    """The column that holds the text; detected when not given."""
    label: str | None = None
    """The column that holds the label; detected when not given."""
    group: str | None = None
    """A column whose equal values (a patient, a contract) must not be torn apart by a split that acclimate makes."""
    format: LabelledFormat | None = None
    """`jsonl`, `json`, `csv`, `tsv`, `parquet` or `hf`; known from the file names when not given."""
    unlabeled: CorpusSettings | None = None
    """More text of the task without labels; read where a stage reads the corpus `task`."""
    skip_bad: bool = False
    """Skip and count records that cannot be used, and keep them in a rejects file, instead of stopping."""
    duplicates: Literal["error", "drop", "keep"] = "error"
    """What to do with a text that is in train and in test: stop, `drop` it (from train, then from dev, never from test), or `keep` it."""
    dev_share: float = Field(default=0.1, gt=0, lt=1)
    """The share of all examples that becomes dev where none is given."""
    test_share: float = Field(default=0.2, gt=0, lt=1)
    """The share of all examples that becomes test where none is given."""
    split_seed: int = 0
    """The seed of what acclimate splits and samples; it is the same for every run of a study."""
    test_examples: int | None = Field(default=None, ge=2)
    """Judge on so many test examples, drawn at random, where there are more; all when not given. Intervals widen accordingly."""
    labels: tuple[str, ...] | None = None
    """The closed set of labels, in order; those of train when not given: whole numbers in the order of numbers, others of words."""
    odd_labels: OddLabels = "error"
    """What to do with labels that look like noise: some that differ in case or white space alone, `nan` and the like, lists written as
    text, a repeated header, a number to be estimated. `keep` takes them for classes, and the plan and the report say so."""

    @property
    def reading(self) -> Reading:
        """How the files are to be read, as far as it is stated."""
        return self.read_as(self.format)

    @model_validator(mode="before")
    @classmethod
    def _bare_path(cls, value: Any) -> Any:
        return {"path": value} if isinstance(value, str) else value

    @field_validator("labels", mode="before")
    @classmethod
    def _named_as_they_are_read(cls, value: Any) -> Any:
        """`labels: [0, 1]` names what a file's 0 and 1 are called."""
        return [label_name(each) or each for each in value] if isinstance(value, list | tuple) else value

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        full = handler.resolve_ref_schema(handler(core_schema))
        return {"anyOf": [{"type": "string"}, full], "description": full.get("description", "")}

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.path is None) == (self.train is None):
            raise ValueError("a task needs either `path` (a folder, a dataset, or one file to be split) or `train`")
        if self.path is not None and (self.dev or self.test):
            raise ValueError("`path` stands for the whole task; with `dev` or `test` say `train` instead of `path`")
        if self.dev_share + self.test_share >= 1:
            raise ValueError("`dev_share` and `test_share` leave nothing for train")
        if self.labels is not None and len(set(self.labels)) != len(self.labels):
            raise ValueError("`labels` names one label twice")
        if self.labels is not None and len(self.labels) < 2:
            raise ValueError("`labels` needs two labels at least")
        return self


@dataclass(frozen=True, eq=False)
class Split:
    """Examples of one split; the arrays are in the order of `texts`."""

    texts: tuple[str, ...]
    labels: np.ndarray  # int64 [N] into the task's labels
    index: np.ndarray  # int64 [N] row in the source files, from 0, bad rows counted too
    files: tuple[Path, ...]
    groups: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: np.ndarray) -> "Split":
        """These rows, in this order."""
        texts = tuple(self.texts[row] for row in rows.tolist())
        groups = None if self.groups is None else tuple(self.groups[row] for row in rows.tolist())
        return Split(texts, self.labels[rows], self.index[rows], self.files, groups)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of texts, labels and row numbers."""
        digest = hashlib.sha256(text_digest(self.texts).encode())
        digest.update(self.labels.astype("<i8").tobytes())
        digest.update(self.index.astype("<i8").tobytes())
        return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class Task:
    """Labels and three splits, all checked."""

    labels: tuple[str, ...]
    train: Split
    dev: Split
    test: Split
    unlabeled: Corpus | None
    facts: TaskFacts
    text: str  # SHA-256 of the whole training split's texts, whatever the label budget

    @classmethod
    def open(cls, settings: TaskSettings, root: Path, rejects_folder: Path | None = None, planned: str | None = None) -> "Task":
        """Read and check everything; relative paths start at `root`. `planned` is the fingerprint of the unlabelled texts, where known.

        Raises:
            DataError: records cannot be used (all kinds together, the first five of each), one text stands in train and test, a dev or
                test label is never seen in train, labels look like noise, a split has none, there is one class only, or no
                split can be made.
        """
        named = {"train": settings.train, "dev": settings.dev, "test": settings.test}
        sources = open_splits(named, settings.path, root, settings.reading)
        text, label, detected = columns_of(settings, sources["train"])
        dropped = dict.fromkeys(sources, 0)
        with Problems(settings.skip_bad, rejects_folder / "task.jsonl" if rejects_folder else None) as problems:
            rows, noted = _read_splits(settings, sources, text, label, root, problems)
            duplicates = count_duplicates(rows)
            lengths = {split: len(each.texts) for split, each in rows.items()}
            if "test" in rows and settings.duplicates == "error":
                refuse_leaks(rows["train"], rows["test"], problems)
            if settings.duplicates == "drop":
                rows, lost = drop_across(rows)
                dropped |= lost
            seen = set(rows["train"].labels)
            if rows["train"].texts and len(seen) < 2 and not problems.told:
                problems.fatal("one class only", sources["train"].files[0], None, f"every label in train is {next(iter(seen))!r}")
            if not rows["train"].texts and dropped["train"]:
                problems.fatal("nothing left", sources["train"].files[0], None, "every text of train stands in dev or test and was dropped")
            for split in ("dev", "test"):
                # A title or a score is not a label that happens to be unknown.
                if split in rows and seen and NO_CLASSES not in problems.counts:
                    rows[split] = unseen_labels(rows[split], seen, split, problems)
        empty = [split for split in ("dev", "test") if split in rows and not rows[split].texts]
        if empty:
            raise DataError(f"{sources[empty[0]].files[0]}: no example is left in {empty[0]}")
        noted += single_examples(rows["train"].labels, len(rows) < 3)
        rows, made = _complete(rows, settings)
        labels = settings.labels or in_order(rows["train"].labels)
        splits = {split: _split_of(rows[split], labels) for split in ("train", "dev", "test")}
        whole_test = len(splits["test"])
        if settings.test_examples is not None and whole_test > settings.test_examples:
            drawn = generator(settings.split_seed, "test examples").permutation(whole_test)[: settings.test_examples]
            splits["test"] = splits["test"].take(np.sort(drawn))
        counts = {name: label_counts(split.labels, labels) for name, split in splits.items()}
        files = {name: rows_by_file(split.files, problems.rows) for name, split in splits.items()}
        unread = sources["train"].unread
        facts = TaskFacts(
            labels=labels,
            labels_noted=noted + absent(counts["test"], "test"),
            examples={name: len(split) for name, split in splits.items()},
            label_counts=counts,
            words={name: word_lengths(split.texts) for name, split in splits.items()},
            files=files,
            unread=unread_facts(unread),
            file_notes=tuple(task_notes(files, unread, lengths, duplicates.within, made)),
            duplicates=duplicates,
            dropped=dropped,
            rejected=problems.rejected,
            problems=problems.counts,
            rejects_file=str(problems.rejects_file) if problems.rejects_file else None,
            detected=detected,
            made=made,
            split_seed=settings.split_seed if made or len(splits["test"]) < whole_test else None,
            test_drawn_from=whole_test if len(splits["test"]) < whole_test else None,
            shared_groups=shared_groups({name: split.groups for name, split in splits.items()}),
        )
        unlabeled = Corpus.open("unlabeled", settings.unlabeled, root, planned) if settings.unlabeled else None
        return cls(labels, splits["train"], splits["dev"], splits["test"], unlabeled, facts, text_digest(splits["train"].texts))

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over labels and the three splits as they are here, so a label budget has its own."""
        return digest_json([list(self.labels), self.train.fingerprint, self.dev.fingerprint, self.test.fingerprint])

    @cached_property
    def text_fingerprint(self) -> str:
        """SHA-256 over what the corpus `task` reads: the whole training split's text and the unlabelled files."""
        return digest_json([self.text, self.unlabeled.fingerprint if self.unlabeled else None])

    def budget(self, labels: int | str, seed: int, cap_dev: bool = True) -> "Task":
        """The task with this many labelled training examples (`"all"`: as it is), drawn by the seed; a smaller is a prefix of a larger.

        Stratified, with an example of every class where the budget allows. Dev is capped at the budget too, unless `cap_dev` is off.

        Raises:
            DataError: the budget is larger than train, or smaller than two.
        """
        if labels == "all":
            return self
        if not isinstance(labels, int) or isinstance(labels, bool):
            raise DataError(f"a label budget is a whole number or 'all', not {labels!r}")
        if not 2 <= labels <= len(self.train):
            raise DataError(
                f"a budget of {labels:,} labels cannot be drawn: train has {len(self.train):,} examples"
                " (`all` takes every one of them; the least is 2)"
            )
        train = self.train.take(budget_order(self.train.labels, seed, "train")[:labels])
        dev = self.dev
        if cap_dev and len(dev) > labels:
            dev = dev.take(budget_order(dev.labels, seed, "dev")[:labels])
        return replace(self, train=train, dev=dev)

    def write_splits(self, folder: Path) -> tuple[Path, ...]:
        """Write train, dev and test as jsonl (text, label, index, group) for others to reuse; nothing when the user gave all three."""
        if not self.facts.made:
            return ()
        written = []
        for name, split in (("train", self.train), ("dev", self.dev), ("test", self.test)):
            path = folder / f"{name}.jsonl"
            with atomic_file(path) as temporary, temporary.open("w", encoding="utf-8") as file:
                for row, text in enumerate(split.texts):
                    record = {"text": text, "label": self.labels[split.labels[row]], "index": int(split.index[row])}
                    if split.groups is not None:
                        record["group"] = split.groups[row]
                    file.write(json.dumps(record, ensure_ascii=False) + "\n")
            written.append(path)
        return tuple(written)


def text_digest(texts: Iterable[str]) -> str:
    """SHA-256 of texts in order."""
    digest = TextDigest()
    for text in texts:
        digest.add(text)
    return digest.hexdigest()


def columns_of(settings: TaskSettings, train: Source) -> tuple[str, str, dict[str, str]]:
    """The columns of text and label, and what of this was detected (format included).

    Raises:
        DataError: it is not clear which column is meant.
    """
    detected = dict(train.detected)
    label, text = settings.label, settings.text
    if label is None:
        label = detected["label"] = detect_column("label", train, tuple(name for name in (text, settings.group) if name))
    if text is None:
        text = detected["text"] = detect_column("text", train, tuple(name for name in (label, settings.group) if name))
    if text == label:
        raise DataError(f"{train.files[0]}: the column {text!r} cannot be both text and label")
    return text, label, detected


def _read_splits(
    settings: TaskSettings, sources: Mapping[str, Source], text: str, label: str, root: Path, problems: Problems
) -> tuple[dict[str, Rows], tuple[str, ...]]:
    """The rows of each split, and what is to be known of the labels of train."""

    def read(source: Source) -> Rows:
        return read_rows(source, text, label, settings.group, settings.labels, problems, keep_odd=settings.odd_labels == "keep")

    train = sources["train"]
    if label in train.columns and (why := without_labels(train, label, frozenset(settings.labels or ()))):
        raise DataError(f"{train.files[0]}: train has no labels ({why}); name the column that holds them with `label:`")
    rows = {"train": read(train)}
    known = frozenset(settings.labels or rows["train"].labels)
    hidden = {split: why for split, source in sources.items() if split != "train" and (why := without_labels(source, label, known))}
    for split, why in hidden.items():
        mend = _without(settings, {name: source for name, source in sources.items() if name not in hidden}, split, root)
        problems.fatal("split without labels", sources[split].files[0], None, f"the {split} split has no labels ({why}); {mend}")
    rows |= {split: read(source) for split, source in sources.items() if split != "train" and split not in hidden}
    return rows, check_labels(rows, label, settings.labels, settings.odd_labels, problems)


def _without(settings: TaskSettings, labelled: Mapping[str, Source], split: str, root: Path) -> str:
    """How to go on without a split that has no labels."""
    left = " and ".join(name for name in ("dev", "test") if name not in labelled)
    if settings.path is None:
        return f"leave out `{split}:`, and acclimate takes {left} out of train"
    where = ", ".join(f"{name}: {location(source, settings.path, root)}" for name, source in labelled.items())
    return f"say `{where}` instead of the folder, and acclimate takes {left} out of train"


def _too_few(train: Rows, split: str, group: str | None) -> str:
    """Why nothing could be taken out of train."""
    counts = Counter(train.labels)
    once = sum(count == 1 for count in counts.values())
    if once == len(counts):
        return f"every label has one example, which must stay in train, so that nothing is left for {split}; name `{split}:`"
    by = f" without tearing apart groups of {group!r}" if group else ""
    single = f" ({once:,} of {len(counts):,} labels have one example, which must stay in train)" if once else ""
    return f"{len(train.labels):,} examples are too few to take {split} out of train{by}{single}; name `{split}:`, or raise `{split}_share`"


def _complete(rows: Mapping[str, Rows], settings: TaskSettings) -> tuple[dict[str, Rows], tuple[str, ...]]:
    """Take the splits that are missing out of train, test first."""
    complete = dict(rows)
    made = tuple(split for split in ("test", "dev") if split not in rows)
    whole = len(rows["train"].texts)
    for split, share in (("test", settings.test_share), ("dev", settings.dev_share)):
        if split not in made:
            continue
        train = complete["train"]
        numbers = {name: number for number, name in enumerate(in_order(train.labels))}
        labels = np.array([numbers[name] for name in train.labels], dtype=np.int64)
        # Equal texts stay together, or this split would leak by itself.
        held = carve(labels, units_of(train.texts, train.groups), share * whole / len(labels), settings.split_seed, split)
        if not held.any():
            raise DataError(f"{train.files[0]}: {_too_few(train, split, settings.group)}")
        complete[split] = train.take(np.flatnonzero(held))
        complete["train"] = train.take(np.flatnonzero(~held))
    return complete, made


def _split_of(rows: Rows, labels: tuple[str, ...]) -> Split:
    numbers = {name: number for number, name in enumerate(labels)}
    return Split(
        tuple(rows.texts),
        np.array([numbers[name] for name in rows.labels], dtype=np.int64),
        np.array(rows.index, dtype=np.int64),
        rows.files,
        None if rows.groups is None else tuple(rows.groups),
    )
