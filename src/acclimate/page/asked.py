"""What a request says: fields of its address, or of a form."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.requests import Request

from acclimate.errors import SettingsError
from acclimate.serving.refusals import Refused

FORM = "application/x-www-form-urlencoded"
LARGEST_FORM = 1 << 20  # bytes; a study file with its paths has some thousands
MOST_FIELDS = 1000


@dataclass(frozen=True)
class Fields:
    """Names and values, in order; a name may come several times."""

    pairs: tuple[tuple[str, str], ...]

    @staticmethod
    def of(text: str) -> "Fields":
        """Those of an encoded text.

        Raises:
            Refused: there are too many, or they are no UTF-8.
        """
        try:
            return Fields(tuple(parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")))
        except ValueError:
            raise Refused(400, f"a form of at most {MOST_FIELDS:,} fields in UTF-8 is wanted") from None

    def one(self, name: str, default: str = "") -> str:
        """The last value of a name, without space around it."""
        return next((value.strip() for key, value in reversed(self.pairs) if key == name), default)

    def text(self, name: str) -> str:
        """The same as it was written, its line ends as files have them."""
        return next((value for key, value in reversed(self.pairs) if key == name), "").replace("\r\n", "\n")

    def all(self, name: str) -> list[str]:
        """Every value of a name that says something, each once."""
        return [*dict.fromkeys(value for key, value in self.pairs if key == name and value.strip())]

    def number(self, name: str, default: int, least: int, most: int) -> int:
        """A whole number.

        Raises:
            SettingsError: it is none, or out of bounds.
        """
        said = self.one(name, str(default))
        if not said.isascii() or not said.isdecimal() or len(said) > len(str(most)) or not least <= int(said) <= most:
            raise SettingsError(f"{name}: {said[:40]!r} is no number from {least} to {most:,}")
        return int(said)

    def only(self, names: Iterable[str]) -> "Fields":
        """Those of these names."""
        kept = frozenset(names)
        return Fields(tuple(pair for pair in self.pairs if pair[0] in kept))


def of_address(request: Request) -> Fields:
    """What the address says behind its `?`."""
    return Fields.of(request.url.query)


async def of_form(request: Request, seconds: float) -> Fields:
    """What a form says that was sent, within so many seconds.

    Raises:
        Refused: it is none, too large, or too slow.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise Refused(415, "a form of this page is wanted")
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > LARGEST_FORM:
                    raise Refused(413, f"a form has at most {LARGEST_FORM:,} bytes")
    except TimeoutError:
        raise Refused(408, f"the form did not arrive within {seconds:g} seconds") from None
    return Fields.of(body.decode("latin-1"))
