"""The application: paths, bodies and responses around a model. What listens for it, and where, is not its matter."""

import asyncio
import contextlib
import json
import traceback
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from acclimate.errors import AcclimateError, DataError, SettingsError
from acclimate.serving.asked import asked_in
from acclimate.serving.batching import Batcher
from acclimate.serving.gate import Allowed, Gate
from acclimate.serving.limits import Limits
from acclimate.serving.refusals import Refused, busy
from acclimate.serving.service import Answered, Service, as_json

Say = Callable[[str], None]
JSON = "application/json"


def make_app(service: Service, allowed: Allowed, limits: Limits, say: Say) -> Starlette:
    """The application that answers by `service`; `say` gets to know of faults, never of texts that were sent or of a token.

    `POST /predict` or `POST /encode` asks, `GET /model` describes, `GET /health` and `GET /ready` are for probes.
    """
    answering = Answering(service, limits, say)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        answering.batcher.start()
        yield
        await answering.batcher.stop()

    app = Starlette(
        routes=[
            Route(f"/{service.verb}", answering.ask, methods=["POST"]),
            Route("/model", answering.model, methods=["GET"]),
            Route("/health", answering.health, methods=["GET"]),
            Route("/ready", answering.ready, methods=["GET"]),
        ],
        middleware=[Middleware(Gate, allowed=allowed)],
        exception_handlers={HTTPException: _no_such_path(service.verb)},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # a body is not sent twice, and what there is not is told
    app.state.answering = answering
    return app


@dataclass
class Answering:
    """The paths of a server."""

    service: Service
    limits: Limits
    say: Say
    responses: Counter[int] = field(default_factory=Counter)
    """Of questions to the model so far, by status."""
    held: int = 0
    """Bytes of bodies."""

    def __post_init__(self) -> None:
        self.batcher = Batcher(self.service.answer, self.limits)

    async def ask(self, request: Request) -> Response:
        """Answer the texts of a body."""
        try:
            response = await self._answered(request)
        except Refused as refused:
            response = refused.response()
        except ClientDisconnect:
            response = Response(status_code=499)  # nobody reads it; nginx counts those so
        self.responses[response.status_code] += 1
        return response

    async def model(self, request: Request) -> Response:
        """What the model is, and what may be asked."""
        limits = self.limits
        bounds = {"body_bytes": limits.body, "texts": limits.texts, "characters": limits.characters, "seconds": limits.seconds}
        asked = {"path": f"/{self.service.verb}", "fields": self.service.shape.fields, "example": json.loads(self.service.shape.example)}
        return Response(as_json({**self.service.told, "asked": asked, "limits": bounds}), media_type=JSON)

    async def health(self, request: Request) -> Response:
        """The process lives, and so does what asks the model."""
        if not self.batcher.alive:
            return Refused(500, "nothing asks the model any more", "start the server again").response()
        return JSONResponse({"status": "ok"})

    async def ready(self, request: Request) -> Response:
        """The model is loaded, and there is room for a request."""
        if self.batcher.full:
            return busy("there is no room for another request").response()
        return JSONResponse({"status": "ready"})

    async def _answered(self, request: Request) -> Response:
        _check_form(request)
        self._check_size(int(request.headers.get("content-length", "0")))
        size = 0
        try:
            body = bytearray()
            try:
                async with asyncio.timeout(self.limits.arrival):
                    async for chunk in request.stream():
                        size += len(chunk)
                        self.held += len(chunk)
                        self._check_size(size)
                        body += chunk
            except TimeoutError:
                why = f"the body did not arrive within {self.limits.arrival:g} seconds"
                raise Refused(408, why, headers={"connection": "close"}) from None
            asked = asked_in(bytes(body), self.service.shape, self.limits)
            del body
            found = await self._unless_gone(request, asyncio.ensure_future(self._found(asked)))
        finally:
            self.held -= size
        return Response(self._written(found), media_type=JSON, headers={"cache-control": "no-store"})

    def _check_size(self, size: int) -> None:
        if size > self.limits.body:
            why = f"the body is larger than {self.limits.body:,} bytes"
            raise Refused(413, why, "ask in several requests")  # what still comes is read and dropped: else nobody would see this
        if self.held > self.limits.held:
            raise busy("the bodies of all requests together are too large just now")

    async def _found(self, asked: Any) -> Answered:
        try:
            return await self.batcher.ask(asked)
        except Refused:
            raise
        except (DataError, SettingsError) as error:
            raise Refused(400, str(error)) from error
        except AcclimateError as error:
            self.say(f"error: {error}")
            raise Refused(500, str(error)) from error
        except Exception as error:
            self.say(f"error: this is a fault of acclimate; please report it:\n{traceback.format_exc()}")
            raise Refused(500, "this is a fault of the server, which its log tells") from error

    async def _unless_gone(self, request: Request, finding: "asyncio.Task[Answered]") -> Answered:
        """What is found; where the client goes before, nothing more is asked for it."""
        gone = asyncio.ensure_future(_disconnected(request))
        try:
            await asyncio.wait((finding, gone), return_when=asyncio.FIRST_COMPLETED)
            if finding.done():
                return finding.result()
            raise ClientDisconnect
        finally:
            for task in (finding, gone):
                task.cancel()
            await asyncio.gather(finding, gone, return_exceptions=True)

    def _written(self, found: Answered) -> bytes:
        listed = b", ".join(found.answers)
        return b'{"%s": [%s], "cut_texts": %d}' % (self.service.plural.encode(), listed, sum(found.cut))


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _check_form(request: Request) -> None:
    kind, _, rest = request.headers.get("content-type", "").partition(";")
    charset = rest.strip().lower().replace('"', "")
    if kind.strip().lower() != JSON or charset not in ("", "charset=utf-8"):
        raise Refused(415, f"Content-Type: {JSON} is wanted", f"send the header `Content-Type: {JSON}`, and JSON in UTF-8")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Refused(415, "Content-Encoding: compressed bodies are not read", "send plain JSON")


def _no_such_path(verb: str) -> Callable[[Request, Exception], Response]:
    def response(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        paths = f"there are POST /{verb}, GET /model, GET /health and GET /ready"
        return Refused(error.status_code, error.detail, paths, headers=error.headers).response()

    return response
