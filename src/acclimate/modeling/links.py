"""What a model's outputs mean: our word for it, and the `problem_type` by which transformers says it in config.json."""

from collections.abc import Mapping
from typing import Any, Literal

from acclimate.tasks.kind import Link

PROBLEM_TYPE = "problem_type"
ProblemType = Literal["single_label_classification", "multi_label_classification", "regression"]
PROBLEMS: Mapping[Link, ProblemType] = {
    "softmax": "single_label_classification",
    "sigmoid": "multi_label_classification",
    "none": "regression",
}


def said(link: Link) -> dict[str, str]:
    """What the config.json of a plain baseline says of its outputs: nothing where they are what they have always been."""
    return {} if link == "softmax" else {PROBLEM_TYPE: PROBLEMS[link]}


def link_of(config: Mapping[str, Any]) -> Link:
    """What the outputs of a plain baseline mean, by its config.json.

    Raises:
        KeyError: it says something else.
    """
    return {problem: link for link, problem in PROBLEMS.items()}[config.get(PROBLEM_TYPE, PROBLEMS["softmax"])]
