"""How much the examples of each class count in the loss. No torch: a plan checks them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from acclimate.data.ragged import Ragged
from acclimate.errors import SettingsError
from acclimate.tasks.labels import in_order, label_hint, some_labels
from acclimate.tasks.split import Column

EFFECTIVE = "effective"
MOST_NAMED = 5  # classes in an error


@dataclass(frozen=True)
class _WithEffective:
    """In an annotation: `{effective: 0.999}` is one of the forms, though it is a mapping of a word to a number like a weight."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        number = {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1, "description": "Beta of Cui et al. 2019, such as 0.999."}
        effective = {"type": "object", "properties": {EFFECTIVE: number}, "required": [EFFECTIVE], "additionalProperties": False}
        named, weights = handler(schema)["anyOf"]
        return {"anyOf": [named, effective, weights]}


ClassWeights = Annotated[Literal["none", "balanced", "sqrt"] | Mapping[str, Annotated[float, Field(gt=0)]], _WithEffective()]


def class_weights(choice: ClassWeights, gold: Column, names: tuple[str, ...]) -> NDArray[np.float64]:
    """The weight of each class [L], from the classes of the training examples [N] (or their words), or which labels they have [N, L].

    `balanced` is N / (L * count of the class) (King & Zeng 2001, as in scikit-learn). Of labels each by itself it is (N - n) / n for one
    with n examples: with this weight they count as much as all texts without it. `sqrt` is the square root of that. `{effective: beta}` is
    (1 - beta) / (1 - beta^n), one over the effective number of n examples, times what makes the mean over the L classes 1 (Cui et al. 2019,
    who make it sum to L); of labels each by itself the same. A class without an example counts as if it had one. A mapping names the weight
    of every class.

    Raises:
        SettingsError: the mapping names a label that the task does not have, or leaves one out.
    """
    check_class_weights(choice, names)
    beta = _beta(choice)
    if isinstance(choice, Mapping) and beta is None:
        return np.array([choice[name] for name in names])
    if choice == "none":
        return np.ones(len(names))
    counts, examples = counted(gold, names)
    with_name = np.maximum(counts, 1)
    if beta is not None:
        effective = (1 - beta) / -np.expm1(with_name * np.log(beta))
        return np.asarray(effective / effective.mean(), dtype=np.float64)
    if isinstance(gold, np.ndarray) and gold.ndim == 2:
        # Of a label that every text has no example is left aside.
        balanced = np.maximum(examples - counts, 1) / with_name
    else:
        balanced = examples / (len(names) * with_name)
    return np.sqrt(balanced) if choice == "sqrt" else balanced


def counted(gold: Column, names: tuple[str, ...]) -> tuple[NDArray[np.float64], int]:
    """[L] training examples of each name, and all of them: items, or words. Numbers have no names."""
    found = gold.values if isinstance(gold, Ragged) else np.asarray(gold)
    if not names:
        return np.zeros(0), len(found)
    counts = found.sum(axis=0) if found.ndim == 2 else np.bincount(found, minlength=len(names))
    return counts.astype(np.float64), len(found)


def check_class_weights(choice: ClassWeights, names: tuple[str, ...]) -> None:
    """Refuse weights of labels that the task does not have, and labels without a weight.

    Raises:
        SettingsError: the first of them, and what the labels are; or that there are none; or that it may mean two things.
    """
    if not names and choice != "none":
        raise SettingsError("class_weights: this task has no classes that could weigh more or less; leave it out")
    if (beta := _beta(choice)) is not None:
        if EFFECTIVE in names:
            other = next(name for name in names if name != EFFECTIVE)
            raise SettingsError(
                f"class_weights: {{effective: {beta:g}}} may be the weight of the label 'effective' or the effective number of examples; "
                f"for the weight name another one beside it, `{other}: 1`"
            )
        return
    if not isinstance(choice, Mapping):
        return
    if unknown := in_order(choice.keys() - set(names)):
        hint = label_hint(unknown[0], set(names))
        if unknown[0] == EFFECTIVE:
            hint = f"; as effective number of examples it stands alone and is below 1, such as {{{EFFECTIVE}: 0.999}}"
        raise SettingsError(f"class_weights: label {unknown[0]!r} is not among {some_labels(names)}{hint}")
    if silent := [name for name in names if name not in choice]:
        more = ", ..." if len(silent) > MOST_NAMED else ""
        raise SettingsError(
            f"class_weights: {len(silent):,} of {len(names):,} labels have no weight ({', '.join(map(repr, silent[:MOST_NAMED]))}{more}); "
            f"1 leaves one as it is"
        )


def _beta(choice: Any) -> float | None:
    """The beta of `{effective: beta}`; None where weights are said in another way."""
    if isinstance(choice, Mapping) and choice.keys() == {EFFECTIVE} and choice[EFFECTIVE] < 1:
        return float(choice[EFFECTIVE])
    return None
