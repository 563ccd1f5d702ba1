"""What the kind of task told of the chosen recipe; in folders that do not hold it, all of classification, it is told from predictions."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from acclimate.errors import SettingsError
from acclimate.files import read_table
from acclimate.study.outputs.output_folder import BLOCKS
from acclimate.tasks.blocks import Block, from_json
from acclimate.tasks.classify import Classify
from acclimate.tasks.kind import Judged
from acclimate.tasks.split import Column, Split


def read_blocks(path: Path) -> tuple[Block, ...]:
    """The blocks of a `blocks.json`.

    Raises:
        SettingsError: it cannot be read; the message names the place.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, list):
            raise SettingsError(f"holds {type(found).__name__}, not a JSON list")
        return tuple(map(from_json, found))
    except (OSError, ValueError, SettingsError) as error:
        raise SettingsError(f"{path}: cannot be read ({error}) — run `acclimate study` again to rewrite it") from error


def blocks_of(folder: Path, recipe: str, budget: str, labels: Sequence[str]) -> tuple[Block, ...]:
    """What is told of the chosen `recipe` at a label budget."""
    if (folder / BLOCKS).is_file():
        return read_blocks(folder / BLOCKS)
    predictions = folder / "predictions.parquet"
    return Classify.told_of(_judged(predictions, recipe, budget, labels)) if predictions.is_file() else ()


def _judged(path: Path, recipe: str, budget: str, labels: Sequence[str]) -> Judged:
    """A recipe's test predictions out of a `predictions.parquet` without blocks beside it, where classes stand by name."""
    wanted = [("recipe", "==", recipe), ("labels", "==", budget), ("split", "==", "test")]
    known = [name for name in ("seed", "gold", "predicted", "probabilities") if name in pq.read_schema(path).names]
    table = read_table(path, columns=known, filters=wanted)
    names = tuple(dict.fromkeys((*labels, *sorted({*table["gold"].to_pylist(), *table["predicted"].to_pylist()} - set(labels)))))
    seeds = table["seed"].to_pylist() if "seed" in known else [0] * table.num_rows
    parts = [table.filter(pa.array([each == seed for each in seeds])) for seed in dict.fromkeys(seeds)]
    if not parts:
        return Judged(Split((), np.zeros(0, np.int64), np.zeros(0, np.int64), (), None, names), ())
    gold = _numbers(parts[0]["gold"], names)
    return Judged(Split((), gold, np.arange(len(gold)), (), None, names), tuple(_answers(part, names) for part in parts))


def _answers(part: pa.Table, names: tuple[str, ...]) -> dict[str, Column]:
    answers: dict[str, Column] = {"predicted": _numbers(part["predicted"], names)}
    if "probabilities" in part.column_names:
        answers["probabilities"] = pc.list_flatten(part["probabilities"]).to_numpy().reshape(part.num_rows, -1)
    return answers


def _numbers(column: Any, names: tuple[str, ...]) -> Any:
    number = {name: place for place, name in enumerate(names)}
    return np.array([number[name] for name in column.to_pylist()], dtype=np.int64)
