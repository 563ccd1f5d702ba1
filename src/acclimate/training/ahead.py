"""Work that is done one step ahead, by a thread beside the step that is running."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, Self, TypeVar

T = TypeVar("T")


class Ahead(Generic[T]):
    """`make(step)` for consecutive steps below `end`: while the caller works on one, the next is made.

    What is made must depend on the step alone; then nothing is lost when it is thrown away. Errors arise where the result is asked for.
    """

    def __init__(self, make: Callable[[int], T], end: int, enabled: bool = True) -> None:
        self._make, self._end = make, end
        self._thread = ThreadPoolExecutor(1, "ahead") if enabled else None
        self._next: tuple[int, Future[T]] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread is not None:
            self._thread.shutdown(cancel_futures=True)

    def __call__(self, step: int) -> T:
        """The result of a step; the one after it is begun."""
        if self._thread is None:
            return self._make(step)
        number, future = self._next or (step, self._thread.submit(self._make, step))
        assert number == step, "steps follow one another"
        result = future.result()
        self._next = (step + 1, self._thread.submit(self._make, step + 1)) if step + 1 < self._end else None
        return result
