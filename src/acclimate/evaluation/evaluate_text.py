"""A language model, masked or a decoder, on files of text: what a byte of it costs."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from acclimate.data.corpus import CorpusSettings
from acclimate.data.readers.couples import text_columns
from acclimate.data.readers.one_split import open_one
from acclimate.data.readers.problems import Problems
from acclimate.data.readers.texts import read_texts
from acclimate.errors import DataError, ModelError, SettingsError
from acclimate.tasks.kind import many
from acclimate.tasks.perplexity import Perplexity, scored
from acclimate.tasks.split import Split

MOST_TOKENS = 8192  # of a forward pass


def evaluate_text(model: Path, file: str, reading: Mapping[str, Any], say: Callable[[str], None], split: str | None) -> dict[str, Any]:
    """The scores of a language model on the documents of a file, a folder, a glob or a dataset, read as a corpus is.

    Raises:
        DataError: records cannot be used, or there are none.
        ModelError: the model cannot be read, or has no head for masked language modelling.
        SettingsError: `reading` says what a text does not know, as labels.
    """
    settings = _read_as({"path": file, **reading})
    source = open_one(file, Path.cwd(), settings.reading, split)
    columns = text_columns(source, settings.text, settings.text_b)
    source.check_columns(columns)
    with Problems(settings.skip_bad) as problems:
        texts = tuple(text for record in read_texts(source, columns, problems) for text in record)
    if not texts:
        raise DataError(f"{source.files[0]}: there is no document to evaluate on")
    sums_N5 = _sums(model, texts)
    items = many(Perplexity.item)
    say(f"evaluated on {len(texts):,} {items} of {file}" + (f"; {problems.rejected:,} are left out" if problems.rejected else ""))
    say("lower is better for bits_per_byte, loss")
    judged = Split((texts,), np.zeros(len(texts), np.int64), np.arange(len(texts)), source.files, None, (Path(file).name,))
    return {items: len(texts), **Perplexity.scores(judged, scored(sums_N5, judged))}


def _read_as(said: Mapping[str, Any]) -> CorpusSettings:
    try:
        return CorpusSettings.model_validate(said)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        setting = ".".join(map(str, first["loc"]))
        why = "says nothing of held-out text, by which this model is judged" if first["type"] == "extra_forbidden" else first["msg"]
        raise SettingsError(f"`{setting}:` {why}") from error


def _sums(folder: Path, texts: tuple[str, ...]) -> Any:
    from acclimate.evaluation.document_scores import document_sums
    from acclimate.modeling.execution import Packed
    from acclimate.modeling.finite import check_finite
    from acclimate.modeling.folder import ModelFolder
    from acclimate.modeling.heads import load_mlm
    from acclimate.modeling.longest import sequence_length
    from acclimate.objectives.clm import Borders, NextTokens
    from acclimate.training.devices import Devices

    found = ModelFolder(folder)
    model, fresh = load_mlm(found, 0)
    if fresh:
        raise ModelError(f"{folder}: this model has no head for masked language modelling; pretrain it first")
    check_finite(folder, ((name, bool(values.isfinite().all())) for name, values in model.named_parameters()))
    devices = Devices()
    packed = Packed(model).to(devices.device)
    borders = Borders.of(found) if packed.family.decoder else None
    asked = packed if borders is None else NextTokens(packed)
    return document_sums(asked, texts, found.tokenizer(), sequence_length(None, found), MOST_TOKENS, devices, borders=borders)
