"""One stage on its own: the verbs `prune`, `pretrain` and `finetune` are studies with one recipe and one seed, minus the comparison."""

import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acclimate.data.readers.couples import TEXTS
from acclimate.data.readers.records import open_source
from acclimate.errors import AcclimateError, Interrupted, SettingsError, TrainingError
from acclimate.files import locked
from acclimate.owned import CARD, own_folder, refuse_foreign, refuse_holding, refuse_inside
from acclimate.study.language.bases import RANDOM
from acclimate.study.language.language import BUILT_IN, Language
from acclimate.study.language.paths import precious
from acclimate.study.outputs.forgetting import forgetting
from acclimate.study.outputs.outcomes import Outcomes, rows
from acclimate.study.permission import refuse_own_code
from acclimate.study.plan.prepared import prepare
from acclimate.study.run import Options, carry_out, study_facts
from acclimate.study.store.opened import open_store
from acclimate.study.store.whole import whole_model
from acclimate.study.watch.journal import Journal
from acclimate.tasks import KINDS
from acclimate.tasks.two_texts import asked_pair


@dataclass(frozen=True)
class Made:
    """What a single stage came to."""

    measured: dict[str, Any]  # its metrics.json
    row: dict[str, Any]  # as in results.parquet
    facts: dict[str, Any]  # as in study.json
    parent: Path | None = None  # the model folder that the stage began with; None for plain baselines, and where it is no longer kept


def scratch(base: str, sizes: Mapping[str, int | str | None]) -> Any:
    """Where a pretraining from scratch starts: the architecture of `base` with random weights, or a new one of these sizes that takes
    from `base` the vocabulary alone.

    Raises:
        SettingsError: some of the sizes that a new architecture needs are missing.
    """
    given = {name: size for name, size in sizes.items() if size is not None}
    if not given:
        return RANDOM
    if missing := [f"--{name}" for name in ("layers", "hidden", "heads") if name not in given]:
        raise SettingsError(f"a new architecture needs --layers, --hidden and --heads; {' and '.join(missing)} not given")
    return {"random": {**given, "tokenizer": base}}


def unlabelled(paths: Sequence[str], reading: Mapping[str, Any], root: Path) -> dict[str, Any]:
    """The settings of a corpus of what a task's teacher is asked about: pairs where `reading`, the task's settings, says a kind of pairs.

    Their columns are those that the settings name, or found by the names that such columns usually have.

    Raises:
        DataError: nothing is there, or it is not clear which columns hold the texts.
    """
    corpus = {"path": paths[0] if len(paths) == 1 else tuple(paths)}
    kind = next((kind for kind in KINDS if kind.model_fields["kind"].default == reading.get("kind")), None)
    if kind is None or kind.texts() == 1:
        return corpus
    stated = {name: reading[name] for name in TEXTS if name in reading}
    return corpus | dict(asked_pair(open_source(corpus["path"], root), stated).columns)


def run_stage(
    base: str, stage: str, settings: dict[str, Any], data: dict[str, Any], seed: int, options: Options, start: Any = None,
    language: Language = BUILT_IN,
) -> Made:  # fmt: skip
    """Run one stage on `base` and put its model into `options.out`; `start` is what a recipe's `base:` says, where that is more.

    Paths are relative to the working directory.

    Raises:
        TrainingError: the stage failed.
        Interrupted: a stop was asked for; the same call continues.
    """
    plain = base in language.table.baseline_names
    recipe: Any = {"base": {base: settings}} if plain else {"base": start or base, "stages": [{stage: settings}]}
    study = language.parse({"name": stage, "base": base, "data": data, "seeds": [seed], "recipes": {stage: recipe}})
    refuse_own_code(study, Path.cwd(), options.allow_code)
    out = options.out.resolve()
    splits = out.with_name(f"{out.name}-splits")
    if out == Path(base).expanduser().resolve():
        raise SettingsError(f"{options.out}: this is the base itself, or goes by its name; choose another --out")
    store = open_store(options.store)
    refuse_holding(options.out, precious(study, Path.cwd(), store.root))
    refuse_inside(options.out, [store.root])
    refuse_foreign(options.out, "model")
    refuse_foreign(splits, "splits")
    # No status file: the output folder is a model's, and nothing else belongs there.
    store.check_writable()
    with (
        locked(out.with_name(f".{out.name}.lock"), timeout=0),
        Journal(stage, owns_terminal=options.live is not None) as journal,
        ExitStack() as lease,
    ):
        prepared = prepare(study, Path.cwd(), options.store, precision=options.precision, lease=lease)
        reports = carry_out(prepared, options, journal)
        measures = {*prepared.plan.measured.values()}
        failed = next((report for report in reports.values() if report.status == "failed" and report.key not in measures), None)
        if failed is not None:
            raise (TrainingError if failed.exit_code == TrainingError.exit_code else AcclimateError)(failed.error)
        end = prepared.plan.runs[0].end
        if not prepared.store.has(end):
            raise Interrupted("stopped; everything done so far is kept: the same command continues")
        with own_folder(out, "model", end, [CARD]) as folder:
            shutil.copytree(whole_model(prepared.store, prepared.store.path(end) / "model"), folder, dirs_exist_ok=True)
        if prepared.data.task is not None and prepared.data.task.facts.made:
            with own_folder(splits, "splits", prepared.data.task.fingerprint) as folder:
                prepared.data.task.write_splits(folder)
        outcomes = Outcomes.read(prepared.plan, prepared.store, reports)
        (row,) = rows(study, outcomes)
        before = prepared.plan.nodes[end].parent
        kept = before is not None and prepared.store.has(before)
        parent = whole_model(prepared.store, prepared.store.path(before) / "model") if before is not None and kept else None
        general = prepared.data.general
        forgot = {"forgetting": forgetting(outcomes, general, row["labels"])} if general is not None else {}
        return Made(outcomes.measured[end], row, study_facts(prepared, outcomes, options.command) | forgot, parent)
