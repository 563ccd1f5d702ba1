"""The paths for looking at files and for composing a study."""

from dataclasses import dataclass, field
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from acclimate.errors import AcclimateError, SettingsError
from acclimate.modeling.named import NAMED
from acclimate.page import composing, studies, uploads
from acclimate.page.asked import Fields, of_address, of_form
from acclimate.page.begun import begun_with, status_of, store_of
from acclimate.page.composing import Asked
from acclimate.page.desk import Desk
from acclimate.page.pace import Pace
from acclimate.page.paths import FORM_SECONDS, Paths, to
from acclimate.page.shown import page
from acclimate.serving.refusals import Refused
from acclimate.study.draft.sorting import kinds


@dataclass
class Choosing(Paths):
    """From files to a study file."""

    most: int
    """Bytes of a dropped file."""
    upload_seconds: float
    pace: Pace
    reading: Desk = field(default_factory=lambda: Desk("reading", 3))  # data that was read is held

    async def home_page(self, request: Request) -> Response:
        """The studies of the folder, and the files of which another one could be made."""
        return await self._home()

    async def _home(self, status: int = 200, said: str = "") -> Response:
        listed = await self.planning.do(self.home.listed)
        found = await self.planning.do(lambda: [(name, studies.state(self.home, name)) for name in listed.studies])
        known = [(name, said) for name, said in found if said is not None]
        return page("home", self.home, status, listed=listed, studies=known, most=self.most, said=said, **_said_of_files({}))

    async def new(self, request: Request) -> Response:
        """What was found in files, and the study that is composed of them."""
        fields = of_address(request)
        if not fields.all("path"):
            return await self._home(400, "which files? Tick some, drop some, or name a path")
        stated = {name: fields.one(name) for name in composing.STATED}
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
        return to("/study", file=name)

    async def plan(self, request: Request) -> Response:
        """What a study costs."""
        opened = await self.opened(of_address(request))
        try:
            begun = await self.planning.do(lambda: begun_with(status_of(self.home, opened)))
            store = store_of(self.home, opened, begun)
            found = await self.planning.ask(
                lambda: (studies.stamp(self.home, opened, store), begun.precision, self.pace.quickest),
                lambda: studies.planned(opened, store, self.pace.measured(), begun.precision),
            )
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

    async def _composed(self, fields: Fields) -> composing.Composed:
        asked = Asked.of(fields)
        looked = await self.reading.ask(lambda: composing.stamp(self.home, asked), lambda: composing.looked_at(self.home, asked))
        return await self.planning.ask(
            lambda: (asked, composing.stamp(self.home, asked), self.pace.quickest),
            lambda: composing.composed(self.home, looked, asked, self.pace.measured()),
        )


def _said_of_files(stated: dict[str, Any]) -> dict[str, Any]:
    return {"stated": dict.fromkeys(composing.STATED, "") | {name: said for name, said in stated.items() if said}, "kinds": [*kinds()]}
