"""What the paths of a page share: its folder, who is told of faults, and how whatever goes wrong is shown."""

import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response

from acclimate.errors import AcclimateError
from acclimate.page.asked import Fields
from acclimate.page.desk import Desk
from acclimate.page.home import Home
from acclimate.page.shown import problem
from acclimate.page.studies import StudyFile, open_study
from acclimate.serving.refusals import Refused

Say = Callable[[str], None]
Handler = Callable[[Request], Awaitable[Response]]
FORM_SECONDS = 30.0  # in which a form arrives


@dataclass
class Paths:
    """Some paths of the page."""

    home: Home
    say: Say
    planning: Desk

    def told(self, handler: Handler) -> Handler:
        """Whatever goes wrong is told on a page."""

        async def answered(request: Request) -> Response:
            try:
                return await handler(request)
            except Refused as refused:
                return problem(request, self.home, refused.status, f"{refused.problem}\n{refused.mend}".strip())
            except AcclimateError as error:
                return problem(request, self.home, 400, str(error))
            except ClientDisconnect:
                return Response(status_code=499)
            except Exception:
                self.say(f"error: this is a fault of acclimate; please report it:\n{traceback.format_exc()}")
                return problem(request, self.home, 500, "this is a fault of acclimate; the terminal in which it was started tells more")

        return answered

    async def opened(self, fields: Fields) -> StudyFile:
        """The study file that a request names.

        Raises:
            SettingsError: there is none, or it lies outside.
        """
        return await self.planning.do(lambda: open_study(self.home, fields.text("file")))


def to(path: str, **asked: str) -> Response:
    """Go there."""
    return RedirectResponse(f"{path}?{urlencode({name: said for name, said in asked.items() if said})}", 303)
