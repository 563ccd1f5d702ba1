"""A study file from files: what was found in them stands in its comments, what they do not tell is listed with the choices.

Everything was read as a study reads it, and the file is planned before it is handed over: a comment says what was counted, no more.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from acclimate.inert import one_line
from acclimate.modeling.named import DEFAULT
from acclimate.study.draft.looked import Looked, look
from acclimate.study.draft.recipes import MOST_TOKENS, budgets, first_recipes
from acclimate.study.language.study import Study, parse_study
from acclimate.study.language.yaml import flow, parse
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


@dataclass(frozen=True)
class Chosen:
    """What a study file says besides its data; None: what is usual."""

    base: str = DEFAULT
    seeds: int = 5
    labels: tuple[int | str, ...] = ("all",)
    metric: str | None = None
    recipes: Mapping[str, Any] | None = None  # as a study file says them, the reference first


def draft(paths: Sequence[str], folder: Path, stated: Mapping[str, Any]) -> Draft:
    """The study file of these paths (from the working directory), for `folder`: its paths are relative to that. `stated`: of the task.

    Raises:
        DataError, ModelError, SettingsError: something cannot be read, is inconsistent, or could be two things; it names the mend.
    """
    looked = look(paths, Path.cwd(), folder, stated)
    text = written(looked, Chosen())
    check_planned(parsed(text), looked.opened, folder)
    return Draft(text, untold(looked))


def written(looked: Looked, chosen: Chosen) -> str:
    """The study file of what was found, with what is chosen."""
    recipes = chosen.recipes if chosen.recipes is not None else first_recipes(looked.found.kind, looked.words)
    return "".join(f"{line}\n" for line in _lines(looked, chosen, recipes))


def parsed(text: str, name: str = "study") -> Study:
    """The study of a file's text.

    Raises:
        SettingsError: it is no study.
    """
    document = parse(text, f"{name}.yaml")
    return parse_study({"name": name, **document.value} if isinstance(document.value, Mapping) else document.value, document)


def _lines(looked: Looked, chosen: Chosen, recipes: Mapping[str, Any]) -> Iterator[str]:
    found, opened, said = looked.found, looked.opened, looked.said
    yield from _comment(
        "A study of the files below, written by `acclimate init`. Comments under `data:` say what was read and counted in them."
    )
    yield from _comment(
        "Next: `acclimate plan` shows what it costs, `acclimate study --smoke` whether it works, `acclimate study` runs it."
    )
    if doubts := untold(looked):
        yield "#"
        yield "# What the files do not tell, and this file decides:"
        for line in doubts:
            yield from _comment(f"- {line}")
    yield ""
    about = " # comes with acclimate; better and slower: any BERT-like model, as a hub id or a folder" if chosen.base == DEFAULT else ""
    yield f"base: {flow(chosen.base)}{about}"
    yield ""
    yield "data:"
    yield "  task:"
    why = found.why or "no file has labels, so that models are compared by documents that are held out"
    yield from _comment(f"{said['task']['kind']}: {why}", 4)
    for name, value in said["task"].items():
        yield f"    {flow(name)}: {flow(value)}"
    yield from _about_task(opened, looked.dropped)
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
    yield f"seeds: {chosen.seeds} # the same ones for every recipe; with one no difference can be told from luck"
    assert opened.task is not None
    several = budgets(len(opened.task.train)) if found.task is not None else ["all"]
    if len(several) > 1 or chosen.labels != ("all",):
        yield f"labels: {flow([*chosen.labels])}" + (
            f" # or {flow(several)}: what more labels are worth" if [*chosen.labels] != several else ""
        )
    yield from _metric(opened.task.kind, chosen.metric)
    yield f"reference: {flow(next(iter(recipes)))} # what the others are compared with"
    yield "recipes:"
    for name, recipe in recipes.items():
        yield f"  {flow(name)}: {flow(recipe)}"
    large = [name for name in found.corpora if opened.corpora[name].facts.words > MOST_TOKENS // 2]
    if large and any(str(MOST_TOKENS) in flow(recipe) for recipe in recipes.values()):
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


def metrics_of(kind: TaskKind) -> list[str]:
    """The scores that can be compared, the usual one first."""
    return [metric.name for metric in kind.metrics if metric.compared]


def _metric(kind: TaskKind, chosen: str | None) -> Iterator[str]:
    taken = chosen or metrics_of(kind)[0]
    others = [name for name in metrics_of(kind) if name != taken]
    yield f"metric: {taken}" + (f" # or {', '.join(others[:6])}" if others else "")


def untold(looked: Looked) -> tuple[str, ...]:
    """What the files do not tell, with what to say instead."""
    found, task = looked.found, looked.opened.task
    doubts = list(found.untold)
    if task is not None and found.task is not None and task.facts.made:
        said = " and ".join(f"`{split}:`" for split in task.facts.made)
        doubts.append(
            f"which {many(task.kind.item)} judge: {' and '.join(task.facts.made)} are taken out of train at random, the same every time; "
            f"name files of your own with {said}"
        )
    if found.kind is None and not doubts:
        doubts.append("what the models are for: without labels they are compared by held-out text; name a labelled file for a task")
    return tuple(doubts)


def _comment(text: str, indent: int = 0) -> Iterator[str]:
    """A comment in lines, unable to be anything else whatever it quotes."""
    line, margin = "", " " * indent + "# "
    for word in one_line(text).split(" "):
        if line and len(margin) + len(line) + 1 + len(word) > WIDTH:
            yield margin + line
            line = "  "
        line = f"{line} {word}" if line.strip() else f"{line}{word}"
    yield margin + line
