"""A study file from files and choices: what was found, the ladder of recipes with what each costs, and the file that says it."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

from acclimate.errors import AcclimateError, SettingsError
from acclimate.modeling.named import DEFAULT
from acclimate.page.asked import Fields
from acclimate.page.home import Home
from acclimate.report.results.kind_facts import KindFacts
from acclimate.report.tables.data_facts import DataFacts, found_facts
from acclimate.report.tables.grid import Grid
from acclimate.report.tables.leaks import leak_grids
from acclimate.settings import per_class
from acclimate.study.draft.looked import Looked, look
from acclimate.study.draft.recipes import Rung, ladder, of_ladder, reference
from acclimate.study.draft.written import Chosen, metrics_of, parsed, untold, written
from acclimate.study.outputs.output_folder import usual_store
from acclimate.study.plan.costs import Cost, costs
from acclimate.study.plan.estimate import estimates
from acclimate.study.plan.prepared import prepared_on

READING = ("kind", "text", "label", "group")  # that a person says of the files, in words of a task
STATED = (*READING, "skip_bad")
SEEDS = (1, 100)  # least and most


@dataclass(frozen=True)
class Asked:
    """The files, what is said of them, and what is chosen."""

    paths: tuple[str, ...]
    stated: tuple[tuple[str, Any], ...]
    base: str
    seeds: int
    labels: tuple[int | str, ...]
    metric: str | None
    recipes: tuple[str, ...] | None  # names of rungs; None: nothing is chosen yet
    reference: str | None

    @staticmethod
    def of(fields: Fields) -> "Asked":
        """What a form says.

        Raises:
            SettingsError: something of it cannot be.
        """
        stated: dict[str, Any] = {name: said for name in READING if (said := fields.one(name))}
        if fields.one("skip_bad"):
            stated["skip_bad"] = True
        chosen = tuple(fields.all("recipe"))
        return Asked(
            tuple(fields.all("path")), tuple(stated.items()), fields.one("base") or DEFAULT, fields.number("seeds", 5, *SEEDS),
            _budgets(fields.one("labels")), fields.one("metric") or None, chosen if chosen or fields.one("chosen") else None,
            fields.one("reference") or None,
        )  # fmt: skip


@dataclass(frozen=True)
class Choice:
    """A rung of the ladder as it is offered."""

    name: str
    asks: str
    taken: bool
    cost: Cost | None
    problem: str = ""
    """Why it cannot be taken here."""


@dataclass(frozen=True)
class Composed:
    """What is shown of it."""

    asked: Asked
    facts: DataFacts
    leaks: tuple[Grid, ...]
    notes: tuple[str, ...]
    untold: tuple[str, ...]
    task: Mapping[str, Any]
    """How the study file says the task: its kind and columns."""
    why: str
    choices: tuple[Choice, ...]
    metrics: tuple[str, ...]
    reference: str
    text: str
    """The study file; "" where nothing is chosen, or what is chosen cannot be."""
    total: Cost | None
    problem: str


def looked_at(home: Home, asked: Asked) -> Looked:
    """Read the files.

    Raises:
        DataError, SettingsError: something cannot be read, is inconsistent, or lies outside.
    """
    if not asked.paths:
        raise SettingsError("which files? Tick some, drop some, or name a path")
    home.check_files(asked.paths)
    return look(asked.paths, home.root, home.root, dict(asked.stated))


def stamp(home: Home, asked: Asked) -> Hashable:
    """What the files are at this moment, and what is said of them."""
    return (asked.paths, asked.stated, home.stamps(asked.paths, home.root))


def composed(home: Home, looked: Looked, asked: Asked, rate: float) -> Composed:
    """The study file of what is chosen, and every rung with its cost; `rate` in floating-point operations a second.

    Raises:
        AcclimateError: not even the usual first recipes can be planned.
    """
    kind, words = looked.found.kind, looked.words
    rungs, task = ladder(kind, words), looked.opened.task
    assert task is not None
    usual = asked.reference if asked.reference in rungs else reference(kind)
    taken = [name for name, rung in rungs.items() if (rung.first if asked.recipes is None else name in asked.recipes)]
    planned, problems = _planned(home, looked, asked, rungs, rate)
    each = {name: cost for plan in planned.values() for name, cost in plan.costs.items()}
    text, problem, total = "", "", None
    try:
        if asked.metric is not None and asked.metric not in metrics_of(task.kind):
            raise SettingsError(f"metric: {asked.metric[:40]!r} is none of {', '.join(metrics_of(task.kind))}")
        if not taken:
            raise SettingsError("no recipe is chosen: tick one at least")
        for name in taken:
            if name in problems:
                raise SettingsError(f"{name}: {problems[name]}")
        plan = _Planned.of(home, looked, _chosen(looked, asked, taken, usual), rate)
        text, total = plan.text, plan.total
    except AcclimateError as error:
        problem = str(error)
    facts = looked.opened.facts()
    kind_facts = KindFacts.of(task.kind.about())
    return Composed(
        asked,
        found_facts(facts, kind_facts),
        leak_grids({"data": facts, "leaks": [leak.shown() for leak in looked.opened.found.examples()]}, True),
        looked.opened.notes(),
        untold(looked),
        looked.said["task"],
        looked.found.why,
        tuple(Choice(name, rung.asks, name in taken, each.get(name), problems.get(name, "")) for name, rung in rungs.items()),
        tuple(metrics_of(task.kind)),
        usual,
        text,
        total,
        problem,
    )


@dataclass(frozen=True)
class _Planned:
    """A study file, and what its study costs."""

    text: str
    costs: Mapping[str, Cost]
    total: Cost

    @staticmethod
    def of(home: Home, looked: Looked, chosen: Chosen, rate: float) -> "_Planned":
        text = written(looked, chosen)
        study = parsed(text)
        home.check_study(study, home.root)
        prepared = prepared_on(study, looked.opened, home.root, usual_store(home.root))
        found, plan = estimates(prepared, rate), prepared.plan
        return _Planned(text, costs(plan, found, prepared.cached), Cost.of(plan.nodes, found, prepared.cached))


def _planned(
    home: Home, looked: Looked, asked: Asked, rungs: Mapping[str, Rung], rate: float
) -> tuple[dict[str, _Planned], dict[str, str]]:  # fmt: skip
    """(plans that together have all rungs which can be planned, why the others cannot)."""

    def plan(names: list[str]) -> _Planned:
        return _Planned.of(home, looked, _chosen(looked, asked, names, names[0]), rate)

    try:
        return {"": plan([*rungs])}, {}
    except AcclimateError:
        pass  # one of them, or all
    plans, problems = dict[str, _Planned](), dict[str, str]()
    for name in rungs:
        try:
            plans[name] = plan([name])
        except AcclimateError as error:
            problems[name] = str(error)
    return plans, problems


def _chosen(looked: Looked, asked: Asked, names: list[str], usual: str) -> Chosen:
    recipes = of_ladder(looked.found.kind, looked.words, names)
    first = usual if usual in recipes else next(iter(recipes))
    recipes = {first: recipes[first], **recipes}
    return Chosen(asked.base, asked.seeds, asked.labels, asked.metric, recipes)


def _budgets(said: str) -> tuple[int | str, ...]:
    """`100, 8 per class, all`."""
    words = [each.strip() for each in said.strip("[]").split(",") if each.strip()] or ["all"]
    for word in words:
        if word != "all" and not (word.isascii() and word.isdecimal()) and per_class(word) is None:
            raise SettingsError(f"labels: {word[:40]!r} is no number of labels; write 100, all, or 8 per class, commas between several")
    return tuple(int(word) if word.isdecimal() else word for word in words)
