"""Verbs that use a trained model on files. Heavy imports wait until a verb needs them."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from acclimate.cli import show
from acclimate.cli.mends import in_options, options_of
from acclimate.cli.options import ThreadsOption
from acclimate.cli.reading_options import ASKED, LABELS, RANKED, WRITTEN, Reading, reads
from acclimate.cli.zero_shot_options import ZERO_SHOT, asked_model

if TYPE_CHECKING:
    from acclimate.evaluation.trained_folder import Loadable
    from acclimate.export.served import Served

ModelFolder = Annotated[Path, typer.Argument(help="Folder of a trained model.", show_default=False)]
SplitOption = Annotated[
    str | None, typer.Option("--split", help="Of a folder or dataset that holds several splits: train, dev or test.", show_default=False)
]


@reads(ASKED | ZERO_SHOT)
def predict(
    model: ModelFolder,
    file: Annotated[str, typer.Argument(help="Texts: a file of any format that studies read, a folder or a glob.", show_default=False)],
    reading: Reading,
    out: Annotated[Path | None, typer.Option("--out", help="File to write, .jsonl or .csv. Default: jsonl on standard output.")] = None,
    split: SplitOption = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop before predicting where a row has no text, instead of marking it.")
    ] = False,
) -> None:
    """Label texts, or pairs of texts: an answer for every row (of txt, every line), in order, with the probability of each label.

    A model that tags words answers with entities: where each begins and ends, what it is, and how sure that is. Rows may then be lists of
    words, or sentences in columns (CoNLL). One that writes answers is given prompts, or conversations.

    A row whose text is empty or cannot be read gets an answer without a label that says why in `problem`. With --zero-shot a model of
    natural language inference is asked for any labels, and need not have learned any of them.
    """
    from acclimate.data.readers.every_text import AskedFiles
    from acclimate.errors import SettingsError
    from acclimate.evaluation.apply import predict_file

    if strict and reading.get("skip_bad"):
        raise SettingsError("--strict stops at rows without text, --skip-bad leaves them out: say one of them")
    asked, reading = _asked(model, reading)
    options = options_of(predict)

    def words(problem: str) -> str:
        return in_options(problem, options)

    predict_file(asked, AskedFiles(path=file, **reading), out, sys.stdout.buffer, show.say, split, strict, words)


@reads(LABELS | RANKED | WRITTEN | ZERO_SHOT)
def evaluate(
    model: ModelFolder,
    file: Annotated[str, typer.Argument(help="Labelled texts: a file, a folder, a glob or a dataset.", show_default=False)],
    reading: Reading,
    split: SplitOption = None,
) -> None:
    """Measure a trained model on labelled texts; with --zero-shot one of natural language inference, which is asked for their labels.

    A model of vectors, or one that ranks documents, is measured on queries: a BEIR folder, or rows with a query and its documents.
    """
    from acclimate.evaluation.apply import evaluate_file

    asked, reading = _asked(model, reading)
    show.scores(evaluate_file(asked, file, reading, show.say, split))


@reads(ASKED)
def speed(
    models: Annotated[list[Path], typer.Argument(help="Folders of trained models, exported ones among them.", show_default=False)],
    data: Annotated[
        str, typer.Option("--data", help="Texts of the kind that they answer: a file, a folder or a glob.", show_default=False)
    ],
    reading: Reading,
    split: SplitOption = None,
    threads: ThreadsOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON alone.")] = False,
) -> None:
    """Say how large trained models are and how fast they answer here: one text alone, and batches of 32.

    The first 2,000 rows that have a text are what it is measured on. Nothing else should run on the machine meanwhile. An exported folder
    is measured by onnxruntime, in each of its forms.
    """
    from acclimate.data.readers.every_text import AskedFiles
    from acclimate.evaluation.apply import speed_of_file

    asked = AskedFiles(path=data, **reading)
    forms = {name: form for model in models for name, form in _forms(model).items()}
    found = {name: speed_of_file(form, asked, show.say, split, threads) for name, form in forms.items()}
    if as_json:
        show.plain(found)
    else:
        show.speeds(found)


def _forms(model: Path) -> "dict[str, Path | Served]":
    """A trained model as it is, or the forms of an exported one, by what a table calls them."""
    from acclimate.modeling.base_files import EXPORTED

    if not (model / EXPORTED).is_file():
        return {str(model): model}
    from acclimate.export.installed import RUNNER, check_installed

    check_installed("an exported model", RUNNER)
    from acclimate.export.served import Served

    return {form.name: form for form in Served.forms(model)}


def _asked(model: Path, reading: Reading) -> "tuple[Path | Loadable, Reading]":
    """A trained model as it is, an exported one, or one of inference with the labels that it is asked for; and the other options."""
    form = next(iter(_forms(model).values()))
    if isinstance(form, Path) or any(name in reading for name in ZERO_SHOT):
        return asked_model(model, reading)
    return form.answering(texts=2 if "text_b" in reading else 1), reading


@reads(LABELS)
def export(
    model: Annotated[
        str, typer.Argument(help="Folder of a trained model, or of a sentence encoder (its short name or hub id, too).", show_default=False)
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for what is exported.", show_default=False)],
    reading: Reading,
    onnx: Annotated[bool, typer.Option("--onnx", help="As a graph of ONNX; there is no other form yet.")] = False,
    int8: Annotated[bool, typer.Option("--int8", help="Also with weights in 8-bit integers: a quarter of the size.")] = False,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            help="Labelled texts on which the export is compared and int8 costs score; else dev of the study that the model is from.",
        ),
    ] = None,
    split: SplitOption = None,
) -> None:
    """Export a model to run without torch, by onnxruntime; its outputs are compared with the model's own before anything is kept.

    Beside the graph lie tokenizer, labels and a file of Python that needs onnxruntime, tokenizers and numpy alone.
    """
    from acclimate.errors import SettingsError
    from acclimate.export.installed import check_installed

    if not onnx:
        raise SettingsError("say into what: --onnx")
    check_installed()
    from acclimate.export.export_model import export_model
    from acclimate.study.dev_items import dev_items

    options = options_of(export)

    def say(line: str) -> None:
        show.say(in_options(line, options))

    dev = dev_items(model, say) if data is None else None
    show.exported(export_model(model, out, int8, data, reading, say, split, dev), out)
