"""Who may ask: `Host` and `Origin` are checked, and a token where there is one, before anything else of a request is looked at.

A page of the web that somebody reads on this machine can send requests to it. Through a name of its own that it lets point here (DNS
rebinding) it could also read the answers: then `Host` has that name. Without such a name (CSRF) browsers say by `Origin` or
`Sec-Fetch-Site` where a request comes from.
"""

import hashlib
import hmac
import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Receive, Scope, Send

from acclimate.errors import SettingsError
from acclimate.serving.limits import HEAD_BYTES
from acclimate.serving.refusals import Refused

LEAST_TOKEN = 16  # characters
OPEN = ("/health", "/ready")  # paths that tell nothing, for probes that know no token
OWN_SITE = ("same-origin", "none")  # `none`: typed by somebody
_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?")


@dataclass(frozen=True)
class Token:
    """What a client must know; kept as a digest, so that nothing that is printed can tell it."""

    digest: bytes = field(repr=False)

    @classmethod
    def of(cls, text: str) -> "Token":
        """That of a word.

        Raises:
            SettingsError: it cannot stand in a header, or is too short.
        """
        if not text.isascii() or not text.isprintable() or " " in text:
            raise SettingsError("--token: only visible ASCII characters can be sent; `openssl rand -hex 24` writes a good one")
        if len(text) < LEAST_TOKEN:
            raise SettingsError(
                f"--token: has {len(text)} characters, at least {LEAST_TOKEN} are wanted; `openssl rand -hex 24` writes a good one"
            )
        return cls(hashlib.sha256(text.encode()).digest())

    def fits(self, authorization: str) -> bool:
        """Whether a header says `Bearer` and the token; it takes as long whatever is said."""
        scheme, _, said = authorization.partition(" ")
        same = hmac.compare_digest(hashlib.sha256(said.strip().encode("latin-1")).digest(), self.digest)
        return scheme.lower() == "bearer" and same


@dataclass(frozen=True)
class Allowed:
    """Under which names a server is asked, and with which token."""

    loopback: bool
    """Whether it listens on this machine alone; else by any address, since rebinding needs a name."""
    names: frozenset[str] = frozenset()
    """Names besides localhost and addresses."""
    token: Token | None = None

    @classmethod
    def on(cls, host: str, names: Iterable[str] = (), token: str | None = None) -> "Allowed":
        """What is allowed of a server that listens at `host`.

        Raises:
            SettingsError: others could reach it, and there is no token; or a name or the token cannot be used.
        """
        loopback = is_loopback(host)
        if not loopback and token is None:
            raise SettingsError(
                f"--host {host}: other machines could ask, so a token is needed: set ACCLIMATE_TOKEN (`openssl rand -hex 24` writes one); "
                "or leave --host out, and only this machine can"
            )
        for name in names:
            if (match := _HOST.fullmatch(name)) is None or match[2]:
                raise SettingsError(f"--allow-host {name!r}: a name is wanted, such as models.example.org, without port and scheme")
        own = {name.lower() for name in names} | ({host.lower()} if not is_address(host) else set())
        return cls(loopback, frozenset(own), None if token is None else Token.of(token))

    def check(self, path: str, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Look at a request.

        Raises:
            Refused: it may not ask.
        """
        said: dict[str, list[str]] = {}
        for name, value in headers:
            said.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1").strip())
        host = self._host(said.get("host", []))
        for origin in said.get("origin", []):
            if origin.lower() not in (f"http://{host}", f"https://{host}"):
                raise Refused(403, "Origin: this comes from a page of another site", "ask from a program, or from a page of this server")
        if any(site.lower() not in OWN_SITE for site in said.get("sec-fetch-site", [])):
            raise Refused(
                403, "Sec-Fetch-Site: this comes from a page of another site", "ask from a program, or from a page of this server"
            )
        if self.token is not None and path not in OPEN:
            tokens = said.get("authorization", [])
            if len(tokens) != 1 or not self.token.fits(tokens[0]):
                why = "the token is another one" if tokens else "a token is needed"
                raise Refused(401, why, "send the header `Authorization: Bearer TOKEN`", headers={"www-authenticate": "Bearer"})

    def _host(self, hosts: list[str]) -> str:
        if len(hosts) != 1 or (match := _HOST.fullmatch(hosts[0])) is None:
            raise Refused(400, "Host: one name or address is wanted, with or without a port")
        name = match[1].strip("[]").lower()
        known = name == "localhost" or name in self.names or (is_loopback(name) if self.loopback else is_address(name))
        if not known:
            raise Refused(403, "Host: this server does not go by that name", "ask by its address, or start it with --allow-host NAME")
        return hosts[0].lower()


class Gate:
    """Lets through what is allowed."""

    def __init__(self, app: ASGIApp, allowed: Allowed) -> None:
        self._app, self._allowed = app, allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request that may not ask, and hand on the others."""
        if scope["type"] == "http":
            try:
                _check_size(scope)
                self._allowed.check(scope["path"], scope["headers"])
            except Refused as refused:
                await refused.response()(scope, receive, send)
                return
        elif scope["type"] != "lifespan":
            return  # no websockets here: without an answer the server refuses them
        await self._app(scope, receive, send)


def _check_size(scope: Scope) -> None:
    headers = sum(len(name) + len(value) for name, value in scope["headers"])
    if headers + len(scope["path"]) + len(scope["query_string"]) > HEAD_BYTES:
        raise Refused(431, f"the line and the headers of the request are larger than {HEAD_BYTES:,} bytes", "texts belong into its body")


def is_address(host: str) -> bool:
    """Whether it is an IP address, and no name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches it: localhost, 127.0.0.1, ::1."""
    return host.lower() == "localhost" or (is_address(host) and ipaddress.ip_address(host).is_loopback)
