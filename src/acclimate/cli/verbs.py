"""The verbs: parse, call, print. No logic; heavy imports wait until a verb needs them, so that help answers at once."""

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from acclimate.cli import live, show
from acclimate.cli.guard import guarded
from acclimate.training.precision import Precision

app = typer.Typer(
    name="acclimate",
    help="Adapt a pretrained language model to your domain and task, and see with evidence which way is worth its cost.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
store_app = typer.Typer(help="The artifacts that studies share.", no_args_is_help=True)
app.add_typer(store_app, name="store")

StudyFile = Annotated[Path, typer.Argument(help="The study file (YAML).", show_default=False)]
OutOption = Annotated[Path | None, typer.Option("--out", help="Where results go. Default: results/NAME beside the study file.")]
StoreOption = Annotated[Path | None, typer.Option("--store", help="Where artifacts are kept. Default: .acclimate beside the study file.")]
SmokeOption = Annotated[bool, typer.Option("--smoke", help="Run every stage on a sliver of the data, to see that it works.")]
ThreadsOption = Annotated[int | None, typer.Option("--threads", min=1, help="CPU threads of a process. Default: all.")]
PrecisionOption = Annotated[
    Precision,
    typer.Option("--precision", help="auto: bf16 where the device has units for it. Part of what artifacts are kept under."),
]
MicroOption = Annotated[int | None, typer.Option("--micro-tokens", min=8, help="Tokens per forward pass; default what memory allows.")]
CheckpointOption = Annotated[float, typer.Option("--checkpoint-seconds", min=0, help="Seconds between saves of a running stage.")]
EngineOption = Annotated[str, typer.Option("--engine", help="local (a process a device) or inline (everything in this process).")]
WorkersOption = Annotated[
    int | None,
    typer.Option("--workers", min=1, help="Stages done at the same time. Default: one a GPU, or one; on a CPU they share its threads."),
]
SetOption = Annotated[list[str] | None, typer.Option("--set", help="A setting of the stage, e.g. --set lr=3e-5; may be repeated.")]
TrackOption = Annotated[
    list[str] | None,
    typer.Option("--track", help="Also log training to tensorboard, trackio, mlflow or wandb; may be repeated, or a list with commas."),
]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


@app.callback()
def _root(debug: DebugOption = False) -> None:
    """Adapt a pretrained language model to your domain and task, and see with evidence which way is worth its cost."""
    guarded.debug = debug


@app.command()
@guarded
def demo(
    out: Annotated[Path, typer.Option("--out", help="The demo's folder.")] = Path("acclimate-demo"),
    base: Annotated[
        str | None, typer.Option("--base", help="Another base: a short name, a folder or a hub id. Default: acclimate-mini.")
    ] = None,
) -> None:
    """Run a study on data and a model that come as packages: no network, minutes on two cores."""
    from acclimate.study.demo import write_demo
    from acclimate.study.engines.local import processors

    file = write_demo(out, base)
    show.say(f"The study file is {file}: look into it, change it, run it again.")
    # Steps as small as these leave a second thread idle: two stages beside each other are quicker than one with two threads.
    _study(file, None, None, "acclimate demo", workers=min(2, processors()))


@app.command()
@guarded
def plan(file: StudyFile, store: StoreOption = None, smoke: SmokeOption = False, precision: PrecisionOption = "auto") -> None:
    """Show the graph of stages with what is cached, tokens, time and disk; nothing is trained."""
    from acclimate.study.estimate import estimates, product_rate
    from acclimate.study.language import load_study
    from acclimate.study.run import prepare

    prepared = prepare(load_study(file), file.resolve().parent, store or file.parent / ".acclimate", smoke, precision=precision)
    show.plan(prepared, estimates(prepared, product_rate(precision)))


@app.command()
@guarded
def study(
    file: StudyFile,
    out: OutOption = None,
    store: StoreOption = None,
    smoke: SmokeOption = False,
    engine: EngineOption = "local",
    workers: WorkersOption = None,
    threads: ThreadsOption = None,
    precision: PrecisionOption = "auto",
    micro_tokens: MicroOption = None,
    checkpoint_seconds: CheckpointOption = 120.0,
    track: TrackOption = None,
) -> None:
    """Run a study, or go on with it: print the comparison, write the report, hand over the best model."""
    options: dict[str, Any] = {"engine": engine, "workers": workers, "threads": threads, "precision": precision}
    options |= {"micro_tokens": micro_tokens, "checkpoint_seconds": checkpoint_seconds, "track": tuple(track or ())}
    told = {"precision": precision} if precision != "auto" else {}
    _study(file, out, store, show.command("study", file.name, **told) + (" --smoke" if smoke else ""), smoke, **options)


def _study(file: Path, out: Path | None, store: Path | None, command: str, smoke: bool = False, **options: Any) -> None:
    from acclimate.report.page import NAME
    from acclimate.report.publish import publish
    from acclimate.report.results import Results
    from acclimate.study.language import load_study
    from acclimate.study.run import Options, follows, run_study

    read = load_study(file)
    folder = _out(file, read.name, out, smoke)
    chosen = Options(out=folder, store=store or file.parent / ".acclimate", command=command, publish=publish, **_shown(), **options)
    finished = run_study(read, file.resolve().parent, chosen, smoke)
    if follows():
        return
    if read.is_classification:
        show.finished(Results.load(finished.out), finished, finished.out / NAME)
    else:
        show.pretrained(finished.out)
    if finished.failed:
        raise typer.Exit(1)


def _out(file: Path, name: str, out: Path | None, smoke: bool) -> Path:
    folder = out or file.parent / "results" / name
    return folder.with_name(f"{folder.name}-smoke") if smoke else folder  # slivers never replace real results


def _shown() -> dict[str, Any]:
    return {"say": show.say, "live": live.live if live.wanted() else None}


@app.command()
@guarded
def watch(
    file: Annotated[Path | None, typer.Argument(help="The study file (YAML); not needed with --out.", show_default=False)] = None,
    out: Annotated[Path | None, typer.Option("--out", help="The study's output folder, if not results/NAME beside the file.")] = None,
    smoke: Annotated[bool, typer.Option("--smoke", help="Watch the run that was started with --smoke.")] = False,
    once: Annotated[bool, typer.Option("--once", help="Show how the study stands now, and end.")] = False,
) -> None:
    """Show how a study is getting on that runs elsewhere, until it ends; exit code: that of the study."""
    from acclimate.cli.watch import watch as watch_folder
    from acclimate.errors import SettingsError
    from acclimate.study.language import load_study

    if file is None and out is None:
        raise SettingsError("which study? Give its study file, or its output folder with --out")
    folder = _out(file, load_study(file).name, out, smoke) if file is not None else _out(Path(), "", out, smoke)
    raise typer.Exit(watch_folder(folder, once))


@app.command()
@guarded
def report(
    folders: Annotated[list[Path], typer.Argument(help="A study's output folder, or those of several.", show_default=False)],
    out: Annotated[Path | None, typer.Option("--out", help="The page; by default in the folder, of several studies ./report.html.")] = None,
    public: Annotated[bool, typer.Option("--public", help="A page for others: no texts of the data, no folders of this machine.")] = False,
) -> None:
    """Write the report of a finished study and its models' cards again, and print its table; of several studies write one page."""
    from acclimate.errors import SettingsError
    from acclimate.report.page import write_reports
    from acclimate.report.pretrained import is_pretraining
    from acclimate.report.publish import publish
    from acclimate.report.results import Results

    alone = [folder for folder in folders if is_pretraining(folder)]
    if alone and (len(folders) > 1 or out is not None or public):
        raise SettingsError(f"{alone[0]}: a study that reads no labels; its report.md is written in its folder, and goes on no page")
    if alone:
        publish(folders[0])
        show.pretrained(folders[0])
        return
    if public and out is None:
        raise SettingsError("--public makes a page for others: say with --out where it goes")
    single = len(folders) == 1 and out is None
    page = publish(folders[0]) if single else write_reports(folders, out or Path("report.html"), public)
    for folder in folders:
        show.results(Results.load(folder))
    show.say(f"Report: {page}")


def _size(name: str) -> Any:
    return typer.Option(f"--{name}", min=1, help="With --from-scratch: a size of a new architecture.", rich_help_panel="From scratch")


@app.command()
@guarded
def pretrain(
    base: Annotated[
        str, typer.Argument(help="Hub id, folder or short name of a model; from scratch, a tokenizer's folder too.", show_default=False)
    ],
    corpus: Annotated[list[str], typer.Argument(help="Text files, globs or folders.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", help="Folder for the model.", show_default=False)],
    text: Annotated[str | None, typer.Option("--text", help="Column with the text.")] = None,
    settings: SetOption = None,
    seed: Annotated[int, typer.Option("--seed", min=0)] = 0,
    store: Annotated[Path, typer.Option("--store", help="Where artifacts are kept.")] = Path(".acclimate"),
    threads: ThreadsOption = None,
    precision: PrecisionOption = "auto",
    micro_tokens: MicroOption = None,
    from_scratch: Annotated[
        bool,
        typer.Option(
            "--from-scratch", help="Start with random weights: the base's architecture, or --layers ...", rich_help_panel="From scratch"
        ),
    ] = False,
    layers: Annotated[int | None, _size("layers")] = None,
    hidden: Annotated[int | None, _size("hidden")] = None,
    heads: Annotated[int | None, _size("heads")] = None,
    feed_forward: Annotated[int | None, _size("feed-forward")] = None,
    positions: Annotated[int | None, _size("positions")] = None,
) -> None:
    """Pretrain a model on a corpus (masked language modelling): go on with it, or start from scratch."""
    from acclimate.errors import SettingsError
    from acclimate.study.single import run_stage, scratch
    from acclimate.study.yaml import parse_settings

    sizes = {"layers": layers, "hidden": hidden, "heads": heads, "feed_forward": feed_forward, "positions": positions}
    if not from_scratch and any(sizes.values()):
        raise SettingsError("--layers, --hidden and the like are sizes of a new architecture: say --from-scratch")
    start = scratch(base, sizes) if from_scratch else None
    chosen = _single(out, store, threads, precision, micro_tokens)
    made = run_stage(base, "pretrain", parse_settings(settings or []), {"domain": _source(corpus, text)}, seed, chosen, start)
    show.measured(made.measured, out)


def _source(corpus: list[str], text: str | None) -> dict[str, Any]:
    return {"path": corpus if len(corpus) > 1 else corpus[0]} | ({"text": text} if text else {})


@app.command()
@guarded
def prune(
    base: Annotated[str, typer.Argument(help="Hub id, folder or short name of a pretrained model.", show_default=False)],
    corpus: Annotated[list[str], typer.Argument(help="Text files, globs or folders.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", help="Folder for the model.", show_default=False)],
    size: Annotated[int, typer.Option("--size", min=1, help="Entries that are kept at most.")] = 16_384,
    text: Annotated[str | None, typer.Option("--text", help="Column with the text.")] = None,
    store: Annotated[Path, typer.Option("--store", help="Where artifacts are kept.")] = Path(".acclimate"),
    threads: ThreadsOption = None,
) -> None:
    """Cut a model's vocabulary down to what a corpus uses, and show size and speed before and after."""
    from acclimate.study.pruned import prune as prune_model

    made, speed = prune_model(base, {"size": size}, _source(corpus, text), _single(out, store, threads, "auto", None))
    show.measured(made.measured, out)
    if speed is not None:
        show.speed(speed)


@app.command()
@guarded
def tokenizer(
    corpus: Annotated[list[str], typer.Argument(help="Text files, globs or folders.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", help="Folder for the tokenizer; new or empty.", show_default=False)],
    size: Annotated[int, typer.Option("--size", min=1, help="Entries at most.")] = 16_384,
    kind: Annotated[
        Literal["wordpiece", "bytes"], typer.Option("--kind", help="WordPiece (as BERT) or byte-level BPE (as RoBERTa).")
    ] = "wordpiece",
    cased: Annotated[bool, typer.Option("--cased", help="Keep upper case and accents in WordPiece; bytes always keep them.")] = False,
    text: Annotated[str | None, typer.Option("--text", help="Column with the text.")] = None,
    min_frequency: Annotated[int, typer.Option("--min-frequency", min=1, help="A pair is merged if it occurs so often.")] = 2,
) -> None:
    """Learn a vocabulary from a corpus."""
    from acclimate.data.corpus import Corpus, CorpusSettings
    from acclimate.data.new_vocabulary import learn_vocabulary

    opened = Corpus.open("corpus", CorpusSettings(**_source(corpus, text)), Path.cwd())
    learned = learn_vocabulary(opened, out, size=size, kind=kind, cased=cased, min_frequency=min_frequency)
    show.learned(learned, out)


@app.command()
@guarded
def finetune(
    base: Annotated[
        str, typer.Argument(help="Hub id, folder or short name of a pretrained model, or majority, tfidf or bilstm.", show_default=False)
    ],
    task: Annotated[str, typer.Argument(help="A labelled file, or a folder with train, dev and test files.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", help="Folder for the model.", show_default=False)],
    text: Annotated[str | None, typer.Option("--text", help="Column with the text.")] = None,
    label: Annotated[str | None, typer.Option("--label", help="Column with the label.")] = None,
    settings: SetOption = None,
    seed: Annotated[int, typer.Option("--seed", min=0)] = 0,
    store: Annotated[Path, typer.Option("--store", help="Where artifacts are kept.")] = Path(".acclimate"),
    threads: ThreadsOption = None,
    precision: PrecisionOption = "auto",
    micro_tokens: MicroOption = None,
) -> None:
    """Fine-tune a model on labelled texts, and write its model card."""
    from acclimate.report.card import write_card
    from acclimate.report.chain import Chain
    from acclimate.report.results import Results
    from acclimate.study.single import run_stage
    from acclimate.study.yaml import parse_settings

    columns = {name: value for name, value in (("text", text), ("label", label)) if value}
    told = {"precision": precision} if precision != "auto" else {}
    command = show.command("finetune", base, task, out=out, seed=seed, **columns, set=settings or [], **told)
    chosen = _single(out, store, threads, precision, micro_tokens, command)
    made = run_stage(base, "finetune", parse_settings(settings or []), {"task": {"path": task, **columns}}, seed, chosen)
    write_card(out, Chain.of_run(Results.of_run(made.row, made.facts)))
    show.measured(made.measured, out)


def _single(out: Path, store: Path, threads: int | None, precision: str, micro_tokens: int | None, command: str = "") -> Any:
    from acclimate.study.run import Options

    return Options(out=out, store=store, threads=threads, precision=precision, micro_tokens=micro_tokens, command=command, **_shown())


@app.command()
@guarded
def predict(
    model: Annotated[Path, typer.Argument(help="Folder of a trained model.", show_default=False)],
    file: Annotated[str, typer.Argument(help="File with texts (any format that studies read).", show_default=False)],
    out: Annotated[Path | None, typer.Option("--out", help="File to write, .jsonl or .csv. Default: jsonl on standard output.")] = None,
    text: Annotated[str | None, typer.Option("--text", help="Column with the text.")] = None,
) -> None:
    """Label texts: a line a text with its label and the probability of each."""
    from acclimate.evaluation.apply import predict_file

    predict_file(model, file, out, text, sys.stdout)


@app.command()
@guarded
def evaluate(
    model: Annotated[Path, typer.Argument(help="Folder of a trained model.", show_default=False)],
    file: Annotated[str, typer.Argument(help="Labelled file.", show_default=False)],
    text: Annotated[str | None, typer.Option("--text", help="Column with the text.")] = None,
    label: Annotated[str | None, typer.Option("--label", help="Column with the label.")] = None,
) -> None:
    """Measure a trained model on labelled texts."""
    from acclimate.evaluation.apply import evaluate_file

    show.scores(evaluate_file(model, file, text, label))


@store_app.command("ls")
@guarded
def store_ls(store: Annotated[Path, typer.Argument(help="The store's folder.")] = Path(".acclimate")) -> None:
    """List the artifacts with size and age."""
    from acclimate.study.store import Store

    show.entries(Store(store).ls())


@store_app.command("prune")
@guarded
def store_prune(
    store: Annotated[Path, typer.Argument(help="The store's folder.")] = Path(".acclimate"),
    keep: Annotated[list[Path] | None, typer.Option("--keep", help="Keep what this study file needs; may be repeated.")] = None,
    older_than_days: Annotated[float | None, typer.Option("--older-than-days", min=0, help="Only what was not used since.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would go.")] = False,
) -> None:
    """Remove artifacts that nobody needs: those no kept study names, or those not used for long. Leftovers of killed runs go, too."""
    from acclimate.study.language import load_study
    from acclimate.study.run import needed
    from acclimate.study.store import Store

    kept = {key for file in keep or [] for key in needed(load_study(file), file.resolve().parent, store)}
    gone = Store(store).prune(kept if keep else None, older_than_days, dry_run)
    show.entries(gone, "would be removed" if dry_run else "removed")


@app.command()
@guarded
def doctor() -> None:
    """Say what this machine has and what is missing."""
    from acclimate.cli.doctor import examine

    findings = examine(Path.cwd())
    show.findings(findings)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


@app.command()
@guarded
def schema(markdown: Annotated[bool, typer.Option("--markdown", help="As a reference page instead of JSON Schema.")] = False) -> None:
    """Print the JSON Schema of study files, for editors."""
    from acclimate.study.schema import json_schema, reference_markdown

    show.plain(reference_markdown() if markdown else json_schema())


def main() -> None:
    """The command `acclimate`."""
    app()
