"""Many clients of a server at a time: what became of every request, and how long each took. Plain sockets, so that clients cost little."""

import asyncio
import contextlib
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Load:
    """What clients saw."""

    statuses: Counter[int] = field(default_factory=Counter)
    lost: int = 0
    """Requests without a whole answer, and refusals for now that do not say when to come again."""
    seconds: list[float] = field(default_factory=list)
    """From sending to the whole answer, of those that were answered."""

    def percentile(self, share: float) -> float:
        """Seconds within which this share was answered."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def load(port: int, texts: Sequence[str], clients: int, seconds: float) -> Load:
    """So many clients, each with a connection of its own that it keeps, ask about a text at a time, the next when it is answered."""

    async def every() -> Load:
        found, end = Load(), time.perf_counter() + seconds
        shares = [texts[number::clients] or texts for number in range(clients)]
        await asyncio.gather(*(_client(port, share, end, found) for share in shares))
        return found

    return asyncio.run(every())


async def _client(port: int, texts: Sequence[str], end: float, found: Load) -> None:
    streams = None
    number = 0
    while time.perf_counter() < end:
        body = json.dumps({"texts": [texts[number % len(texts)]]}).encode()
        number += 1
        head = f"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        began = time.perf_counter()
        try:
            streams = streams or await asyncio.open_connection("127.0.0.1", port)
            streams[1].write(head.encode() + body)
            status, wait = await _answer(streams[0])
        except (OSError, EOFError, ValueError):
            found.lost += 1
            if streams is not None:
                streams[1].close()
            streams = None
            continue
        found.statuses[status] += 1
        if status == 200:
            found.seconds.append(time.perf_counter() - began)
        elif wait is None:
            found.lost += 1
        else:
            await asyncio.sleep(wait)
    if streams is not None:
        streams[1].close()
        with contextlib.suppress(OSError):
            await streams[1].wait_closed()


async def _answer(reader: asyncio.StreamReader) -> tuple[int, float | None]:
    """The status, and after how many seconds to come again."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
    body = await reader.readexactly(int(fields["content-length"]))
    if int(head[0].split()[1]) == 200:
        json.loads(body)
    return int(head[0].split()[1]), float(fields["retry-after"]) if "retry-after" in fields else None
