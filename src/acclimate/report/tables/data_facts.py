"""What is known of the data: sizes, labels, lengths, repetitions, conflicts, rejects, cuts and overlaps, as grids and lines."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from acclimate.report.results.facts import StageFact
from acclimate.report.results.finished import Results
from acclimate.report.results.kind_facts import KindFacts
from acclimate.report.tables.grid import Grid
from acclimate.report.words.text import amount, label_count, percent, recipe_names, size

Facts = Mapping[str, Any]
LEFT_OUT = {"left_out": "left out by patterns", "repeated": "repetitions left out", "leaked": "leaks dropped"}
CUTS = ("cut_tokens", "cut_words", "dropped_tokens")  # in the names of a stage's metrics


@dataclass(frozen=True)
class DataFacts:
    """Grids, and lines of (what, value) for what is a single value."""

    grids: tuple[Grid, ...]
    lines: tuple[tuple[str, str], ...]


def data_facts(results: Results) -> DataFacts:
    """The facts of `study.json` about the data; what is not there is left out."""
    found = found_facts(results.study.get("data") or {}, results.kind)
    more = (grid.without_empty_columns() for grid in (_unknown(results), _cuts(results)) if grid.rows)
    return DataFacts((*found.grids, *more), found.lines)


def found_facts(data: Facts, kind: KindFacts) -> DataFacts:
    """What was found in data before any stage read it: `Data.facts`."""
    task: Facts = data.get("task") or {}
    corpora: dict[str, Facts] = dict(data.get("corpora") or {})
    if task.get("unlabeled"):
        corpora = {"task unlabeled": task["unlabeled"], **corpora}
    overlap: Facts = data.get("overlap") or {}
    tasks: dict[str, Facts] = dict(data.get("tasks") or {})
    grids = [_splits(task, kind), _labels(task, kind), _tasks(tasks, overlap), _corpora(corpora, overlap)]
    further = (line for name, facts in tasks.items() for line in _reading(facts, f"Task {name}"))
    lines = [
        *_task_lines(task, kind),
        *further,
        *(line for name, corpus in corpora.items() for line in _reading(corpus, f"Corpus {name}")),
    ]
    return DataFacts(tuple(grid.without_empty_columns() for grid in grids if grid.rows), tuple(lines))


def _splits(task: Facts, kind: KindFacts) -> Grid:
    words, repeated, dropped = task.get("words") or {}, (task.get("duplicates") or {}).get("within") or {}, task.get("dropped") or {}
    rows = tuple(
        (
            split,
            _count(examples),
            _count((task.get("groups") or {}).get(split)),
            *(_plain((words.get(split) or {}).get(name)) for name in ("mean", "median", "p95", "max")),
            _count(repeated.get(split)),
            _count(dropped.get(split)),
            _files((task.get("files") or {}).get(split)),
        )
        for split, examples in (task.get("examples") or {}).items()
    )
    lengths = ("words, mean", "median", "95th percentile", "longest")
    caption = "Labelled examples" if kind.labelled else f"Held-out {kind.items}"
    counts = ("examples" if kind.labelled else kind.items, "groups")
    return Grid(caption, ("split", *counts, *lengths, f"repeated {kind.items}", "dropped", "files"), rows, frozenset({0, 9}))


def _labels(task: Facts, kind: KindFacts) -> Grid:
    counts: Facts = task.get("label_counts") or {}
    names = dict.fromkeys(label for split in counts.values() for label in split)  # of tags these are the types of what they mark
    rows = tuple((str(label), *(_count(split.get(label, 0)) for split in counts.values())) for label in names) if counts else ()
    what = kind.counts_are.capitalize() if kind.counted else "Examples" if kind.labelled else f"Held-out {kind.items}"
    return Grid(f"{what} by {kind.name_is}", (kind.name_is, *counts), rows)


def _tasks(tasks: Mapping[str, Facts], overlap: Facts) -> Grid:
    rows = tuple(
        (
            name,
            _count(len(facts.get("labels") or ())),
            *(_count((facts.get("examples") or {}).get(split)) for split in ("train", "dev", "test")),
            _count(sum((facts.get("dropped") or {}).values())),
            percent(found) if (found := overlap.get(f"task {name}")) is not None else "–",
            _files(list(dict.fromkeys(file for files in (facts.get("files") or {}).values() for file in files))),
        )
        for name, facts in tasks.items()
    )
    headings = ("task", "labels", "train", "dev", "test", "dropped", "test texts found in it", "files")
    return Grid("Further tasks, learned on the way", headings, rows, frozenset({0, 7}))


def _corpora(corpora: Mapping[str, Facts], overlap: Facts) -> Grid:
    # Only who asked for it wants to know what was left out on purpose.
    asked = [name for name in LEFT_OUT if any(facts.get(name) for facts in corpora.values())]
    rows = tuple(
        (
            name,
            f"{pairs:,} pairs" if (pairs := facts.get("pairs")) else _count(facts.get("documents")),
            amount(facts.get("words")),
            size(facts.get("bytes")),
            _count(facts.get("rejected")),
            *(_count(facts.get(name)) for name in asked),
            percent(overlap[name]) if overlap.get(name) is not None else "–",
            _files(facts.get("paths"), facts.get("files")),
        )
        for name, facts in corpora.items()
    )
    left_out = (LEFT_OUT[name] for name in asked)
    headings = ("corpus", "documents", "words", "size", "rejected", *left_out, "test texts found in it", "files")
    return Grid("Unlabelled text", headings, rows, frozenset({0, len(headings) - 1}))


def _cuts(results: Results) -> Grid:
    """Tokens (or words) of long texts that a stage did not see: the highest count over its seeds.

    Recipes with equal counts share a line.
    """
    most: dict[tuple[str, str, str], dict[str, float]] = {}  # by stage, labels and recipe
    for stage in results.stages:
        for name, value in stage.metrics.items():
            if any(kind in name for kind in CUTS):
                for recipe in stage.recipes:
                    what = stage.stage if stage.about is None else f"{stage.stage} on {stage.about}"
                    found = most.setdefault((what, stage.labels or "all", recipe), {})
                    found[name] = max(found.get(name, 0), value or 0)
    names = tuple(dict.fromkeys(name for found in most.values() for name in found))
    together: dict[tuple[str, ...], list[str]] = {}  # recipes by all the other cells
    for (kind, labels, recipe), found in most.items():
        if any(found.values()):
            together.setdefault((kind, label_count(labels), *(_count(found.get(name)) for name in names)), []).append(recipe)
    rows = tuple((kind, recipe_names(recipes), *others) for (kind, *others), recipes in together.items())
    headings = ("stage", "recipes", "labels", *(name.replace("_", " ") for name in names))
    return Grid("Tokens, or words, cut off or dropped", headings, rows, frozenset({0, 1}))


def _unknown(results: Results) -> Grid:
    """The share of unknown tokens of every text by the recipes that read it: the highest over their seeds.

    Recipes that read the same texts in the same vocabulary share a line. Nothing where everything is known, as in vocabularies of bytes.
    """
    most: dict[str, dict[str, float]] = {}  # by recipe and text
    for stage in results.stages:
        for text, share in _unknown_shares(stage).items():
            for recipe in stage.recipes:
                found = most.setdefault(recipe, {})
                found[text] = max(found.get(text, 0.0), share)
    texts = tuple(dict.fromkeys(text for found in most.values() for text in found))
    together: dict[tuple[str, ...], list[str]] = {}
    if any(share for found in most.values() for share in found.values()):
        for recipe, found in most.items():
            cells = tuple(percent(found[text]) if text in found else "–" for text in texts)
            together.setdefault(cells, []).append(recipe)
    rows = tuple((recipe_names(recipes), *cells) for cells, recipes in together.items())
    caption = "Tokens that are unknown to the vocabulary: no model can read them"
    return Grid(caption, ("recipes", *texts), rows, frozenset({0}))


def _unknown_shares(stage: StageFact) -> dict[str, float]:
    # Of one stage, by text.
    metrics = stage.metrics
    corpora: Mapping[str, Facts] = metrics.get("corpora") or {}
    read = {name: facts.get("unknown_share") for name, facts in corpora.items()}
    read |= {f"{stage.about or 'task'} {split}": metrics.get(f"unknown_share_{split}") for split in ("train", "dev", "test")}
    return {name: float(share) for name, share in read.items() if share is not None}


def _task_lines(task: Facts, kind: KindFacts) -> list[tuple[str, str]]:
    items = kind.items
    duplicates: Facts = task.get("duplicates") or {}
    across: Facts = duplicates.get("across") or {}
    lines = [(f"{items.capitalize()} in both {pair.replace('/', ' and ')}", _count(count)) for pair, count in across.items()]
    if "conflicting_texts" in duplicates and kind.labelled:
        lines.append((f"Equal {items} with different labels", _count(duplicates["conflicting_texts"])))
    lines += [("Labels", str(note)) for note in task.get("labels_noted") or ()]
    lines += list(_shared_groups(task, items))
    if task.get("made"):
        seed = "" if task.get("split_seed") is None else f", with split seed {task['split_seed']}"
        lines.append(("Splits made by acclimate", ", ".join(task["made"]) + seed))
    if task.get("test_drawn_from"):
        lines.append(("Test examples drawn at random from", _count(task["test_drawn_from"])))
    return lines + _reading(task, "Task")


def _shared_groups(task: Facts, items: str) -> Iterator[tuple[str, str]]:
    """Groups in both train and test: `37, with 81 test texts`."""
    held: Facts = task.get("shared_items") or {}
    for pair, count in (task.get("shared_groups") or {}).items():
        texts = f", with {held[pair]:,} {pair.partition('/')[2]} {items}" if held.get(pair) else ""
        yield f"Groups in both {pair.replace('/', ' and ')}", _count(count) + texts


def _reading(facts: Facts, of: str) -> list[tuple[str, str]]:
    """What was detected rather than stated, and what was skipped."""
    lines = []
    if facts.get("detected"):
        lines.append((f"{of}: detected", ", ".join(f"{name} {value}" for name, value in facts["detected"].items())))
    if (select := facts.get("select") or {}).get("documents"):
        counts = select["documents"]
        left_out = f"left out: {_count(counts['repeated'])} repetitions, {_count(counts['judged_by'])} that stand in dev or test"
        chosen = f"{_count(counts['chosen'])} of {_count(counts['of'])} documents"
        lines.append((f"{of}: chosen by {select['by']['how']}", f"{chosen}; {left_out}"))
    if "rejected" in facts:
        kinds = ", ".join(f"{kind}: {count}" for kind, count in (facts.get("problems") or {}).items())
        file = f", kept in {PurePath(facts['rejects_file']).name}" if facts.get("rejects_file") else ""
        lines.append((f"{of}: records rejected", _count(facts["rejected"]) + (f" ({kinds}{file})" if kinds else file)))
    return lines


def _files(paths: Iterable[str] | None, total: int | None = None) -> str:
    """File names, the first three of many; folders say little and would show whose machine this was."""
    if not paths:
        return "–" if not total else f"{total} files"
    names = [PurePath(path).name for path in paths]
    more = max(total or 0, len(names)) - 3
    return ", ".join(names[:3]) + (f" and {more} more" if more > 0 else "")


def _count(value: float | None) -> str:
    return "–" if value is None else f"{value:,}"


def _plain(value: float | None) -> str:
    return "–" if value is None else f"{value:g}"
