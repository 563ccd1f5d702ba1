"""Verbs that look: at this machine, at the settings, at texts."""

from pathlib import Path
from typing import Annotated

import typer

from acclimate.cli import show
from acclimate.cli.options import StudyFile, ThreadsOption
from acclimate.cli.reading_options import TEXTS, Reading, reads


def doctor() -> None:
    """Say what this machine has and what is missing."""
    from acclimate.cli.doctor import examine

    findings = examine(Path.cwd())
    show.findings(findings)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


def schema(markdown: Annotated[bool, typer.Option("--markdown", help="As a reference page instead of JSON Schema.")] = False) -> None:
    """Print the JSON Schema of study files, for editors."""
    from acclimate.study.language.schema import json_schema, reference_markdown

    show.plain(reference_markdown() if markdown else json_schema())


@reads(TEXTS)
def overlap(
    texts: Annotated[
        list[str], typer.Argument(help="Corpora: files, globs, folders or hub ids, each also as NAME=PATH.", show_default=False)
    ],
    reading: Reading,
    task: Annotated[
        str | None, typer.Option("--task", help="Labelled file, folder or dataset: the texts of its training split are one more.")
    ] = None,
    kind: Annotated[
        str | None, typer.Option("--kind", help="Kind of that task where its texts are no single column: pair, similarity or tag.")
    ] = None,
    model: Annotated[str, typer.Option("--model", help="Base whose tokens and masked loss are told.")] = "acclimate-mini",
    words: Annotated[int, typer.Option("--words", min=1, max=10**7, help="Most frequent words of each text that are compared.")] = 10_000,
    sample: Annotated[int, typer.Option("--sample", min=1, help="Documents of each text that are looked at, drawn at random.")] = 50_000,
    seed: Annotated[int, typer.Option("--seed", min=0, max=2**32 - 1)] = 0,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for a page with heat maps, and for the numbers as JSON.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON alone.")] = False,
    threads: ThreadsOption = None,
) -> None:
    """How alike corpora and a task's texts are: words that they share, divergence, tokens per word, the base's masked loss."""
    from acclimate.report.pages.overlap_page import check_place, write_overlap
    from acclimate.study.compared_texts import Asked, compare_texts

    if out is not None:
        check_place(out)
    found = compare_texts(Asked(texts, task, kind, reading, words, sample, seed), model, show.say, threads)
    page = None if out is None else write_overlap(found, out)
    if as_json:
        show.plain(found)
    else:
        show.overlap(found, page)


@reads(TEXTS)
def attention(
    models: Annotated[
        list[str],
        typer.Argument(metavar="MODEL...", help="Folders, short names or hub ids: before, after, ...", show_default=False),
    ],
    sentence: Annotated[str, typer.Argument(help="What they read, in quotes.", show_default=False)],
    reading: Reading,
    second: Annotated[
        str | None, typer.Option("--second", help="Second text of a pair, which models of pairs read together with the sentence.")
    ] = None,
    texts: Annotated[
        str | None, typer.Option("--texts", help="File whose first 50 texts heads are compared over. Default: the sentence alone.")
    ] = None,
    layer: Annotated[int | None, typer.Option("--layer", help="Shown first, from 1. Default: of the head that moved most.")] = None,
    head: Annotated[int | None, typer.Option("--head", help="Shown first, from 1.")] = None,
    attributions: Annotated[
        bool, typer.Option("--attributions", help="Tell what each token adds to a classifier's answer, too (extra: explain).")
    ] = False,
    label: Annotated[str | None, typer.Option("--for", help="With --attributions: the label. Default: the likeliest.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Page to write. Default: attention.html, or none with --svg.", show_default=False)
    ] = None,
    svg: Annotated[Path | None, typer.Option("--svg", help="File for the maps of the shown head, for a paper.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON alone, and write only what is named.")] = False,
    threads: ThreadsOption = None,
) -> None:
    """Show what the heads of models attend to in a sentence, side by side, and how far each head moved from one model to the next."""
    from acclimate.report.pages.attention_page import check_places, write_attention
    from acclimate.study.attended import Wanted, attend

    page = out if out is not None or svg is not None or as_json else Path("attention.html")
    check_places(page, svg)
    found = attend(Wanted(models, sentence, texts, reading, layer, head, attributions, label, second), show.say, threads)
    write_attention(found, page, svg)
    if as_json:
        show.plain(found)
    else:
        show.attention(found, page, svg)


def leaks(
    file: StudyFile,
    as_json: Annotated[bool, typer.Option("--json", help="Print every leak as JSON, and nothing else.")] = False,
    examples: Annotated[int, typer.Option("--examples", min=0, help="Examples of each corpus and kind.")] = 3,
    fail: Annotated[bool, typer.Option("--fail", help="Exit code 1 if anything was found, e.g. for a CI.")] = False,
) -> None:
    """Show which texts of dev and test stand in a study's corpora or in train: equal, nearly so, or within longer documents."""
    from acclimate.cli.shown_leaks import leaks as show_leaks
    from acclimate.study.language.study import load_study
    from acclimate.study.leaks import leaks_json, look_for_leaks

    data = look_for_leaks(load_study(file), file.resolve().parent)
    if as_json:
        show.plain(leaks_json(data))
    else:
        show_leaks(data, examples)
    if fail and any(holding.leaks for holding in data.found.holdings.values()):
        raise typer.Exit(1)
