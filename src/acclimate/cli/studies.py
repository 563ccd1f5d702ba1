"""Verbs about whole studies: plan, run, watch and report them. Heavy imports wait until a verb needs them."""

from pathlib import Path
from typing import Annotated, Any

import typer

from acclimate.cli import show
from acclimate.cli.options import (
    AddressOption,
    CheckpointOption,
    CodeOption,
    DevicesOption,
    EngineOption,
    FsdpOption,
    GpusOption,
    MicroOption,
    OutOption,
    PrecisionOption,
    SmokeOption,
    StoreOption,
    StudyFile,
    ThreadsOption,
    TrackOption,
    WorkersOption,
    shown,
)
from acclimate.cli.reading_options import TASK, Reading, reads


def demo(
    out: Annotated[Path, typer.Option("--out", help="The demo's folder.")] = Path("acclimate-demo"),
    base: Annotated[str | None, typer.Option("--base", help="Another base: a short name, a folder or a hub id. Default: minilm.")] = None,
    smoke: SmokeOption = False,
) -> None:
    """Run a study on data and a model that come as packages: no network, minutes on two cores."""
    from acclimate.study.demo import write_demo
    from acclimate.study.engines.local import processors

    file = write_demo(out, base)
    show.say(f"The study file is {file}: look into it, change it, run it again.")
    # Steps as small as these leave a second thread idle: two stages beside each other are quicker than one with two threads.
    _study(file, None, None, f"acclimate demo{' --smoke' if smoke else ''}", smoke, workers=min(2, processors()))


@reads(TASK)
def init(
    files: Annotated[
        list[str], typer.Argument(help="Labelled files and text without labels: files, globs, folders or hub ids.", show_default=False)
    ],
    reading: Reading,
    out: Annotated[Path | None, typer.Option("--out", help="The study file to write; never over another one. Default: print it.")] = None,
) -> None:
    """Write a study file for some files: what was found in them in comments, what they do not tell with the choices."""
    from acclimate.errors import SettingsError
    from acclimate.files import write_text
    from acclimate.study.draft.written import draft

    if out is not None and (out.exists() or out.is_symlink()):
        raise SettingsError(f"{out}: is there already, and is not written over; name another file, or move it away")
    if out is not None and not out.resolve().parent.is_dir():
        raise SettingsError(f"{out}: there is no folder {out.parent}; make it first")
    made = draft(files, out.resolve().parent if out is not None else Path.cwd(), reading)
    if out is None:
        show.plain(made.text.rstrip())
    else:
        write_text(out, made.text)
        show.say(f"The study file is {out}: look through it; next: {show.command('plan', str(out))}")
    for line in made.untold:
        show.say(f"not told by the files: {line}")


def plan(file: StudyFile, store: StoreOption = None, smoke: SmokeOption = False, precision: PrecisionOption = "auto") -> None:
    """Show the graph of stages with what is cached, tokens, time and disk; nothing is trained."""
    from acclimate.cli.shown_plan import plan as show_plan
    from acclimate.study.language.implied import with_task
    from acclimate.study.language.study import load_study
    from acclimate.study.outputs.output_folder import usual_store
    from acclimate.study.permission import notes
    from acclimate.study.plan.estimate import estimates, product_rate
    from acclimate.study.plan.prepared import prepare
    from acclimate.study.store.opened import place
    from acclimate.study.store.room import lacking

    read, said = with_task(load_study(file))
    kept = usual_store(file.parent) if store is None else place(store)
    prepared = prepare(read, file.resolve().parent, kept, smoke, precision=precision)
    for note in (*([] if said is None else [said]), *notes(read, file.resolve().parent)):
        show.plain(f"note: {note}")
    show_plan(prepared, estimates(prepared, product_rate(precision)))
    for line in lacking(prepared):
        show.plain(line)


def study(
    file: StudyFile,
    out: OutOption = None,
    store: StoreOption = None,
    smoke: SmokeOption = False,
    engine: EngineOption = "local",
    address: AddressOption = None,
    gpus: GpusOption = None,
    devices: DevicesOption = None,
    fsdp: FsdpOption = False,
    workers: WorkersOption = None,
    threads: ThreadsOption = None,
    precision: PrecisionOption = "auto",
    micro_tokens: MicroOption = None,
    checkpoint_seconds: CheckpointOption = 120.0,
    track: TrackOption = None,
    allow_code: CodeOption = False,
) -> None:
    """Run a study, or go on with it: print the comparison, write the report, hand over the best model."""
    options: dict[str, Any] = {
        "engine": engine,
        "address": address,
        "gpus": gpus,
        "devices": devices,
        "fsdp": fsdp,
        "workers": workers,
        "threads": threads,
        "precision": precision,
    }
    options |= {
        "micro_tokens": micro_tokens,
        "checkpoint_seconds": checkpoint_seconds,
        "track": tuple(track or ()),
        "allow_code": allow_code,
    }
    told = {"precision": precision} if precision != "auto" else {}
    flags = (" --smoke" if smoke else "") + (" --allow-code" if allow_code else "")
    _study(file, out, store, show.command("study", file.name, **told) + flags, smoke, **options)


def _study(file: Path, out: Path | None, store: str | None, command: str, smoke: bool = False, **options: Any) -> None:
    from acclimate.report.pages.page import NAME
    from acclimate.report.publish import publish
    from acclimate.report.results.finished import Results
    from acclimate.study.language.study import load_study
    from acclimate.study.outputs.output_folder import usual_store
    from acclimate.study.run import Options, follows, run_study
    from acclimate.study.store.opened import place

    read = load_study(file)
    folder = _out(file, read.name, out, smoke)
    kept = usual_store(file.parent) if store is None else place(store)
    chosen = Options(out=folder, store=kept, command=command, publish=publish, **shown(), **options)
    finished = run_study(read, file.resolve().parent, chosen, smoke)
    if follows():
        return
    show.finished(Results.load(finished.out), finished, finished.out / NAME)
    if finished.failed:
        raise typer.Exit(1)


def _out(file: Path, name: str, out: Path | None, smoke: bool) -> Path:
    from acclimate.study.outputs.output_folder import usual_folder, with_smoke

    return usual_folder(file.parent, name, smoke) if out is None else with_smoke(out, smoke)


def watch(
    file: Annotated[Path | None, typer.Argument(help="The study file (YAML); not needed with --out.", show_default=False)] = None,
    out: Annotated[Path | None, typer.Option("--out", help="The study's output folder, if not results/NAME beside the file.")] = None,
    smoke: Annotated[bool, typer.Option("--smoke", help="Watch the run that was started with --smoke.")] = False,
    once: Annotated[bool, typer.Option("--once", help="Show how the study stands now, and end.")] = False,
) -> None:
    """Show how a study is getting on that runs elsewhere, until it ends; exit code: that of the study."""
    from acclimate.cli.watch import watch as watch_folder
    from acclimate.errors import SettingsError
    from acclimate.study.language.study import load_study

    if file is None and out is None:
        raise SettingsError("which study? Give its study file, or its output folder with --out")
    folder = _out(file, load_study(file).name, out, smoke) if file is not None else _out(Path(), "", out, smoke)
    raise typer.Exit(watch_folder(folder, once))


def report(
    folders: Annotated[list[Path], typer.Argument(help="A study's output folder, or those of several.", show_default=False)],
    out: Annotated[Path | None, typer.Option("--out", help="The page; by default in the folder, of several studies ./report.html.")] = None,
    public: Annotated[bool, typer.Option("--public", help="A page for others: no texts of the data, no folders of this machine.")] = False,
) -> None:
    """Write the report of a finished study and its models' cards again, and print its table; of several studies write one page."""
    from acclimate.errors import SettingsError
    from acclimate.report.pages.page import write_reports
    from acclimate.report.publish import publish
    from acclimate.report.results.finished import Results

    if public and out is None:
        raise SettingsError("--public makes a page for others: say with --out where it goes")
    single = len(folders) == 1 and out is None
    page = publish(folders[0]) if single else write_reports(folders, out or Path("report.html"), public)
    for folder in folders:
        show.results(Results.load(folder))
    show.say(f"Report: {page}")


def verdict(
    study: Annotated[Path, typer.Argument(help="A study's output folder, or its study file.", show_default=False)],
    recipe: Annotated[str | None, typer.Option("--recipe", help="Which recipe. Default: the one that dev chose.")] = None,
    at_least: Annotated[
        float | None,
        typer.Option("--at-least", help="What the lower end of its score's 95 % interval must reach (at most, where lower is better)."),
    ] = None,
    better_than: Annotated[
        str | None, typer.Option("--better-than", help="A recipe than which it must be better. Default, without --at-least: the reference.")
    ] = None,
    labels: Annotated[
        list[str] | None,
        typer.Option("--labels", help="Label budget, as the study names it; may be repeated, or `every`. Default: the largest."),
    ] = None,
) -> None:
    """Say in one line whether a finished study showed that a recipe is good enough; exit code 0 if so, 1 if not: a gate for pipelines."""
    from acclimate.report.gate import Asked, gate
    from acclimate.report.results.finished import Results
    from acclimate.study.language.study import load_study

    folder = _out(study, load_study(study).name, None, False) if study.is_file() else study
    answer = gate(Results.load(folder), Asked(recipe, at_least, better_than, tuple(labels or ())))
    show.plain(answer.line)
    if not answer.passed:
        raise typer.Exit(1)
