"""Verbs that make one model or vocabulary. Heavy imports wait until a verb needs them."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from acclimate.cli import show
from acclimate.cli.options import CodeOption, MicroOption, PrecisionOption, SetOption, SingleStoreOption, ThreadsOption, shown
from acclimate.cli.reading_options import TASK, TEXTS, Reading, reads


def _size(name: str) -> Any:
    return typer.Option(f"--{name}", min=1, help="With --from-scratch: a size of a new architecture.", rich_help_panel="From scratch")


@reads(TEXTS)
def pretrain(
    base: Annotated[
        str, typer.Argument(help="Hub id, folder or short name of a model; from scratch, a tokenizer's folder too.", show_default=False)
    ],
    corpus: Annotated[list[str], typer.Argument(help="Text files, globs or folders.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", help="Folder for the model.", show_default=False)],
    reading: Reading,
    settings: SetOption = None,
    seed: Annotated[int, typer.Option("--seed", min=0, max=2**32 - 1)] = 0,
    store: SingleStoreOption = ".acclimate",
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
    architecture: Annotated[
        Literal["bert", "gpt2"] | None,
        typer.Option("--architecture", help="With --from-scratch: an encoder (the default) or a decoder.", rich_help_panel="From scratch"),
    ] = None,
) -> None:
    """Pretrain a model on a corpus (masked words; of a decoder, next ones): go on with it, or start from scratch."""
    from acclimate.errors import SettingsError
    from acclimate.study.language.yaml import parse_settings
    from acclimate.study.single import run_stage, scratch

    sizes: dict[str, int | str | None] = {
        "layers": layers, "hidden": hidden, "heads": heads, "feed_forward": feed_forward, "positions": positions,
        "architecture": architecture,
    }  # fmt: skip
    if not from_scratch and any(sizes.values()):
        raise SettingsError("--layers, --hidden and the like are sizes of a new architecture: say --from-scratch")
    start = scratch(base, sizes) if from_scratch else None
    chosen = _single(out, store, threads, precision, micro_tokens)
    made = run_stage(base, "pretrain", parse_settings(settings or []), {"domain": _source(corpus, reading)}, seed, chosen, start)
    show.measured(made.measured, out)
    show.forgot(made)


def _source(corpus: list[str], reading: Reading) -> dict[str, Any]:
    return {"path": corpus if len(corpus) > 1 else corpus[0], **reading}


@reads(TEXTS)
def prune(
    base: Annotated[str, typer.Argument(help="Hub id, folder or short name of a pretrained model.", show_default=False)],
    corpus: Annotated[list[str], typer.Argument(help="Text files, globs or folders.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", help="Folder for the model.", show_default=False)],
    reading: Reading,
    size: Annotated[int, typer.Option("--size", min=1, help="Entries that are kept at most.")] = 16_384,
    store: SingleStoreOption = ".acclimate",
    threads: ThreadsOption = None,
) -> None:
    """Cut a model's vocabulary down to what a corpus uses, and show size and speed before and after."""
    from acclimate.study.single import run_stage

    options = _single(out, store, threads, "auto", None)
    show.changed_vocabulary(run_stage(base, "prune", {"size": size}, {"domain": _source(corpus, reading)}, 0, options), out)


@reads(TEXTS)
def extend(
    base: Annotated[str, typer.Argument(help="Hub id, folder or short name of a pretrained model.", show_default=False)],
    corpus: Annotated[list[str], typer.Argument(help="Text files, globs or folders.", show_default=False)],
    reading: Reading,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for the model.", show_default=False)] = None,
    look: Annotated[bool, typer.Option("--show", help="Only show the words, and what they would save.")] = False,
    settings: SetOption = None,
    seed: Annotated[int, typer.Option("--seed", min=0, max=2**32 - 1)] = 0,
    store: SingleStoreOption = ".acclimate",
    threads: ThreadsOption = None,
    precision: PrecisionOption = "auto",
    micro_tokens: MicroOption = None,
) -> None:
    """Add a corpus's words to a model's vocabulary, and show size and speed before and after; or show the words."""
    from acclimate.errors import SettingsError
    from acclimate.study.language.yaml import parse_settings
    from acclimate.study.new_words import words_to_add
    from acclimate.study.single import run_stage

    chosen = parse_settings(settings or [])
    if look:
        show.words(*words_to_add(base, chosen, _source(corpus, reading)))
        return
    if out is None:
        raise SettingsError("--out: name a folder for the model, or say --show to see the words alone")
    options = _single(out, store, threads, precision, micro_tokens)
    show.changed_vocabulary(run_stage(base, "extend", chosen, {"domain": _source(corpus, reading)}, seed, options), out)


@reads(TEXTS)
def tokenizer(
    corpus: Annotated[list[str], typer.Argument(help="Text files, globs or folders.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", help="Folder for the tokenizer; new or empty.", show_default=False)],
    reading: Reading,
    size: Annotated[int, typer.Option("--size", min=1, help="Entries at most.")] = 16_384,
    kind: Annotated[
        Literal["wordpiece", "bytes"], typer.Option("--kind", help="WordPiece (as BERT) or byte-level BPE (as RoBERTa).")
    ] = "wordpiece",
    cased: Annotated[bool, typer.Option("--cased", help="Keep upper case and accents in WordPiece; bytes always keep them.")] = False,
    min_frequency: Annotated[int, typer.Option("--min-frequency", min=1, help="A pair is merged if it occurs so often.")] = 2,
    characters: Annotated[
        int | None,
        typer.Option(
            "--characters",
            min=1,
            help="WordPiece: so many of the most frequent characters; words with others are unknown. "
            "Default: the first 1,000, and all that are one in a million, in half of the entries at most.",
        ),
    ] = None,
) -> None:
    """Learn a vocabulary from a corpus."""
    from acclimate.data.corpus import Corpus, CorpusSettings
    from acclimate.data.vocabularies.learned import learn_vocabulary

    opened = Corpus.open("corpus", CorpusSettings(**_source(corpus, reading)), Path.cwd())
    learned = learn_vocabulary(opened, out, size=size, kind=kind, cased=cased, min_frequency=min_frequency, characters=characters)
    show.learned(learned, out)


@reads(TASK)
def finetune(
    base: Annotated[
        str,
        typer.Argument(
            help="Hub id, folder or short name, or a plain baseline (majority, tfidf, bilstm, linear_tagger, doc2vec, static, bm25).",
            show_default=False,
        ),
    ],
    task: Annotated[str, typer.Argument(help="A labelled file, or a folder with train, dev and test files.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", help="Folder for the model.", show_default=False)],
    reading: Reading,
    settings: SetOption = None,
    seed: Annotated[int, typer.Option("--seed", min=0, max=2**32 - 1)] = 0,
    store: SingleStoreOption = ".acclimate",
    threads: ThreadsOption = None,
    precision: PrecisionOption = "auto",
    micro_tokens: MicroOption = None,
    allow_code: CodeOption = False,
) -> None:
    """Fine-tune a model on labelled texts, and write its model card."""
    from acclimate.report.pages.card import write_card
    from acclimate.report.results.chain import Chain
    from acclimate.report.results.finished import Results
    from acclimate.study.language.yaml import parse_settings
    from acclimate.study.single import run_stage

    told: dict[str, Any] = {"precision": precision} if precision != "auto" else {}
    told |= {"allow_code": True} if allow_code else {}
    command = show.command("finetune", base, task, out=out, seed=seed, **reading, set=settings or [], **told)
    chosen = replace(_single(out, store, threads, precision, micro_tokens, command), allow_code=allow_code)
    if str(reading.get("group", "")).startswith("{"):
        reading = {**reading, **parse_settings([f"group={reading['group']}"])}
    made = run_stage(base, "finetune", parse_settings(settings or []), {"task": {"path": task, **reading}}, seed, chosen)
    write_card(out, Chain.of_run(Results.of_run(made.row, made.facts)))
    show.measured(made.measured, out)


TeacherOption = Annotated[
    str, typer.Option("--teacher", help="The model that teaches: a folder, hub id or short name.", show_default=False)
]
StudentArgument = Annotated[str, typer.Argument(help="The student: hub id, folder or short name of a model.", show_default=False)]


@reads(TASK)
def distill(
    base: StudentArgument,
    task: Annotated[str, typer.Argument(help="A labelled file, or a folder with train, dev and test files.", show_default=False)],
    teacher: TeacherOption,
    out: Annotated[Path, typer.Option("--out", help="Folder for the model.", show_default=False)],
    reading: Reading,
    transfer: Annotated[
        list[str] | None, typer.Option("--transfer", help="Text or pairs without labels, learned from, too: files, globs; may be repeated.")
    ] = None,
    settings: SetOption = None,
    seed: Annotated[int, typer.Option("--seed", min=0, max=2**32 - 1)] = 0,
    store: SingleStoreOption = ".acclimate",
    threads: ThreadsOption = None,
    precision: PrecisionOption = "auto",
    micro_tokens: MicroOption = None,
) -> None:
    """Teach a small model what a model that learned the task says of its texts, and of text without labels, and write its model card."""
    from acclimate.report.pages.card import write_card
    from acclimate.report.results.chain import Chain
    from acclimate.report.results.finished import Results
    from acclimate.study.language.yaml import parse_settings
    from acclimate.study.single import run_stage, unlabelled

    data: dict[str, Any] = {"task": {"path": task, **reading}}
    chosen: dict[str, Any] = {"teacher": teacher}
    if transfer:
        data["transfer"] = unlabelled(transfer, reading, Path.cwd())
        chosen["corpus"] = {"task": 1, "transfer": 1}
    told = {"precision": precision} if precision != "auto" else {}
    also = {"transfer": transfer} if transfer else {}
    command = show.command("distill", base, task, teacher=teacher, out=out, seed=seed, **also, **reading, set=settings or [], **told)
    options = _single(out, store, threads, precision, micro_tokens, command)
    made = run_stage(base, "distill", {**chosen, **parse_settings(settings or [])}, data, seed, options)
    write_card(out, Chain.of_run(Results.of_run(made.row, made.facts)))
    show.measured(made.measured, out)


@reads(TEXTS)
def distill_vectors(
    base: StudentArgument,
    corpus: Annotated[list[str], typer.Argument(help="Text files, globs or folders.", show_default=False)],
    teacher: TeacherOption,
    out: Annotated[Path, typer.Option("--out", help="Folder for the model.", show_default=False)],
    reading: Reading,
    settings: SetOption = None,
    seed: Annotated[int, typer.Option("--seed", min=0, max=2**32 - 1)] = 0,
    store: SingleStoreOption = ".acclimate",
    threads: ThreadsOption = None,
    precision: PrecisionOption = "auto",
    micro_tokens: MicroOption = None,
) -> None:
    """Teach a small model the vectors that a sentence encoder gives to texts, without labels."""
    from acclimate.study.language.yaml import parse_settings
    from acclimate.study.single import run_stage

    chosen = {"teacher": teacher, **parse_settings(settings or [])}
    options = _single(out, store, threads, precision, micro_tokens)
    made = run_stage(base, "distill_vectors", chosen, {"domain": _source(corpus, reading)}, seed, options)
    show.measured(made.measured, out)


def _single(out: Path, store: str, threads: int | None, precision: str, micro_tokens: int | None, command: str = "") -> Any:
    from acclimate.study.run import Options
    from acclimate.study.store.opened import place

    return Options(out=out, store=place(store), threads=threads, precision=precision, micro_tokens=micro_tokens, command=command, **shown())
