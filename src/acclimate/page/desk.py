"""What takes time, reading files above all, is done by one thread and kept for as long as nothing that it came from changes."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from acclimate.errors import AcclimateError
from acclimate.serving.refusals import busy

T = TypeVar("T")
KEPT = 4  # results that are remembered
MOST_WAITING = 32


class Desk:
    """One thread, and the last results. What raised an error of ours is remembered, too."""

    def __init__(self, name: str, kept: int = KEPT, waiting: int = MOST_WAITING) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._kept: OrderedDict[Hashable, object] = OrderedDict()
        self._most, self._most_waiting, self._waiting = kept, waiting, 0

    async def do(self, make: Callable[[], T]) -> T:
        """What `make` makes at this moment; nothing is kept.

        Raises:
            AcclimateError: what `make` raises.
            Refused: too many wait.
        """
        return await self._in_thread(make)

    async def ask(self, key: Callable[[], Hashable], make: Callable[[], T]) -> T:
        """What `make` makes; at once, where that was made under the same key. Both are called in the thread.

        Raises:
            AcclimateError: what `make` raises.
            Refused: too many wait.
        """
        return await self._in_thread(lambda: self._found(key, make))

    def stop(self) -> None:
        """Begin nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _in_thread(self, make: Callable[[], T]) -> T:
        if self._waiting >= self._most_waiting:
            raise busy("too much is asked for at a time")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, make)
        finally:
            self._waiting -= 1

    def _found(self, key: Callable[[], Hashable], make: Callable[[], T]) -> T:
        made_of = key()
        if made_of not in self._kept:
            found: object
            try:
                found = make()
            except AcclimateError as error:
                found = error
            self._kept[made_of] = found
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        self._kept.move_to_end(made_of)
        kept = self._kept[made_of]
        if isinstance(kept, AcclimateError):
            raise kept.with_traceback(None)  # else it would grow each time
        return kept  # type: ignore[return-value]
