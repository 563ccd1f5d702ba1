"""A trained model on a file: predictions as jsonl or csv, or scores where the file has labels."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from acclimate.data.corpus import Corpus, CorpusSettings
from acclimate.data.labelled import read_labelled
from acclimate.errors import DataError, SettingsError
from acclimate.evaluation.metrics import classification_metrics
from acclimate.evaluation.predictor import Predictor, load_predictor
from acclimate.files import atomic_file

CHUNK = 4096  # texts predicted at a time, so that a file larger than memory can be labelled


def predict_file(model: Path, file: str, out: Path | None, text: str | None, standard: IO[str]) -> None:
    """Label every text of `file`; a row a text: index, label, probabilities by label.

    Raises:
        SettingsError: `out` is neither .jsonl nor .csv.
        DataError, ModelError: the file or the model cannot be read.
    """
    if out is not None and out.suffix not in (".jsonl", ".csv"):
        raise SettingsError(f"{out}: predictions are written as .jsonl or .csv")
    corpus = Corpus.open("file", CorpusSettings(path=file, text=text), Path.cwd(), None)
    corpus.scan(None)
    predictor = load_predictor(model)
    rows = _rows(predictor, corpus.documents())
    if out is None:
        _write_jsonl(rows, standard)
        return
    with atomic_file(out) as path, path.open("w", encoding="utf-8", newline="") as stream:
        if out.suffix == ".jsonl":
            _write_jsonl(rows, stream)
        else:
            writer = csv.writer(stream)
            writer.writerow(["index", "label", *(f"p_{label}" for label in predictor.labels)])
            writer.writerows([row["index"], row["label"], *row["probabilities"].values()] for row in rows)


def evaluate_file(model: Path, file: str, text: str | None, label: str | None) -> dict[str, Any]:
    """Scores of a model on a labelled file.

    Raises:
        DataError: a label of the file is unknown to the model.
    """
    predictor = load_predictor(model)
    texts, labels = read_labelled(file, Path.cwd(), text, label)
    known = {name: number for number, name in enumerate(predictor.labels)}
    unknown = sorted(set(labels) - known.keys())
    if unknown:
        raise DataError(f"{file}: label {unknown[0]!r} is not among the model's labels {list(predictor.labels)}")
    gold = np.array([known[name] for name in labels])
    return {"texts": len(texts), **classification_metrics(gold, predictor.probabilities(texts))}


def _rows(predictor: Predictor, texts: Iterator[str]) -> Iterator[dict[str, Any]]:
    chunk: list[str] = []
    index = 0
    for text in texts:
        chunk.append(text)
        if len(chunk) == CHUNK:
            yield from _predicted(predictor, chunk, index)
            index, chunk = index + len(chunk), []
    if chunk:
        yield from _predicted(predictor, chunk, index)


def _predicted(predictor: Predictor, texts: list[str], index: int) -> Iterator[dict[str, Any]]:
    for number, row in enumerate(predictor.probabilities(texts)):
        probabilities = {label: round(float(p), 6) for label, p in zip(predictor.labels, row, strict=True)}
        yield {"index": index + number, "label": predictor.labels[int(row.argmax())], "probabilities": probabilities}


def _write_jsonl(rows: Iterator[dict[str, Any]], stream: IO[str]) -> None:
    for row in rows:
        stream.write(json.dumps(row, ensure_ascii=False) + "\n")
