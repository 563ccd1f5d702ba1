"""A task: read and checked as a whole before any model is loaded, split where the user gave no split, cut to label budgets."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np

from acclimate.data.corpus import Corpus, CorpusSettings
from acclimate.data.readers.problems import Problems
from acclimate.data.readers.read_files import rows_by_file, task_notes, unread_facts
from acclimate.data.readers.records import Source
from acclimate.errors import DataError, SettingsError
from acclimate.files import atomic_file, digest_json
from acclimate.randomness import generator
from acclimate.settings import per_class
from acclimate.tasks.budgets import cut_per_class
from acclimate.tasks.duplicates import count_duplicates, drop_across, refuse_leaks
from acclimate.tasks.facts import TaskFacts, group_facts, word_lengths
from acclimate.tasks.grouping import TextGroups, grouped, numbered
from acclimate.tasks.kind import Place, TaskKind, many
from acclimate.tasks.labelled_kind import NO_PLACE, LabelledKind
from acclimate.tasks.repeated import Repeated, repeated_sentences, told
from acclimate.tasks.rows import Rows, read_rows
from acclimate.tasks.split import Split
from acclimate.tasks.split_files import location
from acclimate.tasks.splits import budget_order, carve, grouped_budget_order, units_of

SPLITS = ("train", "dev", "test")
NO_CORPORA: Mapping[str, CorpusSettings] = {}


@dataclass(frozen=True, eq=False)
class Task:
    """A kind of task on three splits, all checked."""

    kind: TaskKind
    names: tuple[str, ...]
    """The classes, tags, ... that gold points into; none where a kind has none."""
    train: Split
    dev: Split
    test: Split
    unlabeled: Corpus | None
    facts: TaskFacts
    text: str
    """SHA-256 of the whole training split's texts (and groups), whatever the label budget."""
    judging: frozenset[int] = frozenset()
    """The digests (`text_hash`) of whole documents that are judged by, where text itself is: a corpus that holds them has seen the exam."""
    withheld: frozenset[int] = frozenset()
    """Those without which every corpus of the study is read."""

    @property
    def unlabelled_items(self) -> Corpus | None:
        """The unlabelled texts, where each record is an item: single texts are none of a task of pairs."""
        return self.unlabeled if self.unlabeled is not None and self.unlabeled.texts >= self.kind.texts() else None

    @classmethod
    def open(
        cls,
        kind: TaskKind,
        root: Path,
        rejects_folder: Path | None = None,
        planned: str | None = None,
        corpora: Mapping[str, CorpusSettings] = NO_CORPORA,
    ) -> "Self":
        """Read and check everything; relative paths start at `root`. `planned` is the fingerprint of the unlabelled texts, where known.

        `corpora` are those of the study, of which some kinds hold documents out.

        Raises:
            DataError: something cannot be used; each kind says what it refuses (`of_files`, of those that learn from labels).
        """
        return kind.opened(cls, Place(root, rejects_folder, planned, corpora))

    @classmethod
    def of_files(cls, kind: LabelledKind, place: Place) -> "Self":
        """The task of labelled examples in files.

        Raises:
            DataError: records cannot be used (all kinds of mistakes together, the first five of each), one text stands in train and test, a
                dev or test label is never seen in train, labels look like noise, a split has none, there is one class only, or no
                split can be made.
        """
        if not kind.placed:
            raise SettingsError(f"{NO_PLACE}; or give rows to `run_study`")
        root, rejects_folder = place.root, place.rejects
        sources = kind.sources(root)
        kind, seen = kind.detect(sources["train"])
        columns, detected = kind.columns(sources["train"])
        dropped = dict.fromkeys(sources, 0)
        group_notes: tuple[str, ...] = ()
        with Problems(kind.skip_bad, rejects_folder / "task.jsonl" if rejects_folder else None) as problems:
            rows, noted = _read_splits(kind, sources, columns, root, problems)
            rows, more = kind.gathered(rows, sources, root, problems)
            noted += more
            if isinstance(kind.group, TextGroups):
                rows, group_notes = grouped(rows, kind.group)
            duplicates = count_duplicates(rows)
            lengths = {split: len(each) for split, each in rows.items()}
            if "test" in rows and kind.duplicates == "error":
                refuse_leaks(rows["train"], rows["test"], problems, kind.item)
            if kind.duplicates == "drop":
                rows, lost = drop_across(rows)
                dropped |= lost
            rows = kind.settle(rows, problems)
            if not len(rows["train"]) and dropped["train"]:
                problems.fatal("nothing left", sources["train"].files[0], None, "every text of train stands in dev or test and was dropped")
        empty = [split for split in ("dev", "test") if split in rows and not len(rows[split])]
        if empty:
            raise DataError(f"{sources[empty[0]].files[0]}: no example is left in {empty[0]}")
        noted += kind.noted(rows["train"], len(rows) < 3)
        rows, made = _complete(rows, kind)
        names = kind.names(rows["train"])
        splits = {split: split_of(rows[split], kind, names) for split in SPLITS}
        whole_test = len(splits["test"])
        splits["test"] = _drawn(splits["test"], kind)
        counts = {name: kind.counts(split.gold, names) for name, split in splits.items()}
        files = {name: rows_by_file(split.files, problems.rows) for name, split in splits.items()}
        unread = sources["train"].unread
        facts = TaskFacts(
            labels=names,
            labels_noted=noted + kind.absent(counts["test"], "test"),
            examples={name: len(split) for name, split in splits.items()},
            label_counts=counts,
            words={name: word_lengths(tuple(split.documents())) for name, split in splits.items()},
            files=files,
            unread=unread_facts(unread),
            file_notes=tuple(task_notes(files, unread, lengths, duplicates.within, made)),
            duplicates=duplicates,
            dropped=dropped,
            rejected=problems.rejected,
            problems=problems.counts,
            rejects_file=str(problems.rejects_file) if problems.rejects_file else None,
            detected=detected | seen,
            made=made,
            split_seed=kind.split_seed if made or len(splits["test"]) < whole_test else None,
            test_drawn_from=whole_test if len(splits["test"]) < whole_test else None,
            **(group_facts(splits, kind.item, group_notes) or {"group_notes": kind.ungrouped(splits, made, columns)}),
        )
        unlabeled, text = kind.more_text(splits["train"], place), splits["train"].documents_fingerprint
        return cls(kind, names, splits["train"], splits["dev"], splits["test"], unlabeled, facts, text)

    @property
    def splits(self) -> dict[str, Split]:
        """Train, dev and test by name."""
        return {"train": self.train, "dev": self.dev, "test": self.test}

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over kind, names and the three splits as they are here, so a label budget has its own."""
        splits = (self.train.fingerprint, self.dev.fingerprint, self.test.fingerprint)
        return digest_json([list(self.names), *splits, *self.kind.identity()])

    @cached_property
    def exam_fingerprint(self) -> str:
        """SHA-256 over kind, names, dev and test: what a stage reads that learns no labels and answers them."""
        return digest_json([list(self.names), self.dev.fingerprint, self.test.fingerprint, *self.kind.identity()])

    @cached_property
    def text_fingerprint(self) -> str:
        """SHA-256 over what the corpus `task` reads: the whole training split's text and the unlabelled files."""
        return digest_json([self.text, self.unlabeled.fingerprint if self.unlabeled else None])

    @cached_property
    def repeated(self) -> Repeated | None:
        """What of test repeats sentences with other marks, where nothing says that they belong together; looks through the texts."""
        return repeated_sentences(self.splits) if isinstance(self.kind, LabelledKind) and self.kind.group is None else None

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be known before anything is spent."""
        items, found = many(self.kind.item), self.repeated
        return (*self.facts.notes, *([told(found, len(self.test), items)] if found else []))

    def budget(self, labels: int | str, seed: int, cap_dev: bool = True) -> "Task":
        """The task with this many labelled training examples (`"all"`: as it is), drawn by the seed; a smaller is a prefix of a larger.

        `"8 per class"` draws so many of each class (`cut_per_class`).

        Stratified, with an example of every class where the budget allows. Groups are drawn whole, but for the last one, of which a budget
        may hold a part. Dev is capped at the budget too, unless `cap_dev` is off.

        Raises:
            DataError: the budget is larger than train, or smaller than two, or it is per class and there are none, or too small ones.
        """
        if labels == "all":
            return self
        if isinstance(labels, str) and (each := per_class(labels)) is not None:
            return cut_per_class(self, each, seed, cap_dev)
        if not isinstance(labels, int) or isinstance(labels, bool):
            raise DataError(f"a label budget is a whole number, 'N per class' or 'all', not {labels!r}")
        if not 2 <= labels <= len(self.train):
            raise DataError(
                f"a budget of {labels:,} labels cannot be drawn: train has {len(self.train):,} examples"
                " (`all` takes every one of them; the least is 2)"
            )
        dev = self.dev
        if cap_dev and len(dev) > labels:
            dev = self._first(dev, labels, seed, "dev")
        return replace(self, train=self._first(self.train, labels, seed, "train"), dev=dev)

    def write_splits(self, folder: Path) -> tuple[Path, ...]:
        """Write train, dev and test as jsonl (text, label, index, group) for others to reuse; nothing when the user gave all three."""
        if not self.facts.made:
            return ()
        written = []
        for name, split in self.splits.items():
            if not len(split):
                continue  # nothing is learned
            path = folder / f"{name}.jsonl"
            with atomic_file(path) as temporary, temporary.open("w", encoding="utf-8") as file:
                for row in range(len(split)):
                    record = self.kind.written(split, row) | {"index": int(split.index[row])}
                    if split.groups is not None:
                        record["group"] = split.groups[row]
                    file.write(json.dumps(record, ensure_ascii=False) + "\n")
            written.append(path)
        return tuple(written)

    def _first(self, split: Split, labels: int, seed: int, name: str) -> Split:
        strata = self.kind.strata(split.gold)
        if split.groups is None:
            return split.take(budget_order(strata, seed, name)[:labels])
        return split.take(grouped_budget_order(strata, numbered(split.groups), seed, name)[:labels])


def _read_splits(
    kind: LabelledKind, sources: Mapping[str, Source], columns: Mapping[str, str], root: Path, problems: Problems
) -> tuple[dict[str, Rows], tuple[str, ...]]:
    """The rows of each split, and what is to be known of what train says is right."""

    def read(source: Source) -> Rows:
        return read_rows(source, kind.read, columns, kind.texts(), kind.group_column, problems)

    train = sources["train"]
    if why := kind.lacking(train, columns, None):
        raise DataError(
            f"{train.files[0]}: train has no {kind.gold_is} ({why}); name the column that holds them with `{kind.gold_role()}:`"
        )
    rows = {"train": read(train)}
    others = {split: source for split, source in sources.items() if split != "train"}
    hidden = {split: why for split, source in others.items() if (why := kind.lacking(source, columns, rows["train"]))}
    for split, why in hidden.items():
        mend = _without(kind, {name: source for name, source in sources.items() if name not in hidden}, split, root)
        problems.fatal("split without labels", sources[split].files[0], None, f"the {split} split has no {kind.gold_is} ({why}); {mend}")
    rows |= {split: read(source) for split, source in others.items() if split not in hidden}
    return rows, kind.odd(rows, columns, problems)


def _without(kind: LabelledKind, labelled: Mapping[str, Source], split: str, root: Path) -> str:
    """How to go on without a split that has no labels."""
    left = " and ".join(name for name in ("dev", "test") if name not in labelled)
    if kind.path is None:
        return f"leave out `{split}:`, and acclimate takes {left} out of train"
    where = ", ".join(f"{name}: {location(source, kind.path, root)}" for name, source in labelled.items())
    return f"say `{where}` instead of the folder, and acclimate takes {left} out of train"


def _complete(rows: Mapping[str, Rows], kind: LabelledKind) -> tuple[dict[str, Rows], tuple[str, ...]]:
    """Take the splits that are missing out of train, test first."""
    complete = dict(rows)
    made = tuple(split for split in ("test", "dev") if split not in rows)
    whole = len(rows["train"])
    for split, share in (("test", kind.test_share), ("dev", kind.dev_share)):
        if split not in made:
            continue
        train = complete["train"]
        strata = kind.strata(kind.gold(train.targets, kind.found(train)))
        # Equal texts stay together, or this split would leak by itself.
        held = carve(strata, units_of(train.keys(), train.groups), share * whole / len(train), kind.split_seed, split)
        if not held.any():
            raise DataError(f"{train.files[0]}: {kind.too_few(train, split)}")
        complete[split] = train.take(np.flatnonzero(held))
        complete["train"] = train.take(np.flatnonzero(~held))
    return complete, made


def _drawn(test: Split, kind: LabelledKind) -> Split:
    """As many test examples as are asked for."""
    if kind.test_examples is None or len(test) <= kind.test_examples:
        return test
    drawn = generator(kind.split_seed, "test examples").permutation(len(test))[: kind.test_examples]
    return test.take(np.sort(drawn))


def split_of(rows: Rows, kind: LabelledKind, names: tuple[str, ...]) -> Split:
    """Rows as items of a task with these names."""
    return Split(
        tuple(map(tuple, rows.inputs)),
        kind.gold(rows.targets, names),
        np.array(rows.index, dtype=np.int64),
        rows.files,
        None if rows.groups is None else tuple(rows.groups),
        names,
        kind.words(rows.targets),
        rows.collection,
        kind.plain(rows.inputs),
    )
