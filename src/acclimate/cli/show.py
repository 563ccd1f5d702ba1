"""What the verbs print: results to stdout, everything on the way to stderr."""

import json
import shlex
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acclimate.cli.streams import raw
from acclimate.inert import inert, one_line
from acclimate.report.words.text import percent, size

MOST_SHOWN = 15  # entries of a list in one line
SMALL = 1e-3  # below it a number is written with its leading digits
WORDS = 40  # that could be added, with a line each
MOST_COUNTED = 100  # entries with a number each

if TYPE_CHECKING:
    from acclimate.cli.doctor import Finding
    from acclimate.data.vocabularies.choice import Choice
    from acclimate.data.vocabularies.learned import Learned
    from acclimate.export.export_model import Exported
    from acclimate.report.results.finished import Results
    from acclimate.report.tables.grid import Grid
    from acclimate.study.run import Finished
    from acclimate.study.single import Made
    from acclimate.study.store.entries import Entry


def say(line: str) -> None:
    """A line about what is going on."""
    # One write: lines of several threads do not run into each other. Inert here, too: a live view reads colours in what is printed.
    print(f"{inert(line)}\n", end="", file=sys.stderr, flush=True)


def plain(value: Any) -> None:
    """Text as it is, anything else as JSON."""
    print(value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False))


def data_lines(facts: dict[str, Any]) -> list[str]:
    """The facts about the data, flat: `task.train.texts: 500`."""

    def flatten(value: Any, path: str) -> list[str]:
        if isinstance(value, dict) and value and not all(isinstance(each, int | float | str) for each in value.values()):
            return [line for name, each in value.items() for line in flatten(each, f"{path}.{name}" if path else str(name))]
        if value in (None, {}, [], (), ""):
            return []
        if isinstance(value, dict):
            shown = [f"{name} {each}" for name, each in value.items()]
            return [f"{path}: {', '.join(shown if len(shown) <= MOST_COUNTED else [*shown[:3], f'... ({len(shown):,} in all)'])}"]
        if isinstance(value, list | tuple):
            shown = [str(each) for each in value]
            return [f"{path}: {', '.join(shown if len(shown) <= MOST_SHOWN else [*shown[:3], '...'])}"]
        return [f"{path}: {value}"]

    return flatten(facts, "")


def results(found: "Results") -> None:
    """The comparison table and the verdict in two sentences."""
    from acclimate.report.tables.comparison import console_table
    from acclimate.report.tables.general_text import general_grids
    from acclimate.report.tables.grid import console_grid
    from acclimate.report.tables.speeds import speeds_grids
    from acclimate.report.tables.vocabularies import vocabulary_grids
    from acclimate.report.words.general_text import forgetting_sentence
    from acclimate.report.words.searches import unequal_searches
    from acclimate.report.words.speeds import speed_sentence
    from acclimate.report.words.verdict import verdict_sentences

    page = console()
    page.print(console_table(found))
    for grid in (*vocabulary_grids(found), *general_grids(found), *speeds_grids(found)):
        page.print(console_grid(grid))
    said = (*verdict_sentences(found), unequal_searches(found), forgetting_sentence(found), speed_sentence(found))
    for sentence in filter(None, said):
        page.print(inert(sentence), markup=False, highlight=False)


def finished(found: "Results", ended: "Finished", page: Path) -> None:
    """What a study came to and where to look."""
    results(found)
    if ended.failed:
        print(f"{ended.failed} of {ended.runs} runs failed; the report says why")
    print(f"Report: {page}")
    if ended.handover.best is not None:
        print(f"Best model: {ended.out / 'best'} ({ended.handover.best.recipe}, seed {ended.handover.best.seed})")
    if ended.handover.best_transformer is not None:
        other = ended.handover.best_transformer
        print(f"Best for plain transformers: {ended.out / 'best_transformer'} ({other.recipe}, seed {other.seed})")


def forgot(made: "Made") -> None:
    """What a single stage forgot of general text, where that was measured."""
    from acclimate.report.results.finished import Results
    from acclimate.report.words.general_text import forgetting_sentence

    if said := forgetting_sentence(Results.of_run(made.row, made.facts)):
        console().print(inert(said), markup=False, highlight=False)


def measured(facts: dict[str, Any], out: Path) -> None:
    """What a single stage measured."""
    for note in facts["notes"]:
        print(f"note: {note}")
    scores(facts["metrics"])
    print(f"Model: {out}")


def changed_vocabulary(made: "Made", out: Path) -> None:
    """What a stage that changed a vocabulary measured, what both vocabularies make of texts, and how fast the model is with each."""
    measured(made.measured, out)
    for text in next(iter(made.facts["vocabularies"].values()), []):
        words = max(1, text["words"])
        print(f"Text {one_line(text['text'])}{'' if text['whole'] else ', a sample of it'} ({text['words']:,} words):")
        for when in ("before", "after"):
            tokens, unknown = text[f"tokens_{when}"], text[f"unknown_{when}"]
            print(f"{when:26} {tokens / words:.3f} tokens per word, {percent(unknown / max(1, tokens))} of them unknown ({unknown:,})")
    after, before = (made.measured["cost"].get(f"characters_per_second{when}") for when in ("", "_before"))
    if after and before:
        print("Training (masked language modelling, forward and backward) on the same text, in turn:")
        print(f"{'before':26} {before:,.0f} characters/s")
        print(f"{'after':26} {after:,.0f} characters/s, {after / before:.2f} times as fast")
    forgot(made)


def words(found: "Choice", size: int) -> None:
    """Words that a vocabulary could get, those that save most first, and what the first so many save together."""
    print(f"{len(found.found):,} words occur {found.rules.min_count} times and are written in several pieces; those that save most tokens:")
    wide = max((len(each.word) for each in found.found[:WORDS]), default=0)
    for each in found.found[:WORDS]:
        print(f"{each.word:{wide}}  {each.count:>8,} times in {each.pieces} pieces, {each.saved:>8,} tokens saved")
    for count in sorted({size, *(number for number in (100, 1000, 10_000) if number < len(found.found)), len(found.found)}):
        if count <= len(found.found):
            print(f"{count:>10,} words save {100 * found.share_saved(count):.1f} % of {found.tokens:,} tokens")


def learned(found: "Learned", out: Path) -> None:
    """What a vocabulary came to on its corpus."""
    asked = f" (of {found.asked:,} asked for; no further pair occurs often enough)" if found.entries < found.asked else ""
    print(f"{'entries':26} {found.entries:,}{asked}")
    print(f"{'documents':26} {found.documents:,}")
    print(f"{'tokens':26} {found.tokens:,}")
    print(f"{'characters_per_token':26} {found.characters_per_token:.2f}")
    if found.different:
        print(f"{'characters':26} {found.alphabet:,} of {found.different:,} different ones in the corpus")
    print(f"{'unknown':26} {100 * found.unknown_share:.1f} % of the tokens are unknown ({found.unknown_tokens:,})")
    if found.note:
        print(f"note: {found.note}")
    print(f"Tokenizer: {out}")


def scores(metrics: dict[str, Any]) -> None:
    """Names and numbers, in columns; what stands in a mapping has both names."""
    wide = max(26, *map(len, metrics)) if metrics else 26
    for name, value in metrics.items():
        if isinstance(value, dict):
            scores({f"{name}.{inner}": each for inner, each in value.items()})
        else:
            # A learning rate that was found is far below what four digits behind the point show.
            digits = ".4g" if isinstance(value, float) and 0 < abs(value) < SMALL else ".4f"
            print(f"{name:{wide}} {value:{digits}}" if isinstance(value, float) else f"{name:{wide}} {value}")


def speeds(found: dict[str, dict[str, Any]]) -> None:
    """How large and how fast models are, by their folders."""
    from acclimate.evaluation.answer_speed import doubt
    from acclimate.report.tables.grid import Grid
    from acclimate.report.words.text import amount, moment

    rows = []
    for model, told in found.items():
        speed = (moment(told["latency_seconds"]), f"{told['texts_per_second']:,.0f}")
        rows.append((model, amount(told["parameters"]), size(told["disk_bytes"]), *speed, told["by"], told["device"]))
    caption = "Size and speed, from texts to answers: median time of one text alone, and texts a second in batches of 32"
    headings = ("model", "parameters", "on disk", "one text", "texts/s", "answered by", "device")
    _table(Grid(caption, headings, tuple(rows), frozenset({0, 5, 6})))
    if said := doubt(max(float(told["busy"]) for told in found.values())):
        print(f"note: {said}")


def entries(found: "list[Entry]", done: str = "") -> None:
    """Folders of a store, the last used first."""
    for entry in found:
        used = datetime.fromtimestamp(entry.used).strftime("%Y-%m-%d %H:%M")
        print(f"{entry.kind:9} {entry.key[:16]:16}  {size(entry.size):>10}  {used}  {entry.title or entry.stage}")
    print(f"{len(found)} folders{f' {done}' if done else ''}, {size(sum(entry.size for entry in found))}")


def findings(found: "list[Finding]") -> None:
    """What the doctor saw."""
    for finding in found:
        print(f"{'ok  ' if finding.ok else 'BAD '} {finding.what:18} {finding.found}{f' — {finding.mend}' if finding.mend else ''}")


def overlap(facts: dict[str, Any], page: Path | None) -> None:
    """How alike texts are: facts of each, and a matrix a measure; and where the page is, if there is one."""
    from acclimate.report.tables.text_overlap import matrices, texts_grid

    for grid in (texts_grid(facts), *(matrix.grid for matrix in matrices(facts))):
        _table(grid)
    for note in facts["notes"]:
        print(f"note: {note}")
    if page is not None:
        print(f"Report: {page}")


def exported(found: "Exported", out: Path) -> None:
    """The forms of a model that was exported, side by side."""
    from acclimate.evaluation.answer_speed import doubt
    from acclimate.export.timing import TOGETHER
    from acclimate.report.tables.grid import Grid

    best = next((form.score for form in found.forms), None)
    rows = []
    for form in found.forms:
        cells = [form.name, size(form.bytes), f"{form.speed.milliseconds:.1f} ms", f"{form.speed.texts_per_second:,.0f} texts/s"]
        cells.append("–" if form.difference is None else f"{form.difference:.1e}")
        if found.metric is not None and form.score is not None and best is not None:
            cells.append(f"{form.score:.4f}" + ("" if form is found.forms[0] else f" ({form.score - best:+.4f})"))
        rows.append(tuple(cells))
    headings = ["form", "size", "one at a time", f"{TOGETHER} together", "largest difference", *([found.metric] if found.metric else [])]
    threads = f"{found.threads} CPU thread{'s' if found.threads > 1 else ''}"
    caption = f"Compared on {found.texts:,} {found.of}; from token ids to outputs, padded, {threads}"
    _table(Grid(caption=caption, headings=tuple(headings), rows=tuple(rows), words=frozenset({0})))
    if said := doubt(found.busy):
        print(f"note: {said}")
    print(f"Exported: {out}")


def attention(facts: dict[str, Any], page: Path | None, svg: Path | None) -> None:
    """What heads attend to most, how far they moved, what tokens add to an answer, and where that is written."""
    from acclimate.report.tables.attention import attended

    view = attended(facts)
    for maps in view.models:
        print(one_line(maps.says(view.layer, view.head)))
    for heat in view.heats:
        _table(heat.grid)
    if view.said:
        print(view.said)
    for added in view.attributions:
        _table(added.grid)
        print(added.said)
    print(view.warning)
    for note in view.notes:
        print(f"note: {one_line(note)}")
    for what, path in (("Page", page), ("SVG", svg)):
        if path is not None:
            print(f"{what}: {path}")


def _table(grid: "Grid") -> None:
    from rich.table import Table
    from rich.text import Text

    print(f"{one_line(grid.caption)}:")
    table = Table()
    for place, heading in enumerate(grid.headings):
        table.add_column(Text(one_line(heading)), justify="left" if place in grid.words else "right", overflow="fold")
    for row in grid.rows:
        table.add_row(*(Text(one_line(cell)) for cell in row))
    console().print(table)


def command(verb: str, *arguments: str, **options: Any) -> str:
    """A command as one may write it down for others: of a path from this machine's root the last part alone."""
    words = ["acclimate", verb, *map(told, arguments)]
    for name, given in options.items():
        flag = name.replace("_", "-")
        if isinstance(given, bool):
            words.append(f"--{flag}" if given else f"--no-{flag}")
            continue
        for value in given if isinstance(given, list) else [given]:
            words += [f"--{flag}", told(str(value))]
    return shlex.join(words)


def told(word: str) -> str:
    """A word of a command: of a path from this machine's root the last part alone."""
    return Path(word).name if Path(word).is_absolute() else word


def console() -> Any:
    """Standard output."""
    from rich.console import Console

    # Not a terminal: lines as long as the table wants, so that nothing is cut in a log or a README.
    out = raw(sys.stdout)
    return Console(file=out) if out.isatty() else Console(file=out, width=160)
