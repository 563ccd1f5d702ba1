"""Batches of nearly equal size, so that none is left with one example, where examples are compared with others of their batch."""

import numpy as np
import numpy.typing as npt

from acclimate.data.batches import Order
from acclimate.data.ragged import IntArray
from acclimate.randomness import generator


class EvenOrder(Order):
    """As few batches of at most `batch_size` examples as hold all of an epoch, their sizes differing by one."""

    def __init__(self, n: int, batch_size: int, seed: int) -> None:
        """`n` examples.

        Raises:
            DataError: there are none.
        """
        super().__init__(n, seed)
        assert batch_size > 0
        self.batches_per_epoch = -(-n // batch_size)
        self._ends = np.arange(self.batches_per_epoch + 1, dtype=np.int64) * n // self.batches_per_epoch

    def _bounds(self, permutation: IntArray) -> IntArray:
        return self._ends


class CoupledOrder(EvenOrder):
    """The same for examples of classes: one stands beside another of its class, in every batch, wherever its class has two.

    In an epoch the examples of a class are put together two by two (the last ones perhaps three), and these couples are shuffled. A batch
    ends between couples, and so may have one example more.
    """

    def __init__(self, classes: npt.NDArray[np.integer], batch_size: int, seed: int) -> None:
        """`classes` [n] the class of each example."""
        super().__init__(len(classes), batch_size, seed)
        self._classes = np.asarray(classes, dtype=np.int64)

    def _ordered(self, epoch: int) -> IntArray:
        draw = generator(self._seed, "couples", epoch)
        shuffled = draw.permutation(self._sequences)
        shuffled = shuffled[np.argsort(self._classes[shuffled], kind="stable")]
        # The number of each within its class, and from it that of its couple.
        _, first, counts = np.unique(self._classes[shuffled], return_index=True, return_counts=True)
        within = np.arange(len(shuffled)) - np.repeat(first, counts)
        couple = np.minimum(within // 2, np.maximum(np.repeat(counts, counts) // 2 - 1, 0))
        unit = np.unique(np.stack([self._classes[shuffled], couple], axis=1), axis=0, return_inverse=True)[1].ravel()
        return shuffled[np.argsort(draw.permutation(unit.max() + 1)[unit], kind="stable")]

    def _bounds(self, permutation: IntArray) -> IntArray:
        classes = self._classes[permutation]
        runs = np.concatenate([[0], np.flatnonzero(np.diff(classes)) + 1, [len(classes)]])
        ends = self._ends.copy()
        for number, end in enumerate(ends[1:-1], start=1):
            after = int(np.searchsorted(runs, end, side="right"))
            before, behind = end - runs[after - 1], runs[min(after, len(runs) - 1)] - end
            if before == 1 and behind > 0:
                ends[number] -= 1
            elif behind == 1 and before > 0:
                ends[number] += 1
        return ends
