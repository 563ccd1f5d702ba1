"""A study file from files: what was found in them stands in its comments, what they do not tell is listed with the choices.

Everything is read as a study reads it, and the file is planned before it is handed over: a comment says what was counted, no more.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from acclimate.data.readers import hub
from acclimate.errors import DataError
from acclimate.inert import one_line
from acclimate.modeling.named import DEFAULT
from acclimate.study.draft.recipes import MOST_TOKENS, budgets, first_recipes
from acclimate.study.draft.sorting import Sorted, columns_of, sort_paths
from acclimate.study.language.implied import KIND, STAGE
from acclimate.study.language.study import Study, parse_study
from acclimate.study.language.yaml import dump, flow, parse
from acclimate.study.plan.prepared import check_planned
from acclimate.tasks.kind import TaskKind, many
from acclimate.tasks.opened import Data

WIDTH = 138  # of a comment
MOST_NAMED = 12  # labels with their counts


@dataclass(frozen=True)
class Draft:
    """A study file as text, and what the files did not tell."""

    text: str
    untold: tuple[str, ...]


def draft(paths: Sequence[str], folder: Path, stated: Mapping[str, Any]) -> Draft:
    """The study file of these paths (from the working directory), for `folder`: its paths are relative to that. `stated`: of the task.

    Raises:
        DataError, ModelError, SettingsError: something cannot be read, is inconsistent, or could be two things; it names the mend.
    """
    here = Path.cwd()
    found = sort_paths(paths, here, stated)
    said = _data(found, here, folder, stated)
    opened, said, dropped = _opened(said, folder)
    words = {name: opened.corpora[name].facts.words for name in found.corpora}
    recipes = first_recipes(found.kind, words)
    text = "".join(f"{line}\n" for line in _lines(found, opened, said, recipes, dropped))
    check_planned(_parsed(text), opened, folder)
    return Draft(text, _untold(found, opened))


def _parsed(text: str) -> Study:
    document = parse(text, "study.yaml")
    return parse_study({"name": "study", **document.value}, document)


def _data(found: Sorted, here: Path, folder: Path, stated: Mapping[str, Any]) -> dict[str, Any]:
    """`data:` as the file says it, columns that were detected written out."""

    def path(given: str) -> str:
        if hub.hub_reference(given, here) is not None or Path(given).is_absolute() or given.startswith("~"):
            return given
        return os.path.relpath(here / given, folder)

    data: dict[str, Any] = {}
    if found.task is not None:
        assert found.kind is not None
        assert found.train is not None
        task = {"kind": found.kind, **{name: path(given) for name, given in found.task.items()}, **stated}
        if found.train.format != "conll" and not found.why.startswith("the folder has"):
            task |= columns_of(found.kind, found.train, found.label, stated)
        data["task"] = task
    if "domain" in found.corpora:
        data["domain"] = path(found.corpora["domain"])
    elif found.corpora:
        data["corpora"] = {name: path(given) for name, given in found.corpora.items()}
    return {"task": {"kind": KIND, "on": [*found.corpora]}, **data} if found.task is None else data


def _opened(said: dict[str, Any], folder: Path) -> tuple[Data, dict[str, Any], bool]:
    """(the data, read and checked; its settings; whether texts that stand in train and test had to be dropped)."""

    def read(data: dict[str, Any]) -> Data:
        # A stage that answers the task, so that the data alone can be wrong.
        stage = {KIND: STAGE, "retrieve": "vectors"}.get(data["task"]["kind"], "finetune")
        recipes = {"a": {"base": DEFAULT, "stages": [stage]}}
        settings = parse_study({"data": data, "recipes": recipes}, parse(dump({"data": data, "recipes": recipes}), "the files")).data
        return Data.open(settings, folder)

    dropped = False
    try:
        opened = read(said)
    except DataError as error:
        if "duplicates" in said["task"] or said["task"]["kind"] in (KIND, "retrieve"):
            raise
        said, dropped = {**said, "task": {**said["task"], "duplicates": "drop"}}, True
        try:
            opened = read(said)
        except DataError:
            raise error from None
        if opened.task is None or not any(opened.task.facts.dropped.values()):
            raise  # what is wrong is something else
    if any(holding.leaks for name, holding in opened.found.holdings.items() if name in opened.corpora):
        said = {**said, "leaks": "drop"}
        opened = read(said)
    return opened, said, dropped


def _lines(found: Sorted, opened: Data, said: Mapping[str, Any], recipes: Mapping[str, Any], dropped: bool) -> Iterator[str]:
    yield from _comment(
        "A study of the files below, written by `acclimate init`. Comments under `data:` say what was read and counted in them."
    )
    yield from _comment(
        "Next: `acclimate plan` shows what it costs, `acclimate study --smoke` whether it works, `acclimate study` runs it."
    )
    untold = _untold(found, opened)
    if untold:
        yield "#"
        yield "# What the files do not tell, and this file decides:"
        for line in untold:
            yield from _comment(f"- {line}")
    yield ""
    yield f"base: {DEFAULT} # comes with acclimate; better and slower: any BERT-like model, as a hub id or a folder"
    yield ""
    yield "data:"
    yield "  task:"
    why = found.why or "no file has labels, so that models are compared by documents that are held out"
    yield from _comment(f"{said['task']['kind']}: {why}", 4)
    for name, value in said["task"].items():
        yield f"    {flow(name)}: {flow(value)}"
    yield from _about_task(opened, dropped)
    if "domain" in said:
        yield f"  {'domain'}: {flow(said['domain'])}"
        yield from _about_corpus(opened, "domain", 4)
    if "corpora" in said:
        yield "  corpora:"
        for name, path in said["corpora"].items():
            yield f"    {flow(name)}: {flow(path)}"
            yield from _about_corpus(opened, name, 6)
    if said.get("leaks") == "drop":
        yield "  leaks: drop"
        yield from _comment("texts of dev or test stand in what is read without labels, and are left out there; `keep` reads them", 4)
    for note in opened.notes():
        yield from _comment(f"note: {note}", 2)
    yield ""
    yield "seeds: 5 # the same ones for every recipe; with one no difference can be told from luck"
    assert opened.task is not None
    if found.task is not None and len(several := budgets(len(opened.task.train))) > 1:
        yield f"labels: [all] # or {flow(several)}: what more labels are worth"
    yield from _metric(opened.task.kind)
    yield f"reference: {flow(next(iter(recipes)))} # what the others are compared with"
    yield "recipes:"
    for name, recipe in recipes.items():
        yield f"  {flow(name)}: {flow(recipe)}"
    large = [name for name in found.corpora if opened.corpora[name].facts.words > MOST_TOKENS // 2]
    if large:
        yield from _comment(f"Of {', '.join(large)} a first study reads {MOST_TOKENS:,} tokens: raise `tokens:` once it works.", 2)


def _about_task(opened: Data, dropped: bool) -> Iterator[str]:
    task = opened.task
    assert task is not None
    facts, items = task.facts, many(task.kind.item)
    if detected := ", ".join(f"{name} {value}" for name, value in facts.detected.items()):
        yield from _comment(f"detected: {detected}", 4)
    for split, count in facts.examples.items():
        words = facts.words[split]
        made = f" (held out{' of train' if 'train' in facts.examples else ''} by acclimate)" if split in facts.made else ""
        yield from _comment(
            f"{split}: {count:,} {items}{made}; in words: half have at most {words['median']:g}, 95 % at most {words['p95']:g}, "
            f"the longest {words['max']:,}", 4,
        )  # fmt: skip
    counts = facts.label_counts.get("train")
    if counts:
        shown = ", ".join(f"{name} {count:,}" for name, count in islice(counts.items(), MOST_NAMED))
        more = f", and {len(counts) - MOST_NAMED} more" if len(counts) > MOST_NAMED else ""
        yield from _comment(f"{len(counts)} {many(task.kind.name_is)} in train: {shown}{more}", 4)
    for what, number in (
        *((f"{split} rows that repeat a text of {split}", count) for split, count in facts.duplicates.within.items()),
        *((f"texts that stand in {pair.replace('/', ' and in ')}", count) for pair, count in facts.duplicates.across.items()),
        ("texts with more than one answer", facts.duplicates.conflicting_texts),
    ):
        if number:
            yield from _comment(f"{what}: {number:,}", 4)
    if dropped:
        lost = ", ".join(f"{count:,} from {split}" for split, count in facts.dropped.items() if count)
        yield from _comment(f"duplicates: drop leaves such texts in test and drops {lost}; `keep` keeps them, without it a study stops", 4)
    if facts.rejected:
        yield from _comment(f"{facts.rejected:,} records could not be used and are left out (`skip_bad`)", 4)


def _about_corpus(opened: Data, name: str, indent: int) -> Iterator[str]:
    facts = opened.corpora[name].facts
    yield from _comment(
        f"read: {facts.documents:,} documents of {facts.files:,} file{'s' * (facts.files > 1)}, {facts.words:,} words", indent
    )
    if facts.detected:
        yield from _comment(f"detected: {', '.join(f'{what} {value}' for what, value in facts.detected.items())}", indent)
    if share := opened.overlap.get(name):
        yield from _comment(f"{100 * share:.2g} % of the test texts stand in it, with at least half of their runs of ten words", indent)


def _metric(kind: TaskKind) -> Iterator[str]:
    usual, *others = [metric.name for metric in kind.metrics if metric.compared]
    yield f"metric: {usual}" + (f" # or {', '.join(others[:6])}" if others else "")


def _untold(found: Sorted, opened: Data) -> tuple[str, ...]:
    untold = list(found.untold)
    task = opened.task
    if task is not None and found.task is not None and task.facts.made:
        said = " and ".join(f"`{split}:`" for split in task.facts.made)
        untold.append(
            f"which {many(task.kind.item)} judge: {' and '.join(task.facts.made)} are taken out of train at random, the same every time; "
            f"name files of your own with {said}"
        )
    if found.kind is None and not untold:
        untold.append("what the models are for: without labels they are compared by held-out text; name a labelled file for a task")
    return tuple(untold)


def _comment(text: str, indent: int = 0) -> Iterator[str]:
    """A comment in lines, unable to be anything else whatever it quotes."""
    line, margin = "", " " * indent + "# "
    for word in one_line(text).split(" "):
        if line and len(margin) + len(line) + 1 + len(word) > WIDTH:
            yield margin + line
            line = "  "
        line = f"{line} {word}" if line.strip() else f"{line}{word}"
    yield margin + line
