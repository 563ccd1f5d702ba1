"""The paths of one study: its file, how it stands, and what starts and stops it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from acclimate.errors import AcclimateError
from acclimate.page import studies, watching
from acclimate.page.asked import Fields, of_address, of_form
from acclimate.page.desk import Desk
from acclimate.page.paths import FORM_SECONDS, Paths, to
from acclimate.page.runs import Runs, Standing
from acclimate.page.shown import page
from acclimate.page.studies import StudyFile
from acclimate.serving.refusals import Refused

LOOK = 1.0  # seconds between two looks at how a study stands
SIGN_OF_LIFE = 15.0  # seconds without news after which something is sent nonetheless: else nobody would notice that a client went
MOST_FOLLOWING = 256  # pages that are open at a time


@dataclass
class Following(Paths):
    """A study of the folder."""

    runs: Runs
    watch: Desk = field(default_factory=lambda: Desk("watching", 64, MOST_FOLLOWING))
    open: int = 0
    """Pages that are told news."""

    async def study(self, request: Request) -> Response:
        """A study: how it stands, and its file."""
        fields = of_address(request)
        return await self._shown(await self.opened(fields), _smoke(fields))

    async def change(self, request: Request) -> Response:
        """Replace its file by another text."""
        fields = await of_form(request, FORM_SECONDS)
        opened, text = await self.opened(fields), fields.text("text")
        try:
            await self.planning.do(lambda: studies.save_changed(self.home, opened, text, fields.one("digest")))
        except AcclimateError as error:
            return await self._shown(opened, False, 400, str(error), text)
        return to("/study", file=opened.name)

    async def start(self, request: Request) -> Response:
        """Run it, or go on with it."""
        fields = await of_form(request, FORM_SECONDS)
        opened, smoke = await self.opened(fields), _smoke(fields)
        await self.watch.do(lambda: self.runs.start(opened, smoke))
        return to("/study", file=opened.name, smoke="1" * smoke)

    async def stop(self, request: Request) -> Response:
        """Ask it to stop."""
        fields = await of_form(request, FORM_SECONDS)
        opened, smoke = await self.opened(fields), _smoke(fields)
        await self.watch.do(lambda: self.runs.stop(opened, smoke))
        return to("/study", file=opened.name, smoke="1" * smoke)

    async def events(self, request: Request) -> Response:
        """How it stands, again and again, as server-sent events: of each piece of the page what it is now, where it changed."""
        fields = of_address(request)
        opened, smoke = await self.opened(fields), _smoke(fields)
        if opened.study is None:
            raise Refused(404, opened.problem)
        if self.open >= MOST_FOLLOWING:
            raise Refused(503, f"{MOST_FOLLOWING} pages are open already")
        ending: Callable[[], bool] = getattr(request.app.state, "ending", lambda: False)
        return StreamingResponse(self._news(opened, smoke, ending), media_type="text/event-stream")

    async def _news(self, opened: StudyFile, smoke: bool, ending: Callable[[], bool]) -> AsyncIterator[str]:
        told: dict[str, str] = {}
        silent = 0.0
        self.open += 1
        try:
            while not ending():
                _, now = await self._stands(opened, smoke)
                if news := {name: piece for name, piece in now.items() if told.get(name) != piece}:
                    yield f"data: {json.dumps(news)}\n\n"
                    told, silent = now, 0.0
                elif silent >= SIGN_OF_LIFE:
                    yield ":\n\n"
                    silent = 0.0
                await asyncio.sleep(LOOK)
                silent += LOOK
        finally:
            self.open -= 1

    async def _stands(self, opened: StudyFile, smoke: bool) -> tuple[Standing, dict[str, str]]:
        """How it stands, and the pieces of the page that say so."""
        standing = await self.watch.do(lambda: self.runs.standing(opened, smoke))
        pieces = await self.watch.ask(
            lambda: watching.moment(standing, opened, smoke), lambda: watching.pieces(self.home, standing, opened, smoke)
        )
        return standing, pieces

    async def _shown(self, opened: StudyFile, smoke: bool, status: int = 200, said: str = "", edited: str = "") -> Response:
        standing, found = await self._stands(opened, smoke) if opened.study is not None else (Standing(), {})
        pieces = {name: Markup(piece) for name, piece in found.items()}  # from a template: what is somebody's in it is escaped
        shown = {"opened": opened, "smoke": "1" * smoke, "pieces": pieces, "refused": standing.refused, "said": said, "edited": edited}
        return page("study", self.home, status, **shown)


def _smoke(fields: Fields) -> bool:
    return fields.one("smoke") != ""
