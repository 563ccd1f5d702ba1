"""The application: its paths, and what each of them shows."""

import contextlib
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from acclimate.errors import AcclimateError, SettingsError
from acclimate.modeling.named import NAMED
from acclimate.page import composing, studies, uploads
from acclimate.page.asked import Fields, of_address, of_form
from acclimate.page.composing import Asked
from acclimate.page.desk import Desk
from acclimate.page.entrance import Entrance
from acclimate.page.home import Home
from acclimate.page.shown import STATIC, page, static
from acclimate.serving.gate import Allowed, Gate
from acclimate.serving.refusals import Refused
from acclimate.study.draft.sorting import kinds

Say = Callable[[str], None]
Handler = Callable[[Request], Awaitable[Response]]
MOST_UPLOADED = 1 << 30  # bytes of a file
FORM_SECONDS = 30.0


def make_page(home: Home, token: str, port: int, say: Say, most: int = MOST_UPLOADED, upload_seconds: float = 3600.0) -> Starlette:
    """The page of a folder, for who knows the token; `say` gets to know of faults. Dropped files have at most `most` bytes."""
    desk = Working(home, say, most, upload_seconds)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        desk.stop()

    routes = [
        Route("/", desk.told(desk.home_page), methods=["GET"]),
        Route("/files", desk.upload, methods=["PUT"]),
        Route("/new", desk.told(desk.new), methods=["GET"]),
        Route("/save", desk.told(desk.save), methods=["POST"]),
        Route("/study", desk.told(desk.study), methods=["GET"]),
        Route("/study", desk.told(desk.change), methods=["POST"]),
        Route("/plan", desk.told(desk.plan), methods=["GET"]),
        *(Route(f"/static/{name}", partial(_static, name), methods=["GET"]) for name in STATIC),
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(Gate, allowed=Allowed(True)), Middleware(Entrance, token=token, port=port)],
        exception_handlers={HTTPException: desk.no_such_page},
        lifespan=lifespan,
    )


@dataclass
class Working:
    """What the paths of the page do."""

    home: Home
    say: Say
    most: int
    upload_seconds: float
    reading: Desk = field(default_factory=lambda: Desk("reading", 3))  # data that was read is held
    planning: Desk = field(default_factory=lambda: Desk("planning", 64))

    def stop(self) -> None:
        """Begin nothing more."""
        for desk in (self.reading, self.planning):
            desk.stop()

    def told(self, handler: Handler) -> Handler:
        """Whatever goes wrong is told on a page."""

        async def answered(request: Request) -> Response:
            try:
                return await handler(request)
            except Refused as refused:
                return page("problem", self.home, refused.status, said=f"{refused.problem}\n{refused.mend}".strip())
            except AcclimateError as error:
                return page("problem", self.home, 400, said=str(error))
            except ClientDisconnect:
                return Response(status_code=499)
            except Exception:
                self.say(f"error: this is a fault of acclimate; please report it:\n{traceback.format_exc()}")
                return page("problem", self.home, 500, said="this is a fault of acclimate; the terminal in which it was started tells more")

        return answered

    async def home_page(self, request: Request) -> Response:
        """The studies of the folder, and the files of which another one could be made."""
        listed = await self.planning.do(self.home.listed)
        found = await self.planning.do(lambda: [(name, studies.state(self.home, name)) for name in listed.studies])
        known = [(name, said) for name, said in found if said is not None]
        return page("home", self.home, listed=listed, studies=known, most=self.most, said="", **_said_of_files({}))

    async def new(self, request: Request) -> Response:
        """What was found in files, and the study that is composed of them."""
        fields = of_address(request)
        stated = {name: fields.one(name) for name in composing.FILES}
        shown: dict[str, Any] = {"paths": fields.all("path"), "name": fields.one("name") or "study", "bases": [*NAMED]}
        shown |= _said_of_files(stated)
        try:
            return page("new", self.home, found=await self._composed(fields), said="", **shown)
        except AcclimateError as error:
            return page("new", self.home, 400, found=None, said=str(error), **shown)

    async def save(self, request: Request) -> Response:
        """Write the composed study file."""
        fields = await of_form(request, FORM_SECONDS)
        found = await self._composed(fields)
        if found.problem:
            raise SettingsError(found.problem)
        name = studies.save_new(self.home, fields.one("name"), found.text)
        return _to("/study", file=name)

    async def study(self, request: Request) -> Response:
        """A study of the folder."""
        opened = await self._opened(of_address(request))
        return page("study", self.home, opened=opened, said="", edited="")

    async def change(self, request: Request) -> Response:
        """Replace its file by another text."""
        fields = await of_form(request, FORM_SECONDS)
        opened, text = await self._opened(fields), fields.text("text")
        try:
            await self.planning.do(lambda: studies.save_changed(self.home, opened, text, fields.one("digest")))
        except AcclimateError as error:
            return page("study", self.home, 400, opened=opened, said=str(error), edited=text)
        return _to("/study", file=opened.name)

    async def plan(self, request: Request) -> Response:
        """What a study costs."""
        opened = await self._opened(of_address(request))
        try:
            if opened.study is None:
                raise SettingsError(opened.problem)
            found = await self.planning.ask(lambda: studies.stamp(self.home, opened), lambda: studies.planned(opened))
        except AcclimateError as error:
            return page("plan", self.home, 400, opened=opened, plan=None, said=str(error))
        return page("plan", self.home, opened=opened, plan=found, said="")

    async def upload(self, request: Request) -> Response:
        """Keep a dropped file."""
        try:
            announced = request.headers.get("content-length", "")
            if not announced.isdecimal():
                raise Refused(411, "Content-Length is wanted")
            name = of_address(request).text("name")
            path = await uploads.keep(self.home, name, int(announced), request.stream(), self.most, self.upload_seconds)
        except Refused as refused:
            return refused.response()
        except AcclimateError as error:
            return Refused(400, str(error)).response()
        except ClientDisconnect:
            return Response(status_code=499)
        except OSError as error:
            return Refused(507, f"the file cannot be written: {error.strerror or error}").response()
        return JSONResponse({"path": path})

    async def no_such_page(self, request: Request, error: Exception) -> Response:
        """There is no such path."""
        assert isinstance(error, HTTPException)
        return page("problem", self.home, error.status_code, said=error.detail)

    async def _composed(self, fields: Fields) -> composing.Composed:
        asked = Asked.of(fields)
        looked = await self.reading.ask(lambda: composing.stamp(self.home, asked), lambda: composing.looked_at(self.home, asked))
        return await self.planning.ask(
            lambda: (asked, composing.stamp(self.home, asked)), lambda: composing.composed(self.home, looked, asked)
        )

    async def _opened(self, fields: Fields) -> studies.StudyFile:
        return await self.planning.do(lambda: studies.open_study(self.home, fields.text("file")))


def _said_of_files(stated: dict[str, Any]) -> dict[str, Any]:
    return {"stated": dict.fromkeys(composing.FILES, "") | {name: said for name, said in stated.items() if said}, "kinds": [*kinds()]}


def _to(path: str, **asked: str) -> Response:
    return RedirectResponse(f"{path}?{urlencode(asked)}", 303)


async def _static(name: str, request: Request) -> Response:
    return static(name)
