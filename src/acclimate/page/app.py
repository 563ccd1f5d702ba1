"""The application: its paths, and who may ask."""

import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from acclimate.page.choosing import Choosing
from acclimate.page.desk import Desk
from acclimate.page.entrance import Entrance
from acclimate.page.following import Following
from acclimate.page.home import Home
from acclimate.page.models import Trying
from acclimate.page.pace import Pace
from acclimate.page.paths import Handler, Say
from acclimate.page.results import Came
from acclimate.page.runs import Runs
from acclimate.page.shown import STATIC, problem, static
from acclimate.serving.gate import Allowed, Gate

MOST_UPLOADED = 1 << 30  # bytes of a file
UPLOAD_SECONDS = 3600.0


def make_page(
    home: Home, token: str, port: int, say: Say, most: int = MOST_UPLOADED, environment: Mapping[str, str] | None = None
) -> Starlette:  # fmt: skip
    """The page of a folder, for who knows the token; `say` gets to know of faults. Dropped files have at most `most` bytes, and studies are
    run in this `environment` (this process's own)."""
    planning = Desk("planning", 64)
    choosing = Choosing(home, say, planning, most, UPLOAD_SECONDS, Pace())
    came = Came(home, say, planning, Trying(home))
    following = Following(home, say, planning, Runs(home, os.environ if environment is None else environment))

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        for desk in (planning, choosing.reading, following.watch, came.asking):
            desk.stop()

    def get(path: str, handler: Handler) -> Route:
        return Route(path, choosing.told(handler), methods=["GET"])

    def post(path: str, handler: Handler) -> Route:
        return Route(path, choosing.told(handler), methods=["POST"])

    routes = [
        get("/", choosing.home_page),
        Route("/files", choosing.upload, methods=["PUT"]),
        get("/new", choosing.new),
        post("/save", choosing.save),
        get("/plan", choosing.plan),
        get("/study", following.study),
        post("/study", following.change),
        post("/start", following.start),
        post("/stop", following.stop),
        get("/events", following.events),
        get("/results", came.results),
        post("/try", came.ask),
        get("/report", came.report),
        get("/attention", came.attention),
        get("/download", came.download),
        *(Route(f"/static/{name}", partial(_static, name), methods=["GET"]) for name in STATIC),
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(Gate, allowed=Allowed(True)), Middleware(Entrance, token=token, port=port)],
        exception_handlers={HTTPException: _no_such_page(home)},
        lifespan=lifespan,
    )


def _no_such_page(home: Home) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def answered(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return problem(request, home, error.status_code, error.detail)

    return answered


async def _static(name: str, request: Request) -> Response:
    return static(name)
