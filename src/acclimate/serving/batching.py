"""Requests that wait together share a forward pass; what waits is bounded, and the model is asked in one thread of its own.

While a pass runs requests gather, and the next one takes them together: nothing waits for company. A long request goes through in parts,
in turn with those that came after it.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from acclimate.serving.asked import Asked, Way
from acclimate.serving.limits import Limits
from acclimate.serving.refusals import busy
from acclimate.serving.service import Answered, Item

Answer = Callable[[Way, Sequence[Item]], Answered]


@dataclass
class _Job:
    """A request, and how far it came."""

    asked: Asked
    future: "asyncio.Future[Answered]"
    taken: int = 0  # items that are in a pass, or through one
    done: Answered = field(default_factory=lambda: Answered([], []))

    @property
    def left(self) -> Sequence[Item]:
        return self.asked.items[self.taken :]


_Part = tuple[_Job, Sequence[Item]]


class Batcher:
    """Gives every request its answer, or says that there are too many."""

    def __init__(self, answer: Answer, limits: Limits) -> None:
        self._answer, self._limits = answer, limits
        self._jobs: deque[_Job] = deque()
        self._arrived = asyncio.Event()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="model")
        self._worker: asyncio.Task[None] | None = None
        self.open = 0
        """Requests that are asked or wait for it."""
        self.passes = 0
        """Through the model so far."""

    @property
    def full(self) -> bool:
        """Whether there is no room for another request."""
        return self.open >= self._limits.waiting

    @property
    def alive(self) -> bool:
        """Whether requests are taken."""
        return self._worker is not None and not self._worker.done()

    def start(self) -> None:
        """Begin to answer."""
        self._worker = asyncio.get_running_loop().create_task(self._work())

    async def stop(self) -> None:
        """End, once the pass that runs is through."""
        if self._worker is not None:
            self._worker.cancel()
        await asyncio.to_thread(self._pool.shutdown, cancel_futures=True)

    async def ask(self, asked: Asked) -> Answered:
        """The answers to a request's items, in order.

        Raises:
            Refused: too many wait, or it took too long.
            Exception: what the model raised.
        """
        if self.full:
            raise busy(f"{self.open:,} requests are being answered or wait, and there is no room for more")
        job = _Job(asked, asyncio.get_running_loop().create_future())
        self.open += 1
        self._jobs.append(job)
        self._arrived.set()
        try:
            async with asyncio.timeout(self._limits.seconds):
                return await job.future
        except TimeoutError:
            raise busy(f"no answer within {self._limits.seconds:g} seconds") from None
        finally:
            job.future.cancel()  # of what nobody waits for any more nothing further is asked
            self.open -= 1

    async def _work(self) -> None:
        while True:
            await self._arrived.wait()
            way, parts = self._next()
            if not parts:
                self._arrived.clear()
                continue
            self.passes += 1
            outcomes = await asyncio.get_running_loop().run_in_executor(self._pool, self._pass, way, parts)
            for (job, _), outcome in zip(parts, outcomes, strict=True):
                self._end(job, outcome)

    def _next(self) -> tuple[Way, list[_Part]]:
        """The items of the next pass: those that came first, and others that are asked in the same way."""
        self._jobs = deque(job for job in self._jobs if not job.future.done())
        if not self._jobs:
            return Way(), []
        way, parts, others = self._jobs[0].asked.way, list[_Part](), list[_Job]()
        texts, characters = self._limits.pass_texts, self._limits.pass_characters
        while self._jobs and texts > 0 and characters > 0:
            job = self._jobs.popleft()
            if job.asked.way != way:
                others.append(job)
                continue
            chosen: list[Item] = []
            for item in job.left[:texts]:
                size = sum(map(len, item))
                if (parts or chosen) and size > characters:
                    characters = 0
                    break
                chosen.append(item)
                characters -= size
            texts -= len(chosen)
            job.taken += len(chosen)
            if chosen:
                parts.append((job, chosen))
            else:
                others.insert(0, job)
        self._jobs.extendleft(reversed(others))
        return way, parts

    def _pass(self, way: Way, parts: Sequence[_Part]) -> list[Answered | Exception]:
        """In the model's thread; where several fail together, each is asked alone, so that none suffers for another."""
        try:
            found = self._answer(way, [item for _, items in parts for item in items])
        except Exception as error:
            return [error] if len(parts) == 1 else [outcome for part in parts for outcome in self._pass(way, [part])]
        outcomes: list[Answered | Exception] = []
        begin = 0
        for _, items in parts:
            outcomes.append(Answered(found.answers[begin : begin + len(items)], found.cut[begin : begin + len(items)]))
            begin += len(items)
        return outcomes

    def _end(self, job: _Job, outcome: Answered | Exception) -> None:
        if job.future.done():
            return
        if isinstance(outcome, Exception):
            job.future.set_exception(outcome)
            return
        job.done.answers.extend(outcome.answers)
        job.done.cut.extend(outcome.cut)
        if job.left:
            self._jobs.append(job)
        else:
            job.future.set_result(job.done)
