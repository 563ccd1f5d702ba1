"""A trained model as a folder that runs without torch: written, asked the same texts as the model itself, and only then put in its place.

model.onnx, model_int8.onnx   the graph with its weights; above 2 GB these stand beside it, in model.onnx.data
tokenizer.json                as the model reads texts
acclimate_onnx.json           labels, kind, thresholds, length, inputs, and what the comparison found
head.npz                      of a model that answers by vectors, the head on them
onnx_model.py                 runs it with onnxruntime, tokenizers and numpy
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from acclimate.data.exact_search import unit
from acclimate.errors import ModelError, SettingsError
from acclimate.evaluation import answer_speed
from acclimate.evaluation.labelled_file import LabelledFile, LabelledItems
from acclimate.evaluation.stated import kind_of_model
from acclimate.export import onnx_model
from acclimate.export.asked_texts import AskedTexts, of_file, of_judged, of_sample
from acclimate.export.graph import Exportable
from acclimate.export.onnx_model import FACTS, FORMAT, HEAD, OnnxModel, weights_beside
from acclimate.export.served import outputs_of
from acclimate.export.subject import Subject
from acclimate.export.timing import SINGLE, TOGETHER, Speed, speeds
from acclimate.export.to_onnx import OPSET, weight_bytes, write_int8, write_onnx
from acclimate.files import locked, write_json
from acclimate.modeling.base_files import TOKENIZER
from acclimate.owned import own_folder, refuse_foreign, refuse_holding
from acclimate.tasks.labelled_kind import LabelledKind
from acclimate.versions import version

FLOAT32, INT8 = "model.onnx", "model_int8.onnx"
TOLERANCE = 1e-4
"""Most that a probability, a coordinate of a vector, or a number (of one above 1 this share of it) may differ from the model's own."""


COSINE = "mean cosine with torch's"


@dataclass(frozen=True)
class Form:
    """One form of the model, as measured."""

    name: str
    bytes: int
    speed: Speed
    difference: float | None
    """The largest, from the model's own outputs."""
    score: float | None
    """Of the labelled items, where there were some; of vectors the mean cosine with the model's own."""


@dataclass(frozen=True)
class Exported:
    """What an export came to."""

    forms: tuple[Form, ...]
    texts: int
    """By which they were compared."""
    of: str
    """Where these are from."""
    metric: str | None
    threads: int
    busy: float
    """The share of all processors that was at work before the forms were timed, 0 to 1."""


def export_model(
    model: str, out: Path, int8: bool, data: str | None, reading: Mapping[str, Any], say: Callable[[str], None], split: str | None = None,
    dev: LabelledItems | None = None,
) -> Exported:  # fmt: skip
    """Export a model into the folder `out`, which appears when all is done and the outputs equal the model's own.

    They are compared on the labelled items of `data`, of a sentence encoder on its texts; where none are named, on `dev`, those of the
    study that the model is from; else on texts that come along.

    Raises:
        DataError: `data` cannot be read, or has labels that the model does not know.
        ModelError: the model is of a sort that is not exported, is damaged, has an operator that ONNX lacks, or differs from its export.
        SettingsError: `out` is somebody's folder, or holds what is read.
    """
    subject = Subject.of(model)
    refuse_holding(out, {"the model": [subject.folder], "the data": [Path(data).expanduser()] if data is not None else []})
    if subject.folder.resolve() in out.resolve().parents:
        raise SettingsError(f"{out}: is inside of the model's folder; choose another --out")
    refuse_foreign(out, "export")
    if data is None and (said := [*reading, *(["split"] if split is not None else [])]):
        raise SettingsError(f"`{said[0]}:` says how the data are read, and none are named (--data)")
    opened = _opened(subject, data, reading, split)
    place = out.resolve()
    with (
        locked(place.with_name(f".{place.name}.lock"), timeout=0),
        subject.exportable() as exportable,
        own_folder(place, "export") as folder,
    ):
        labels = tuple(exportable.facts["labels"])
        judged = _answered(dev, subject, labels) if opened is None else opened.rows(subject.folder, labels, say)
        asked = _texts(exportable, data, reading, split) if judged is None else of_judged(judged, data or "the study's dev")
        say(f"exporting {subject.name} ({subject.kind}, opset {OPSET})")
        facts = _write(folder, exportable, subject, int8)
        return _compared(folder, facts, subject, exportable, judged, asked, int8, say)


def _opened(subject: Subject, data: str | None, reading: Mapping[str, Any], split: str | None) -> LabelledFile | None:
    if data is None or subject.way == "vectors":
        return None
    kind = kind_of_model(subject.folder, texts=2 if "text_b" in reading else 1)
    assert issubclass(kind, LabelledKind)
    return LabelledFile.open(kind, data, reading, split)


def _answered(dev: LabelledItems | None, subject: Subject, labels: tuple[str, ...]) -> LabelledItems | None:
    """These items, if they are what the model answers: a sentence encoder may stand in a study's folder, too."""
    fits = dev is not None and subject.kind == dev.kind.kind and dev.split.names in ((), labels)
    return dev if fits else None


def _texts(exportable: Exportable, data: str | None, reading: Mapping[str, Any], split: str | None) -> AskedTexts:
    if data is not None:
        return of_file(data, reading, split)
    facts = exportable.facts
    return of_sample(facts["texts"] or 1, facts["output"] == "tokens", empty=bool(facts["prefix"] or facts["suffix"]))


def _write(folder: Path, exportable: Exportable, subject: Subject, int8: bool) -> dict[str, Any]:
    write_onnx(exportable, folder / FLOAT32)
    if int8:
        write_int8(folder / FLOAT32, folder / INT8)
    exportable.folder.tokenizer().save(str(folder / TOKENIZER))
    shutil.copyfile(str(onnx_model.__file__), folder / "onnx_model.py")
    if exportable.arrays:
        np.savez(folder / HEAD, **exportable.arrays)  # type: ignore[arg-type]
    files = {"float32": FLOAT32} | ({"int8": INT8} if int8 else {})
    made = {"format": FORMAT, "made_by": f"acclimate {version('acclimate')}", "kind": subject.kind, "opset": OPSET, "files": files}
    beside = [path for path in map(weights_beside, (folder / name for name in files.values())) if path.is_file()]
    weights = {path.name: path.stat().st_size for path in beside}
    facts = made | {"weights": weights, "parameters": _parameters(exportable)} | dict(exportable.facts)
    write_json(folder / FACTS, facts)
    return facts


def _compared(
    folder: Path, facts: dict[str, Any], subject: Subject, exportable: Exportable, judged: LabelledItems | None, asked: AskedTexts,
    int8: bool, say: Callable[[str], None],
) -> Exported:  # fmt: skip
    threads = torch.get_num_threads()
    runs = {"onnx": OnnxModel(folder, threads=threads)} | ({"int8": OnnxModel(folder, int8=True, threads=threads)} if int8 else {})
    say(f"comparing on {asked.count:,} {asked.what}")
    outputs = {"torch": subject.torch_outputs(asked.columns, asked.words)}
    outputs |= {name: outputs_of(run, asked.columns, asked.words) for name, run in runs.items()}
    differences = {name: difference(outputs["torch"], outputs[name]) for name in runs}
    if not differences["onnx"] <= TOLERANCE:  # nor where it is no number
        raise ModelError(
            f"{subject.name}: its export to ONNX gives other outputs: they differ by {differences['onnx']:.2g}, and {TOLERANCE:g} is what "
            "rounding may come to; nothing was written. Please report it with the model's config.json"
        )
    metric, scores = _scores(judged, subject, outputs, runs["onnx"].thresholds)
    written: dict[str, Any] = {name: {"largest_difference": differences[name], "score": scores.get(name)} for name in runs}
    write_json(folder / FACTS, facts | {"compared": {"texts": asked.count, "tolerance": TOLERANCE, "metric": metric, **written}})
    busy = answer_speed.busy_now()
    timed = _timed(exportable, runs, asked.columns)
    sizes = {"torch": weight_bytes(exportable.module), "onnx": _size(folder / FLOAT32)} | ({"int8": _size(folder / INT8)} if int8 else {})
    forms = tuple(Form(name, sizes[name], timed[name], differences.get(name), scores.get(name)) for name in outputs)
    return Exported(forms, asked.count, asked.what, metric, threads, busy)


def difference(one: NDArray[Any], other: NDArray[Any]) -> float:
    """The largest between two arrays of outputs; of a number above 1 as a share of it.

    Raises:
        ModelError: they are of different shapes.
    """
    if one.shape != other.shape:
        raise ModelError(f"the export gives outputs of shape {list(other.shape)} where the model gives {list(one.shape)}")
    return float((np.abs(one - other) / np.maximum(1, np.abs(one))).max(initial=0.0))


def _scores(
    judged: LabelledItems | None, subject: Subject, outputs: Mapping[str, NDArray[Any]], thresholds: NDArray[np.float64] | None
) -> tuple[str | None, dict[str, float]]:  # fmt: skip
    """The usual score of labelled items; of vectors, how near they are to the model's own; of neither nothing."""
    if judged is not None:
        name = judged.kind.metric(None).name
        return name, {form: judged.scores(found, thresholds)[name] for form, found in outputs.items()}
    if subject.way != "vectors":
        return None, {}
    own = unit(outputs["torch"])
    return COSINE, {form: float((own * unit(found)).sum(axis=1).mean()) for form, found in outputs.items()}


def _timed(exportable: Exportable, runs: Mapping[str, OnnxModel], columns: Sequence[Sequence[str]]) -> dict[str, Speed]:
    run = next(iter(runs.values()))
    texts = columns if run.facts["output"] == "logits" else columns[:1]  # vectors are made of each text alone
    count = len(texts[0])
    spread = np.linspace(0, count - 1, TOGETHER).astype(int).tolist()
    rows = run.sequences(*([column[number] for number in spread] for column in texts))

    @torch.inference_mode()
    def by_torch(feeds: dict[str, NDArray[np.int64]]) -> Any:
        return exportable.module(*(torch.from_numpy(feeds[name]) for name in exportable.inputs))

    ways: dict[str, Any] = {"torch": by_torch} | {name: each.run for name, each in runs.items()}
    return speeds(ways, [run.feeds([row]) for row in rows[:: TOGETHER // SINGLE]], run.feeds(rows))


def _size(graph: Path) -> int:
    return sum(path.stat().st_size for path in (graph, weights_beside(graph)) if path.is_file())


def _parameters(exportable: Exportable) -> int:
    """Numbers in all weights, those of a head on the vectors among them."""
    return sum(parameter.numel() for parameter in exportable.module.parameters()) + sum(array.size for array in exportable.arrays.values())
