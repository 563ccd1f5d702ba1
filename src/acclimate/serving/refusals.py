"""An HTTP request that is not answered, and why: every error a client can meet has this form."""

from collections.abc import Mapping

from starlette.responses import JSONResponse

RETRY_AFTER = 1  # seconds: a pass of the model takes about as long, and then there is room again


class Refused(Exception):
    """A request that is not answered; as JSON `{"error": {"problem": ..., "mend": ..., "item": ...}}`."""

    def __init__(
        self, status: int, problem: str, mend: str = "", item: int | None = None, headers: Mapping[str, str] | None = None
    ) -> None:  # fmt: skip
        """`item`: which of the texts it is about, from 0."""
        super().__init__(problem)
        self.status, self.problem, self.mend, self.item, self.headers = status, problem, mend, item, dict(headers or {})

    def response(self) -> JSONResponse:
        """What the client gets."""
        said = {"problem": self.problem, "mend": self.mend or None, "item": self.item}
        error = {name: value for name, value in said.items() if value is not None}
        return JSONResponse({"error": error}, status_code=self.status, headers={"cache-control": "no-store", **self.headers})


def busy(problem: str) -> Refused:
    """Overload: the same request may be answered later."""
    mend = "ask again after the seconds that Retry-After says"
    return Refused(503, problem, mend, headers={"retry-after": str(RETRY_AFTER)})
