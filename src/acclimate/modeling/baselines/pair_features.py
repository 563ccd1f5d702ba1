"""What of two texts a plain baseline sees: which terms they share, which stand in one of them alone, and how much they overlap."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

OVERLAPS = 5  # numbers that say how much two texts have in common


def pair_features(first: Any, second: Any) -> Any:
    """The sparse matrix [N, 3 V + OVERLAPS] of the tf-idf matrices [N, V] of first and second texts.

    Terms of both texts (the smaller weight), of the first alone, of the second alone; then the overlaps.
    """
    from scipy.sparse import csr_matrix, hstack

    in_first, in_second = first > 0, second > 0
    shared = in_first.multiply(in_second)
    alone = [matrix - matrix.multiply(shared) for matrix in (first, second)]
    return hstack([first.minimum(second), *alone, csr_matrix(_overlaps(first, second, in_first, in_second, shared))]).tocsr()


def _overlaps(first: Any, second: Any, in_first: Any, in_second: Any, shared: Any) -> NDArray[np.float64]:
    """[N, OVERLAPS] cosine, Jaccard index, the share of each text's terms that the other has, and how much longer the second is."""
    cosine = _sums(first.multiply(second))
    of_first, of_second, both = (_sums(matrix) for matrix in (in_first, in_second, shared))
    either = np.maximum(1.0, of_first + of_second - both)
    shares = both / np.maximum(1.0, of_first), both / np.maximum(1.0, of_second)
    return np.stack([cosine, both / either, *shares, np.log((1 + of_second) / (1 + of_first))], axis=1)


def _sums(matrix: Any) -> NDArray[np.float64]:
    return np.asarray(matrix.sum(axis=1), dtype=np.float64).ravel()
