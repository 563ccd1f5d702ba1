"""Verbs that use a trained model on files. Heavy imports wait until a verb needs them."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from acclimate.cli import show


def predict(
    model: Annotated[Path, typer.Argument(help="Folder of a trained model.", show_default=False)],
    file: Annotated[str, typer.Argument(help="File with texts (any format that studies read).", show_default=False)],
    out: Annotated[Path | None, typer.Option("--out", help="File to write, .jsonl or .csv. Default: jsonl on standard output.")] = None,
    text: Annotated[str | None, typer.Option("--text", help="Column with the text.")] = None,
) -> None:
    """Label texts: a line a text with its label and the probability of each."""
    from acclimate.evaluation.apply import predict_file

    predict_file(model, file, out, text, sys.stdout)


def evaluate(
    model: Annotated[Path, typer.Argument(help="Folder of a trained model.", show_default=False)],
    file: Annotated[str, typer.Argument(help="Labelled file.", show_default=False)],
    text: Annotated[str | None, typer.Option("--text", help="Column with the text.")] = None,
    label: Annotated[str | None, typer.Option("--label", help="Column with the label.")] = None,
) -> None:
    """Measure a trained model on labelled texts."""
    from acclimate.evaluation.apply import evaluate_file

    show.scores(evaluate_file(model, file, text, label))
