"""A study made ready to run: its data open, its plan made, nothing spent yet."""

import sys
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Self

from acclimate.errors import DataError, SettingsError
from acclimate.locks import Patience
from acclimate.study.language import replayed
from acclimate.study.language.implied import with_task
from acclimate.study.language.study import Study, refuse_incomplete
from acclimate.study.plan.graph import Plan
from acclimate.study.plan.measured import with_measurements
from acclimate.study.plan.readings import Readings
from acclimate.study.plan.smoke import sliver, smoke_study
from acclimate.study.store.artifacts import Store
from acclimate.study.store.opened import Place, open_store
from acclimate.tasks.budgets import by_size, told
from acclimate.tasks.opened import Data
from acclimate.training.precision import PRECISIONS


@dataclass(frozen=True)
class Prepared:
    """A study whose data is open and whose plan is made; nothing is spent yet."""

    study: Study
    root: Path
    data: Data
    plan: Plan
    store: Store
    cached: frozenset[str]
    smoke: bool

    @cached_property
    def readings(self) -> Readings:
        """The data in the vocabularies of the bases, measured when it is asked for."""
        return Readings(self.data)

    @cached_property
    def budget_sizes(self) -> dict[str, int]:
        """Training examples at each label budget, the fewest first; where texts have several labels, those of the first seed."""
        task, study = self.data.task, self.study
        return {} if task is None else by_size(task, study.label_budgets, study.seed_list[0])

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What is to be known of the data, and of the label budgets."""
        task, seed = self.data.task, self.study.seed_list[0]
        budgets = [] if task is None else [note for labels in self.budget_sizes for note in told(task, labels, seed)]
        return (*self.data.notes(), *replayed.notes(self.study), *budgets)

    def with_chosen(self) -> Self:
        """With the corpora of `select` that have been chosen by now."""
        made = {name: (key, self.store.path(key)) for name, key in self.plan.selected.items() if self.store.has(key)}
        return replace(self, data=self.data.choosing(made)) if made else self


def prepare(
    study: Study, root: Path, store: Place, smoke: bool = False, rejects: Path | None = None, precision: str = "auto",
    lease: ExitStack | None = None,
) -> Prepared:  # fmt: skip
    """Open and check the data, look at the bases, make the plan, and see that the bases can read the text that they are to learn from.

    Nobody tidies away what it needs for as long as `lease` lives.

    Raises:
        DataError, ModelError, SettingsError: something the user gave is wrong; no model has been loaded.
        StoreError: the store cannot be read.
    """
    prepared = _planned(study, root, store, smoke, rejects, precision, lease)
    _refuse(prepared)
    return prepared


def prepared_on(study: Study, data: Data, root: Path, store: Place) -> Prepared:
    """The same of data that is open already.

    Raises:
        DataError, ModelError, SettingsError: something the user gave is wrong; no model has been loaded.
    """
    refuse_incomplete(study)
    plan, kept = with_measurements(Plan.of(study, data, root), study, data), open_store(store)
    prepared = Prepared(study, root, data, plan, kept, frozenset(key for key in plan.nodes if kept.has(key)), False)
    _refuse(prepared)
    return prepared


def check_planned(study: Study, data: Data, root: Path) -> None:
    """Refuse what `prepare` would, of data that is open already; nothing is looked up in a store.

    Raises:
        DataError, ModelError, SettingsError: something the user gave is wrong; no model has been loaded.
    """
    refuse_incomplete(study)
    plan = with_measurements(Plan.of(study, data, root), study, data)
    _refuse(Prepared(study, root, data, plan, Store(root), frozenset(), False))


def _refuse(prepared: Prepared) -> None:
    prepared.data.refuse_test_sets()
    todo = (node for key, node in prepared.plan.nodes.items() if key not in prepared.cached)
    prepared.readings.refuse_unreadable(prepared.plan, todo)
    prepared.readings.refuse_texts(prepared.plan)


def _planned(
    study: Study, root: Path, store: Place, smoke: bool = False, rejects: Path | None = None, precision: str = "auto",
    lease: ExitStack | None = None,
) -> Prepared:  # fmt: skip
    refuse_incomplete(study)
    kept = open_store(store)
    kept.check_folder()
    if rejects is None and kept.writable():
        rejects = kept.root / "cache" / "rejects"
    data = Data.open(study.data, root, rejects, general=study.general_text)
    if smoke:
        study, data = smoke_study(study), sliver(data)
    plan = with_measurements(Plan.of(study, data, root, precision), study, data)
    if lease is not None:
        lease.enter_context(kept.lease(plan.nodes, Patience(lambda line: print(line, file=sys.stderr, flush=True))))
    return Prepared(study, root, data, plan, kept, frozenset(key for key in plan.nodes if kept.has(key)), smoke).with_chosen()


def needed(study: Study, root: Path, store: Place) -> set[str]:
    """The keys of a study's stages, in every precision: which one it was run with stands nowhere in its file.

    Raises:
        DataError, ModelError, SettingsError: as `prepare`.
    """
    found = _keys(study, root, store)
    if study.data.task is None:
        # Both what it makes by itself, as verbs for one stage do, and, where it can be compared, what that takes.
        with suppress(DataError, SettingsError):
            found |= _keys(with_task(study)[0], root, store)
    return found


def _keys(study: Study, root: Path, store: Place) -> set[str]:
    data = _planned(study, root, store).data
    plans = (with_measurements(Plan.of(study, data, root, precision), study, data) for precision in PRECISIONS)
    return {key for plan in plans for key in plan.nodes}
