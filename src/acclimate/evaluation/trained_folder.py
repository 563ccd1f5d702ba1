"""The folder of a trained model: its config.json, and what is wrong with it in words of ours."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError

from acclimate.errors import ModelError
from acclimate.evaluation.unread import Unread
from acclimate.files import read_json
from acclimate.modeling.base_files import EXPORTED, IS_EXPORTED
from acclimate.modeling.finite import check_finite
from acclimate.tasks.kind import TaskKind

if TYPE_CHECKING:
    from torch import nn


class Model(Protocol):
    """Judges items, of one column of texts or of several."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The L labels, in the order of the outputs' columns."""

    @property
    def probabilities(self) -> Callable[..., NDArray[np.float64]]:
        """`probabilities(texts)` is [N, L]; of pairs `probabilities(texts, texts_b)`."""


class Predictor(Model, Protocol):
    """Answers items."""

    thresholds: NDArray[np.float64] | None
    """[L] by which answers are made of probabilities (`acclimate.tasks.thresholds`); None: by the usual ones."""

    @property
    def unread(self) -> Unread | None:
        """What it cut of the texts that it was asked about so far; None where it reads all of every text."""


P = TypeVar("P", bound=Model)
F = TypeVar("F")


class Loadable(Protocol):
    """A model that is not loaded as the config.json of its folder says: an exported one, or one of inference that is given labels."""

    @property
    def folder(self) -> Path:
        """Where it lies."""

    @property
    def kind(self) -> type[TaskKind]:
        """The kind of task that it answers."""

    def predictor(self) -> Predictor:
        """The model, ready to answer."""


def model_config(folder: Path) -> dict[str, Any]:
    """The config.json of a model's folder.

    Raises:
        ModelError: there is none.
    """
    refuse_exported(folder)
    if not (folder / "config.json").is_file():
        raise ModelError(f"{folder}: no config.json here; give the folder of a trained model, e.g. results/NAME/best")
    config = read_json(folder / "config.json")
    if not isinstance(config, dict):
        raise ModelError(f"{folder / 'config.json'}: a JSON object is wanted")
    return config


def refuse_exported(folder: Path) -> None:
    """Refuse an exported model where the model itself is wanted.

    Raises:
        ModelError: it is one.
    """
    if (folder / EXPORTED).is_file():
        raise ModelError(f"{folder}: {IS_EXPORTED}")


def checked(folder: Path, load: Callable[[], P]) -> P:
    """What `load` makes of a model's folder.

    Raises:
        ModelError: files are missing or damaged, or its outputs have no names, or one name twice.
    """
    predictor = checked_files(folder, load)
    labels = predictor.labels
    twice = next((name for name, count in Counter(labels).items() if count > 1), None)
    if twice is not None or not labels:
        names = f"two outputs the name {twice!r}; call them differently" if labels else "no output a name"
        raise ModelError(f"{folder / 'config.json'}: gives {names}")
    return predictor


def checked_files(folder: Path, load: Callable[[], F]) -> F:
    """What `load` makes of a model's folder.

    Raises:
        ModelError: files are missing or damaged.
    """
    try:
        return load()
    except FileNotFoundError as error:
        others = [path.name for path in sorted(folder.iterdir()) if path.suffix in (".bin", ".pt", ".h5") or ".safetensors" in path.name]
        there = f"; of {', '.join(others)} nothing is read: save the model as one model.safetensors" if others else ""
        raise ModelError(f"{error.filename or folder / 'model.safetensors'}: not there, so the model is incomplete{there}") from error
    except (KeyError, TypeError, ValueError, SafetensorError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error).strip() or type(error).__name__
        raise ModelError(f"{folder}: the model cannot be read ({what.splitlines()[0]}); it is damaged, copy it again") from error


def refuse_one_text(*columns: Sequence[str]) -> None:
    """Refuse one text where a list of them is wanted.

    Raises:
        TypeError: there is one, whose characters would be taken for texts.
    """
    if any(isinstance(texts, str) for texts in columns):
        raise TypeError("one text stands where several are wanted: put it into a list, [text]")


def finite_weights(folder: Path, model: "nn.Module") -> None:
    """Refuse a model whose weights are not numbers.

    Raises:
        ModelError: they are not.
    """
    check_finite(folder, ((name, bool(values.isfinite().all())) for name, values in model.named_parameters()))
