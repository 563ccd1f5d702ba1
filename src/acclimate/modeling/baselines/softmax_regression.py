"""Logistic regression for labels that training may lack: what scikit-learn fits, as weights and bias for all of them."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

SURE = 50.0  # e^-50: what nothing of train has is never predicted


def softmax_regression(
    regression: Any, matrix: Any, gold: NDArray[np.int64], labels: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fit `regression` to label numbers [N]: weights [labels, F] and bias [labels] whose softmax are the probabilities."""
    present = np.unique(gold)
    weights = np.zeros((labels, matrix.shape[1]))
    bias = np.full(labels, -SURE)
    if len(present) == 1:
        bias[present] = 0.0
        return weights, bias
    regression.fit(matrix, gold)
    if len(present) == 2:
        # scikit-learn keeps one row for two classes; halves of opposite sign give the same probabilities through softmax.
        weights[present] = np.concatenate([-regression.coef_, regression.coef_]) / 2
        bias[present] = np.concatenate([-regression.intercept_, regression.intercept_]) / 2
    else:
        weights[present], bias[present] = regression.coef_, regression.intercept_
    return weights, bias


def each_by_itself(
    regression: Callable[[NDArray[np.bool_]], Any], matrix: Any, gold: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights [L, F] and bias [L] whose sigmoids are the probabilities of the labels of `gold` [N, L]: a regression for each.

    `regression` makes the one to be fitted to items with and without a label [N].
    """
    weights = np.zeros((gold.shape[1], matrix.shape[1]))
    bias = np.where(gold.all(axis=0), SURE, -SURE)
    for number in np.flatnonzero(gold.any(axis=0) & ~gold.all(axis=0)):
        fitted = regression(gold[:, number]).fit(matrix, gold[:, number])
        weights[number], bias[number] = fitted.coef_[0], fitted.intercept_[0]
    return weights, bias
