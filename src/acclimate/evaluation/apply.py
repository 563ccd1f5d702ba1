"""A trained model on files: an answer for every row, or scores where the rows have labels."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from acclimate.data.corpus import CorpusSettings
from acclimate.data.ragged import Ragged
from acclimate.data.readers.every_text import Asked, RowTexts, asked_text, every_text
from acclimate.data.readers.one_split import open_one
from acclimate.data.readers.problems import Problems, place
from acclimate.data.readers.records import Source
from acclimate.errors import DataError, ModelError, SettingsError
from acclimate.evaluation.answer_speed import Items, Way, answer_speed, model_bytes, speed_of
from acclimate.evaluation.answers import AnswerForm, EntityForm, LabelForm, WrittenForm
from acclimate.evaluation.asked_rows import NAMED, by_line, chunks_of, notes_of, without_text
from acclimate.evaluation.evaluate_ranking import evaluate_ranking, ranks
from acclimate.evaluation.labelled_file import LabelledFile, refuse_sentences
from acclimate.evaluation.predictor import load_predictor, problem_of
from acclimate.evaluation.stated import kind_of_model, stated_kind, texts_of
from acclimate.evaluation.trained_folder import Loadable, Predictor, model_config
from acclimate.evaluation.writing import check_out, opened, writer_of
from acclimate.evaluation.writing_predictor import WritingPredictor, writes
from acclimate.modeling.base_files import parameters_in
from acclimate.modeling.baselines.table import BASELINES, outputs_of
from acclimate.tasks import KINDS
from acclimate.tasks.generate import MESSAGES
from acclimate.tasks.kind import TaskKind, many
from acclimate.tasks.labelled_kind import LabelledKind
from acclimate.tasks.two_texts import asked_pair

Say = Callable[[str], None]
TIMED_ROWS = 2000  # from which those are taken that a model is timed on


def predict_file(
    model: Path | Loadable,
    asked: CorpusSettings,
    out: Path | None,
    standard: BinaryIO,
    say: Say,
    split: str | None = None,
    strict: bool = False,
    words: Callable[[str], str] = str,
) -> None:
    """Answer every row of the input, in order: index, label and probabilities, and file and line where there are several files.

    A row without a text that could be read gets an answer without a label that says why, and all of them are counted at the end. With
    `strict` the first look at them is an error, and nothing is predicted; with `asked.skip_bad` they are left out, and `index` counts on.
    `words` puts what is wrong with a row into the caller's own words. `model` is a folder, or one that is loaded otherwise.

    Raises:
        SettingsError: `out` is neither .jsonl nor .csv, or would overwrite what is read or the model.
        DataError: the files cannot be read, or it is not clear which split or column is meant.
        ModelError: the model cannot be read, or its weights or outputs are not finite.
    """
    model, stated, load = _known(model)
    source, wanted = _texts(asked, split, stated, texts_of(model_config(model)) if stated is None else stated.texts())
    for note in notes_of(str(asked.path), source, wanted.columns):
        say(note)
    folder = Path(str(asked.path)).expanduser()
    check_out(out, model, source.files, folder if folder.is_dir() else None)
    _look_through(source, wanted, strict)
    several = len(source.files) > 1 and source.format != "hf"
    bad: Counter[str] = Counter()
    named: list[str] = []
    count = 0
    with opened(out, standard) as stream:
        predictor = load()
        form = _form(predictor, wanted)
        writer = writer_of(stream, out, form, several)
        for row, answer in _answered(model, predictor, form, wanted, every_text(source, wanted)):
            count += 1
            if answer is None:
                bad[row.kind] += 1
                named += [words(row.problem)] if len(named) < NAMED else []
                if asked.skip_bad:
                    continue
            stands = {"index": row.row} | ({"file": str(row.file), "line": row.line} if several else {})
            writer.write(stands, form.none if answer is None else answer, words(row.problem) if answer is None else "")
    _say_unread(predictor, say)
    if bad:
        say(without_text(bad, count, named, "left out" if asked.skip_bad else "marked with a `problem` in the place of an answer"))


class Timed(Protocol):
    """A model that is not timed as the config.json of its folder says."""

    @property
    def kind(self) -> type[TaskKind] | None:
        """Of task that it answers; None where that is not known, or it gives vectors."""

    @property
    def texts(self) -> int | None:
        """Of an item; None: one or two."""

    @property
    def parameters(self) -> int:
        """Numbers in the weights."""

    @property
    def disk_bytes(self) -> int:
        """Of all that it needs to answer."""

    def way(self, threads: int | None) -> Way:
        """The model, ready to answer by so many threads of the CPU."""


def speed_of_file(
    model: Path | Timed, asked: CorpusSettings, say: Say, split: str | None = None, threads: int | None = None
) -> dict[str, Any]:  # fmt: skip
    """How large a model's folder is and how fast it answers the first rows of the input that have a text: what `AnswerSpeed` says, ready
    for JSON, and `parameters` and `disk_bytes`.

    Raises:
        DataError: the files cannot be read, no row has a text, or it is not clear which split or column is meant.
        ModelError: the model cannot be read, or answers no text by itself.
    """
    if isinstance(model, Path):
        config = model_config(model)
        if writes(config):
            raise ModelError(f"{model}: this model writes answers, and how long that takes depends on their length; it is not timed here")
        source, wanted = _texts(asked, split, stated_kind(config), texts_of(config))
    else:
        source, wanted = _texts(asked, split, model.kind, model.texts)
    for note in notes_of(str(asked.path), source, wanted.columns):
        say(note)
    texts = [row.texts for row in islice(every_text(source, wanted), TIMED_ROWS) if row.texts is not None]
    if not texts:
        raise DataError(f"{source.files[0]}: none of its first {TIMED_ROWS:,} rows has a text to answer")
    columns = tuple(zip(*texts, strict=True))
    items = Items(columns, None if wanted.words is None else wanted.words(columns[0]))
    if isinstance(model, Path):
        speed = answer_speed(model, items, threads)
        parameters, disk_bytes = sum(map(parameters_in, model.rglob("*.safetensors"))), model_bytes(model)
    else:
        speed = speed_of(partial(model.way, threads), items)
        parameters, disk_bytes = model.parameters, model.disk_bytes
    return {"parameters": parameters, "disk_bytes": disk_bytes, **speed.to_json()}


def evaluate_file(
    model: Path | Loadable, file: str, reading: Mapping[str, Any], say: Say, split: str | None = None,
    kinds: Sequence[type[TaskKind]] = KINDS, baselines: Mapping[str, str] = BASELINES,
) -> dict[str, Any]:  # fmt: skip
    """Scores of a model on the labelled rows of a file, a folder, a glob or a dataset; `reading` says how it is read, where that is stated.

    A masked language model is judged by the texts alone (`evaluate_text`), what finds documents by queries (`evaluate_ranking`). `kinds` of
    task and plain `baselines` are those that are known.

    Raises:
        DataError: rows cannot be used, or their labels are unknown to the model.
        ModelError: the model answers no kind of task that can be judged, or its weights or outputs are not finite.
        SettingsError: `reading` says what this kind of task does not know.
    """
    if isinstance(model, Path) and ranks(model, file):
        return evaluate_ranking(model, file, reading, say, split)
    texts = 2 if "text_b" in reading else 1
    kind_class = kind_of_model(model, kinds, texts) if isinstance(model, Path) else model.kind
    model, _, load = _known(model, baselines)
    if not issubclass(kind_class, LabelledKind):
        from acclimate.evaluation.evaluate_text import evaluate_text

        return evaluate_text(model, file, reading, say, split)
    opened_file = LabelledFile.open(kind_class, file, reading, split)
    predictor = load()
    judged = opened_file.rows(model, predictor.labels, say)
    if lower := [metric.name for metric in judged.kind.metrics if metric.lower_is_better]:
        say(f"lower is better for {', '.join(lower)}")
    outputs: Any
    if isinstance(predictor, WritingPredictor):
        outputs = predictor.judged(judged.split, judged.chat)
    else:
        outputs = outputs_of(predictor, judged.split)
        _check_finite(model, outputs, judged.rows.places, judged.split.words)
    _say_unread(predictor, say)
    return {many(judged.kind.item): len(judged.rows), **judged.scores(outputs, predictor.thresholds)}


def _known(
    model: Path | Loadable, baselines: Mapping[str, str] = BASELINES
) -> tuple[Path, type[TaskKind] | None, Callable[[], Predictor]]:  # fmt: skip
    """Its folder, the kind of task that it says it answers, and how it is loaded."""
    if not isinstance(model, Path):
        return model.folder, model.kind, model.predictor
    config = model_config(model)
    return model, stated_kind(config), lambda: load_predictor(model, baselines=baselines)


def _texts(asked: CorpusSettings, split: str | None, kind: type[TaskKind] | None, texts: int | None) -> tuple[Source, Asked]:
    """The source, and what of its rows a model of some kind is asked about, of so many texts where that is known; a line of txt is a text
    where nothing else is said.
    """
    said = {"text": asked.text, "text_b": asked.text_b}
    named = {role: column for role, column in said.items() if column is not None}
    if "text_b" in named and texts == 1:
        raise SettingsError("`text_b:` names a second text, and this model answers single texts")
    ask = kind.asked if kind is not None else asked_pair if "text_b" in named else asked_text
    reading = replace(asked.reading, sentences=kind is not None and kind.every_word)
    source = open_one(str(asked.path), Path.cwd(), reading, split)
    refuse_sentences(source, kind)
    source = by_line(source, asked)
    wanted = ask(source, named)
    source.check_columns(tuple(wanted.columns.values()))
    return source, wanted


def _form(predictor: Predictor, wanted: Asked) -> AnswerForm:
    if isinstance(predictor, WritingPredictor):
        return WrittenForm()
    if wanted.words is not None:
        return EntityForm(predictor.labels, wanted.tokens, predictor.thresholds)
    return LabelForm(predictor.labels, problem_of(predictor), predictor.thresholds)


def _look_through(source: Source, wanted: Asked, strict: bool) -> None:
    """Read everything once: what is wrong with a whole file (damaged, another encoding) is known before anything is predicted."""
    row = None
    with Problems() as problems:
        for row in every_text(source, wanted):
            if strict and row.texts is None:
                problems.add(row.kind, row.file, row.line, row.message)
    if row is None:
        raise DataError(f"{source.files[0]}: there is no row to answer")


def _answered(
    model: Path, predictor: Predictor, form: AnswerForm, wanted: Asked, rows: Iterator[RowTexts]
) -> Iterator[tuple[RowTexts, dict[str, Any] | None]]:
    """Every row with its answer, None for one without text."""
    for chunk in chunks_of(rows):
        items = [row.texts for row in chunk if row.texts is not None]
        places = [(row.file, row.line) for row in chunk if row.texts is not None]
        found: Iterator[dict[str, Any]] = iter(())
        if items:
            columns = tuple(zip(*items, strict=True))
            words = None if wanted.words is None else wanted.words(columns[0])
            if isinstance(predictor, WritingPredictor):
                outputs: Any = predictor.answers([*map(json.loads, columns[0])] if MESSAGES in wanted.columns else columns[0])
            else:
                outputs = predictor.probabilities(*columns, **({} if words is None else {"words": words}))
                _check_finite(model, outputs, places, words)
            found = iter(form.answers(outputs, columns[0], words))
        for row in chunk:
            yield row, None if row.texts is None else next(found)


def _say_unread(predictor: Predictor, say: Say) -> None:
    if predictor.unread is not None and (told := predictor.unread.told()):
        say(told)


def _check_finite(model: Path, outputs: NDArray[np.float64], places: Sequence[tuple[Path, int]], words: Ragged | None) -> None:
    """Refuse outputs [N, L] of items at `places`, or [all words, L], that are no numbers."""
    broken = np.flatnonzero(~np.isfinite(outputs).all(axis=1))
    if len(broken):
        item = int(broken[0]) if words is None else int(np.searchsorted(words.offsets, broken[0], side="right")) - 1
        raise ModelError(
            f"{model}: the model is broken, not the data: its outputs are not finite numbers (NaN or infinite), "
            f"first for {place(*places[item])}; copy the folder again, or train the model again"
        )
