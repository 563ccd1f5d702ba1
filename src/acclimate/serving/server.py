"""A server that listens: its port, its connections, and its end. uvicorn speaks HTTP, and is held to our bounds here."""

import asyncio
import contextlib
import errno
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import uvicorn
from h11 import CLOSED, DONE, IDLE, MUST_CLOSE, SEND_RESPONSE
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

from acclimate.errors import SettingsError
from acclimate.serving.limits import HEAD_BYTES, Limits
from acclimate.serving.refusals import RETRY_AFTER
from acclimate.training.interrupt import leave_terminal_on_hangup, wanted_stops

BACKLOG = 2048
KEEP_ALIVE = 5  # seconds between two requests of a connection
LINGER = 2.0  # seconds for a response to a request that did not arrive in time, before the connection is cut


def listen(host: str, port: int) -> socket.socket:
    """Take the port, before anything expensive.

    Raises:
        SettingsError: somebody has it, or the address is not of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        taken = socket.socket(family, kind, protocol)
    except OSError as error:
        raise SettingsError(f"--host {host}: {error.strerror or error}; 127.0.0.1 is this machine alone") from error
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(address)
        taken.listen(BACKLOG)
    except OSError as error:
        taken.close()
        if error.errno == errno.EADDRINUSE:
            raise SettingsError(f"--port {port}: another program listens there; name another port, or 0 for any that is free") from error
        if error.errno == errno.EACCES:
            raise SettingsError(f"--port {port}: ports below 1024 are the administrator's; name a higher one") from error
        raise SettingsError(f"--host {host}: {error.strerror or error}; 127.0.0.1 is this machine alone") from error
    return taken


def address_of(taken: socket.socket) -> str:
    """As one writes it: http://127.0.0.1:8000."""
    host, port = taken.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def run(app: Starlette, taken: socket.socket, limits: Limits, ready: Callable[[], None] = lambda: None) -> None:
    """Serve until Ctrl-C, SIGTERM or SIGHUP; requests that are there are answered then. A second Ctrl-C waits for none of them."""
    server = Stoppable(config_of(app, limits), ready)
    app.state.ending = lambda: server.should_exit  # for answers that have no end of their own
    server.run(sockets=[taken])


def config_of(app: Starlette, limits: Limits) -> uvicorn.Config:
    """How uvicorn is to serve an application."""
    return uvicorn.Config(
        app,
        loop="asyncio",
        http=partial(Bounded, limits=limits),  # type: ignore[arg-type]
        ws="none",
        log_config=None,
        log_level="critical",  # a bad request is the client's matter, and its log could be filled from outside
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=int(limits.arrival + limits.seconds + LINGER) + 1,
        h11_max_incomplete_event_size=HEAD_BYTES,  # while they come: of what has come together the gate looks at the size
    )


class Stoppable(uvicorn.Server):
    """A server that ends well when it is told to: nothing is raised then."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """And tell that requests are answered from now on."""
        await super().startup(sockets)
        self._ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The signals that ask for a stop do so; uvicorn would raise them again at the end."""
        if threading.current_thread() is not threading.main_thread():
            yield  # whoever runs it there ends it by `should_exit`
            return
        previous = {number: signal.signal(number, self.handle_exit) for number in wanted_stops()}
        leave_terminal_on_hangup(then=self.handle_exit)
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)


class Bounded(H11Protocol):
    """A connection: there are only so many, and every request has to arrive in time, whatever the client sends."""

    def __init__(self, *args: Any, limits: Limits, **named: Any) -> None:
        super().__init__(*args, **named)
        self._limits = limits
        self._clock: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take it, or say that there are too many."""
        super().connection_made(transport)
        if len(self.connections) > self._limits.connections:
            self._end_with("503 Service Unavailable", "too many connections", f"retry-after: {RETRY_AFTER}\r\n")
            return
        self._start()

    def data_received(self, data: bytes) -> None:
        """A part of a request."""
        if self._clock is None and self.conn.their_state is IDLE:
            self._start()  # a further request of this connection
        super().data_received(data)
        if self.conn.their_state in (DONE, MUST_CLOSE, CLOSED):
            self._stop()

    def send_400_response(self, msg: str) -> None:
        """What came is no HTTP: said in the form of all errors, unless an answer has begun already."""
        if self.conn.our_state in (IDLE, SEND_RESPONSE):
            self._end_with("400 Bad Request", "this is no valid request of HTTP/1.1")
        else:
            self.transport.abort()

    def pause_writing(self) -> None:
        """The client does not read its answers as fast as they come; they are held for so long only."""
        super().pause_writing()
        self._unread = self.loop.call_later(self._limits.seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """It has read what was held."""
        super().resume_writing()
        self._read()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self._stop()
        super().connection_lost(exc)
        self._read()

    def on_response_complete(self) -> None:
        """The next request, which may have come already, has its own time."""
        super().on_response_complete()
        if self.conn.their_state in (DONE, MUST_CLOSE, CLOSED):
            self._stop()

    def _read(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _start(self) -> None:
        self._stop()
        self._clock = self.loop.call_later(self._limits.arrival + LINGER, self._late)

    def _stop(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _late(self) -> None:
        self._clock = None
        if self.transport.is_closing():
            return
        if self.conn.their_state is IDLE and self.conn.our_state is IDLE:
            self._end_with("408 Request Timeout", f"the request did not arrive within {self._limits.arrival:g} seconds")
        else:
            self.transport.abort()

    def _end_with(self, status: str, problem: str, header: str = "") -> None:
        body = f'{{"error": {{"problem": "{problem}"}}}}'
        head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n{header}connection: close\r\n\r\n"
        self.transport.write((head + body).encode())
        self.transport.close()
