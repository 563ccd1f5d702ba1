"""Which of some files are a labelled task, of which kind, and which are text without labels: by columns and what stands in them."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from acclimate.data.readers import hub
from acclimate.data.readers.columns import NAMES
from acclimate.data.readers.couples import couple
from acclimate.data.readers.endings import name_without_endings
from acclimate.data.readers.folders import find, is_dataset_folder
from acclimate.data.readers.problems import Problems
from acclimate.data.readers.reading import Reading
from acclimate.data.readers.records import Source, open_source
from acclimate.data.readers.split_names import by_split
from acclimate.errors import DataError, SettingsError, did_you_mean
from acclimate.inert import one_line
from acclimate.tasks import KINDS
from acclimate.tasks.beir import is_beir
from acclimate.tasks.generate import Generate
from acclimate.tasks.label_cells import indicators
from acclimate.tasks.labelled_kind import LabelledKind
from acclimate.tasks.pair import LABEL as OF_PAIR
from acclimate.tasks.similarity import SCORE
from acclimate.tasks.split_files import open_splits
from acclimate.tasks.tagged_columns import SPANS, TAGS, TOKENS

PEEK = 200  # records by whose values a kind is told
COME_BACK = 0.5  # of the values that were looked at at most so many are different, where a column may hold labels, or groups
POSITIVES = ("positive", "positives", "pos", "relevant")  # names that say by themselves that documents are to be found


@dataclass(frozen=True)
class Seen:
    """One of the paths that were given: what it is read as, and what made it so."""

    path: str
    source: Source
    kind: str | None = None  # of `acclimate.tasks.KINDS`; None: text without labels
    why: str = ""
    whole: bool = False  # a folder or data set that holds its splits
    label: str | None = None  # the column that its values alone make one, of a name that no reader knows


@dataclass(frozen=True)
class Sorted:
    """What of a study's data the files are."""

    task: Mapping[str, str] | None  # `path`, or `train`, `dev` and `test`, as they were given
    kind: str | None
    why: str  # it is of this kind
    train: Source | None
    label: str | None  # as `Seen.label`, of train
    corpora: Mapping[str, str]  # by name
    untold: tuple[str, ...]  # what the files do not tell, with what to say instead


def sort_paths(paths: Sequence[str], root: Path, stated: Mapping[str, Any]) -> Sorted:
    """Look at each path (a file, glob, folder or hub id, from `root`), and put them together; `stated` is what the user said of the task.

    Raises:
        DataError: a path cannot be read, or several files could be the same part of the task.
        SettingsError: several tasks are among them, or none of the kind that was named.
    """
    if stated.get("kind") is not None and stated["kind"] not in (known := kinds()):
        raise SettingsError(f"--kind {stated['kind']}: no kind of labelled examples{did_you_mean(stated['kind'], [*known])}")
    if twice := next((path for path in paths if paths.count(path) > 1), None):
        raise SettingsError(f"{twice}: named twice")
    seen = [_look(path, root, stated) for path in paths]
    labelled, texts = [each for each in seen if each.kind], [each for each in seen if not each.kind]
    if stated.get("kind") is not None and not labelled:
        raise SettingsError(
            f"--kind {stated['kind']}: none of the files has what this kind asks for; name columns, e.g. with --text and --label"
        )
    untold = [line for each in seen for line in _doubts(each, stated)]
    corpora = _named(texts)
    if texts and labelled:
        untold.append(
            f"whether {', '.join(each.path for each in texts)} is text of the field or of the task itself: it is read for domain-adaptive "
            "pretraining; for more text of the task say `unlabeled: PATH` under `task:`, and `corpus: task` reads it"
        )
    if not labelled:
        return Sorted(None, None, "", None, None, corpora, tuple(untold))
    task = _together(labelled)
    train = next(each for each in labelled if each.path in (task.get("path"), task.get("train")))
    return Sorted(task, train.kind, train.why, train.source, train.label, corpora, tuple(untold))


def kinds() -> dict[str, type[LabelledKind]]:
    """The kinds of labelled examples, by name; written answers need a decoder, and no study that is begun here has one."""
    known = (kind for kind in KINDS if issubclass(kind, LabelledKind) and kind is not Generate)
    return {kind.model_fields["kind"].default: kind for kind in known}


def columns_of(kind: str, source: Source, label: str | None, stated: Mapping[str, Any]) -> dict[str, str]:
    """The columns that a task of this kind reads, by role; `stated` is what the user said of it.

    Raises:
        DataError: it is not clear which are meant.
    """
    said = {**({} if label is None else {"label": label}), **{name: value for name, value in stated.items() if name != "kind"}}
    made = kinds()[kind].model_validate(said)
    found = made.columns(source)[0]
    return {role: found[role] for role in type(made).model_fields if role in found}


def _look(path: str, root: Path, stated: Mapping[str, Any]) -> Seen:
    folder = root / Path(path).expanduser()
    if folder.is_dir() and is_beir(folder):
        return Seen(path, Source((folder,), "jsonl"), "retrieve", "the folder has the files of a BEIR data set", whole=True)
    whole = is_dataset_folder(folder) or hub.hub_reference(path, root) is not None
    if folder.is_dir() and not whole:
        found = find(path, root)
        whole = "train" in by_split((each.relative_to(folder) for each in (*found.files, *found.datasets)), path)
    reading = Reading(sentences=True)
    source = open_splits({}, path, root, reading)["train"] if whole else open_source(path, root, reading)
    kind, why = _kind_of(source, stated)
    if kind is None and not stated.keys() & {"kind", "label", "score", "tags", "spans"} and (both := _by_values(source)):
        text, label = both
        why = f"{_q(label)} is the only column beside {_q(text)}, and its values come back"
        return Seen(path, source, "classify", why, whole, label)
    return Seen(path, source, kind, why, whole)


def _kind_of(source: Source, stated: Mapping[str, Any]) -> tuple[str | None, str]:
    """(the kind of task whose examples these records could be, what tells it); no kind where they are texts alone."""
    if source.format == "txt":
        return None, ""
    names = {column.strip().casefold(): column for column in source.columns}
    if "kind" in stated or {"label", "score", "tags", "spans"} & stated.keys():
        said = [stated[name] for name in ("label", "score", "tags", "spans") if name in stated]
        if all(name in source.columns for name in said):
            return str(stated.get("kind") or _by_option(stated, source)), "as the options say"
        return None, ""
    if source.format == "conll":
        return "tag", "a word a line, with its tag"
    values = _values(source)

    def lists(known: Iterable[str]) -> str | None:
        return next((names[name] for name in known if name in names and any(isinstance(each, list) for each in values[names[name]])), None)

    def there(known: Iterable[str]) -> str | None:
        return next((names[name] for name in known if name in names), None)

    if (words := lists(TOKENS.known_as)) and (tags := lists(TAGS.known_as)):
        return "tag", f"{_q(words)} and {_q(tags)} hold lists, a word and a tag each"
    if (spans := lists(SPANS.known_as)) and any(isinstance(one, dict) for each in values[spans] if isinstance(each, list) for one in each):
        return "tag", f"{_q(spans)} holds marked spans"
    if (query := there(("query",))) and (positive := there(POSITIVES)):
        return "retrieve", f"{_q(query)} and {_q(positive)} are a query and documents"
    if texts := couple(source):
        both = " and ".join(map(_q, texts.values()))
        left = {name: column for name, column in names.items() if column not in texts.values()}
        label = next((left[name] for name in OF_PAIR.known_as if name in left), None)
        if label is not None and not any(isinstance(each, float) and not each.is_integer() for each in values[label]):
            return "pair", f"{both} are two texts, {_q(label)} is a label"
        score = next((left[name] for name in SCORE.known_as if name in left), None)
        if score is not None:
            return "similarity", f"{both} are two texts, {_q(score)} is a score"
    if several := lists(NAMES["label"]):
        return "multilabel", f"{_q(several)} holds lists of labels"
    text, label = there(NAMES["text"]), there(NAMES["label"])
    if label is not None and len(names) > 1:
        return "classify", f"{_q(label)} is a usual name of a label"
    if text is not None and len(columns := indicators(source, (text,))) > 1:
        return "multilabel", f"{len(columns)} columns hold 0 and 1: {', '.join(map(_q, columns[:3]))}{', ...' if len(columns) > 3 else ''}"
    return None, ""


def _by_values(source: Source) -> tuple[str, str] | None:
    """The text and what must be its label, where no name says so: the only other column, whose values come back."""
    text = next((column for name in NAMES["text"] for column in source.columns if column.strip().casefold() == name), None)
    others = [column for column in source.columns if column != text and column.strip()]
    return (text, others[0]) if text is not None and len(others) == 1 and _come_back(_values(source)[others[0]]) else None


def _by_option(stated: Mapping[str, Any], source: Source) -> str:
    if "tags" in stated or "spans" in stated:
        return "tag"
    if "score" in stated:
        return "similarity"
    if any(isinstance(each, list) for each in _values(source)[stated["label"]]):
        return "multilabel"
    return "pair" if "text_b" in stated or couple(source, [stated["label"]]) else "classify"


def _values(source: Source) -> dict[str, list[Any]]:
    """What stands in each column, in the first records."""
    found: dict[str, list[Any]] = {column: [] for column in source.columns}
    for record in islice(source.records(() if source.format in ("jsonl", "json") else source.columns, Problems(skip_bad=True)), PEEK):
        for column in found:
            if column in record.values:
                found[column].append(record.values[column])
    return found


def _come_back(values: Sequence[Any]) -> bool:
    """Whether a column of a few different values could hold labels, or say what belongs together."""
    different = {str(value) for value in values if not isinstance(value, list | dict)}
    return 1 < len(different) <= COME_BACK * len(values)


def _doubts(seen: Seen, stated: Mapping[str, Any]) -> list[str]:
    """What one path does not tell."""
    if seen.source.format in ("txt", "conll") or (seen.whole and seen.kind == "retrieve"):
        return []
    columns = ", ".join(map(_q, seen.source.columns))
    if seen.kind is None:
        text = {name.casefold() for name in NAMES["text"]}
        others = [column for column in seen.source.columns if column.strip().casefold() not in text]
        return (
            [
                f"whether {_q(seen.path)} has labels: no column is known as one (they are {columns}); name it with --label, "
                "on the page as the column with the label"
            ]
            if others
            else []
        )
    doubts = []
    if seen.kind in ("pair", "similarity") and "kind" not in stated:
        other = "similarity" if seen.kind == "pair" else "pair"
        doubts.append(f"whether what is said of two texts is one of a few classes or a number on a scale: else say `kind: {other}`")
    if (
        seen.kind == "classify"
        and len(found := [column for column in seen.source.columns if column.strip().casefold() in NAMES["label"]]) > 1
    ):
        doubts.append(f"which of {', '.join(map(_q, found))} is the label: the first of the usual names is taken; say `label:`")
    read = {*columns_of(seen.kind, seen.source, seen.label, stated).values()}
    values = _values(seen.source)
    left = [column for column in seen.source.columns if column not in read and column.strip()]
    if left:
        doubts.append(f"what {', '.join(map(_q, left))} of {_q(seen.path)} is for: no stage reads it")
    groups = [column for column in left if _come_back(values[column])]
    if groups and "group" not in stated:
        doubts.append(
            f"whether texts belong together (of one patient, one contract): in {', '.join(map(_q, groups))} values come back; "
            "say `group: COLUMN` if they do, and groups are the unit of splits and intervals"
        )
    return doubts


def _together(labelled: Sequence[Seen]) -> dict[str, str]:
    """The task of these paths: one as a whole, or one a split by its name."""
    if len(labelled) == 1:
        return {"path": labelled[0].path}
    kinds = {each.kind: each.path for each in labelled}
    if len(kinds) > 1 or any(each.whole for each in labelled):
        told = ", ".join(f"{each.path} ({each.kind})" for each in labelled)
        raise SettingsError(f"a study judges one task, and these are several: {told}; leave out all but one (others stand under `tasks:`)")
    home = Path(os.path.commonpath([Path(each.path).parent for each in labelled]))
    paths = {Path(each.path).relative_to(home): each.path for each in labelled}
    splits = by_split(paths, str(home))
    lost = [paths[path] for path in paths if path not in {one for part in splits.values() for one in part}]
    if "train" not in splits or lost or any(len(part) > 1 for part in splits.values()):
        which = ", ".join(lost or paths.values())
        raise DataError(
            f"{which}: has labels, and is it train, dev or test? Names tell it: train.jsonl, dev.jsonl and test.jsonl; "
            "or give one file alone, which acclimate splits"
        )
    return {split: paths[part[0]] for split, part in splits.items()}


def _named(texts: Sequence[Seen]) -> dict[str, str]:
    """Corpora by name: one is the `domain`, of several each has the name of its file."""
    if len(texts) == 1:
        return {"domain": texts[0].path}
    found: dict[str, str] = {}
    for each in texts:
        stem = "".join(letter if letter.isalnum() or letter in "-_" else " " for letter in name_without_endings(each.path.rstrip("/")))
        name = f"text {' '.join(stem.split())}".strip()
        found[name if name not in found else f"{name} {len(found) + 1}"] = each.path
    return found


def _q(word: str) -> str:
    return f"`{one_line(word)}`"
