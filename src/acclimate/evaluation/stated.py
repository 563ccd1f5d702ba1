"""What the config.json of a trained model's folder says of how it answers: the kind of task, its texts, what its numbers mean."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from acclimate.errors import ModelError
from acclimate.evaluation.trained_folder import model_config
from acclimate.modeling.base_files import KIND, MAX_LENGTH, THRESHOLDS, VECTORS
from acclimate.modeling.baselines.table import BASELINES
from acclimate.modeling.links import PROBLEMS, ProblemType
from acclimate.tasks import KINDS
from acclimate.tasks.kind import TaskKind
from acclimate.tasks.thresholds import Thresholds


def kind_of_model(folder: Path, kinds: Sequence[type[TaskKind]] = KINDS, texts: int = 1) -> type[TaskKind]:
    """The kind of task that the model in a folder answers, as its config.json says: by our own word for it, or as transformers does.

    transformers does not say whether its models read single texts or pairs: where there is a choice, it is a kind of so many `texts`.

    Raises:
        ModelError: it answers none that can be judged.
    """
    config = model_config(folder)
    if (stated := stated_kind(config, kinds)) is not None:
        return stated
    if said := config.get(KIND):
        raise ModelError(f"{folder}: this model answers tasks of the kind {said!r}, which is not known here")
    outputs = len(config.get("id2label") or (0, 1))
    problem = problem_type(config.get("problem_type"), outputs, folder)
    texts = texts_of(config) or texts
    possible = [kind for kind in kinds if kind.problem == problem]
    found = next((kind for kind in possible if kind.texts() == texts), possible[0] if possible else None)
    if found is None or (problem == "regression" and outputs > 1):
        raise ModelError(
            f"{folder}: this model gives numbers (problem_type: {problem}); only models that give a text labels are evaluated, and those "
            "that give a pair of texts one score"
        )
    return found


def stated_kind(config: Mapping[str, Any], kinds: Sequence[type[TaskKind]] = KINDS) -> type[TaskKind] | None:
    """The kind that a config.json names: by our own word, or by the class of transformers; None where it does neither, or it is unknown."""
    if said := config.get(KIND):
        return next((kind for kind in kinds if kind.model_fields["kind"].default == said), None)
    built = [str(name) for name in config.get("architectures") or ()]
    return next((kind for kind in kinds if kind.architecture and any(name.endswith(kind.architecture) for name in built)), None)


def texts_of(config: Mapping[str, Any]) -> int | None:
    """How many texts an item has that the model of a config.json answers; None where whoever made it did not say."""
    if (kind := stated_kind(config)) is not None:
        return kind.texts()
    ours = MAX_LENGTH in config or config.get("model_type") in BASELINES
    return 1 if ours and KIND not in config else None


def thresholds_of(folder: Path, labels: Sequence[str]) -> Thresholds | None:
    """[L] above which probability the model in a folder gives each of its labels; None where that is one half.

    Raises:
        ModelError: the thresholds are not one a label, or something is above or below none of them.
    """
    config = model_config(folder)
    said, where = config.get(THRESHOLDS), folder / "config.json"
    if said is None:
        return None
    if not isinstance(said, list) or len(said) != len(labels) or not all(isinstance(each, int | float) for each in said):
        raise ModelError(f"{where}: {THRESHOLDS} must be {len(labels)} numbers, one for each label in order")
    found = np.array(said, dtype=np.float64)
    several = (config.get(VECTORS) or config).get("problem_type") == PROBLEMS["sigmoid"]
    if not np.isfinite(found).all() or (found < 0).any() or not (several or found.all()):
        raise ModelError(f"{where}: {THRESHOLDS} must be finite and {'not negative' if several else 'above 0'}")
    return found


def problem_type(stated: str | None, labels: int, folder: Path) -> ProblemType:
    """What `labels` outputs mean whose `problem_type` is `stated`, as transformers has it.

    Raises:
        ModelError: it is none that is known.
    """
    if stated == "multi_label_classification":
        return "multi_label_classification"
    # As transformers itself takes a single output; its softmax would be 1 for every text.
    if stated == "regression" or labels == 1:
        return "regression"
    if stated in (None, "single_label_classification"):
        return "single_label_classification"
    raise ModelError(f"{folder / 'config.json'}: problem_type {stated!r} is not known")
