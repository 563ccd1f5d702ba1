"""Data that is given from Python: put into a study in the place of paths, so that everything after that is as from files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from acclimate.data.corpus import CorpusSettings
from acclimate.data.readers.given import keep_rows
from acclimate.data.readers.split_names import SPLIT_NAMES
from acclimate.errors import DataError, SettingsError, did_you_mean
from acclimate.study.language.study import Study, refuse_incomplete
from acclimate.study.store.opened import Place, open_store
from acclimate.tasks.kind import TaskKind
from acclimate.tasks.labelled_kind import LabelledKind
from acclimate.tasks.looked_through import UNLABELED

T = TypeVar("T")
_OF_FILES = ("dev", "test", "format", "documents", "delimiter", "quoting", "encoding", "header")
_SPLITS = {called: split for split, names in SPLIT_NAMES.items() for called in names}


def with_rows(
    study: Study, store: Place, *, task: Any = None, tasks: Mapping[str, Any] | None = None, corpora: Mapping[str, Any] | None = None
) -> Study:
    """The study on rows from Python, which are written down in the cache of the store, under their content.

    `task` are the labelled examples: a pandas frame, a dataset of `datasets`, an iterable of mappings, or a mapping of split names (train,
    dev or validation, test) to these; what is missing is taken out of train, as from files. `tasks` are those of the further tasks, and
    `corpora` the texts of the corpora, that the study names without a path (`task`: the task's `unlabeled`); texts may be an iterable of
    strings, or of pairs of strings where the corpus has a `text_b`, too.

    Raises:
        DataError: these are no such rows, or there are none; names the split and the row, from 1.
        SettingsError: the study says where this data is, too, or it does not name the task or the corpus.
        StoreError: the store cannot be written to.
    """
    if task is None and tasks is None and corpora is None:
        return study
    for what, named in {"tasks": tasks, "corpora": corpora}.items():
        if named is not None and not isinstance(named, Mapping):
            raise SettingsError(f"{what}: a mapping of names to data is wanted, not a {type(named).__name__}")
    kept = open_store(store)
    kept.check_writable()
    cache, data = kept.cache.resolve(), study.data
    changes: dict[str, Any] = {}
    kind = data.task
    if task is not None:
        kind = changes["task"] = _with_examples("task", kind or study.kinds[0].model_validate({}), task, cache)
    for name, rows in (tasks or {}).items():
        other = _named("tasks", name, data.tasks, "{'tasks': {%r: {}}}")
        changes["tasks"] = {**changes.get("tasks", data.tasks), name: _with_examples(f"task {name}", other, rows, cache)}
    unlabeled = getattr(kind, "unlabeled", None)
    known = data.corpora_by_name() | ({UNLABELED: unlabeled} if unlabeled is not None else {})
    for name, texts in (corpora or {}).items():
        if name in data.selections():
            raise SettingsError(f"corpora: {name!r} is chosen from other corpora (`select`); give texts for those")
        corpus = _with_texts(name, _named("corpora", name, known, "{'corpora': {%r: {}}}"), texts, cache)
        if name == UNLABELED and kind is not None:
            changes["task"] = kind.model_copy(update={"unlabeled": corpus})
        elif name in data.corpora:
            changes["corpora"] = {**changes.get("corpora", data.corpora), name: corpus}
        else:
            changes[name] = corpus
    complete = study.model_copy(update={"data": data.model_copy(update=changes)})
    refuse_incomplete(complete)
    return complete


def _with_examples(what: str, kind: TaskKind, given: Any, cache: Path) -> TaskKind:
    """A task of the study on these rows."""
    if not isinstance(kind, LabelledKind):
        raise SettingsError(f"{what}: rows are given, and a task of the kind {kind.kind} takes none")
    _refuse_settings_of_files(what, kind, "path" if kind.path else "train" if kind.train else None)
    splits = _splits(what, given) if isinstance(given, Mapping) else {"train": given}
    named = "" if what == "task" else f"{_file_name(what)} "
    return kind.model_copy(update={split: str(keep_rows(rows, f"{named}{split}", cache)) for split, rows in splits.items()})


def _splits(what: str, given: Mapping[Any, Any]) -> dict[str, Any]:
    """Rows by train, dev and test, whatever dev is called."""
    names = [str(name) for name in given]
    found: dict[str, Any] = {}
    for name, rows in zip(names, given.values(), strict=True):
        split = _SPLITS.get(name.lower())
        if split is None:
            raise DataError(f"{what}: {name!r} is no split; rows are given by train, dev (or validation) and test{_mend(name, given)}")
        if split in found:
            both = " and ".join(repr(each) for each in names if _SPLITS.get(each.lower()) == split)
            raise DataError(f"{what}: {both} are both {split}; leave out one of both")
        found[split] = rows
    if "train" not in found:
        raise DataError(f"{what}: there is no train among the splits, only {', '.join(names) or 'nothing'}")
    return found


def _mend(name: str, given: Mapping[Any, Any]) -> str:
    if all(isinstance(each, list | tuple) and not any(isinstance(row, Mapping) for row in each[:1]) for each in given.values()):
        return "; make a frame of lists by column, pandas.DataFrame({...})"
    return did_you_mean(name, [*SPLIT_NAMES]) or "; leave it out"


def _with_texts(name: str, corpus: CorpusSettings, texts: Any, cache: Path) -> CorpusSettings:
    """A corpus of the study on these texts."""
    _refuse_settings_of_files(f"corpus {name}", corpus, "path" if corpus.placed else None)
    kept = keep_rows(texts, f"corpus {_file_name(name)}", cache, bare=_bare(corpus))
    return corpus.model_copy(update={"path": str(kept)})


def _bare(corpus: CorpusSettings) -> tuple[str, ...]:
    # The columns of texts, or pairs, that have no names themselves.
    text = corpus.text or ("text" if corpus.text_b != "text" else "text_a")
    return (text,) if corpus.text_b is None else (text, corpus.text_b)


def _named(what: str, name: str, known: Mapping[str, T], example: str) -> T:
    if name not in known:
        mend = did_you_mean(name, [*known]) or f"; name it in the study: data={example % name}"
        raise SettingsError(f"{what}: data is given for {name!r}, which the study does not have{mend}")
    return known[name]


def _refuse_settings_of_files(what: str, settings: TaskKind | CorpusSettings, place: str | None) -> None:
    if place is not None:
        where = f"`{place}: {getattr(settings, place)}`"
        raise SettingsError(f"{what}: data is given, and the study says where it is, too ({where}); leave out one of both")
    if said := next((name for name in _OF_FILES if getattr(settings, name, None) is not None), None):
        raise SettingsError(f"{what}: `{said}` is about files, and what is given comes from Python; leave it out")


def _file_name(name: str) -> str:
    # No name of a file may hold a slash.
    return name.replace("%", "%25").replace("/", "%2F")
