"""Who may use the page: whoever opens its address, which holds a token that becomes a cookie at once and stands nowhere after that."""

import hashlib
import hmac
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlencode

from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from acclimate.serving.gate import Token

IN_ADDRESS = "token"
TOLD = "This page is opened by the address that `acclimate ui` printed; it holds a token. Look for it in that terminal."
# Nothing from elsewhere is fetched, nothing of this page is shown in a page from elsewhere, and only the package's own script runs.
POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
HEADERS = {
    b"content-security-policy": POLICY.encode(),
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"same-origin",  # other sites are told nothing; with `no-referrer` browsers would not say where our forms come from
    b"x-dns-prefetch-control": b"off",  # browsers look up the names in links beforehand
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"cache-control": b"no-store",
}


class Entrance:
    """Lets in who has the cookie, gives it to who has the token, and sends every answer with headers that keep the page to itself.

    The cookie follows from the token, so that open pages go on with a server that was started again with the same one. Cookies of one host
    are shared by all of its ports: the port is in its name.
    """

    def __init__(self, app: ASGIApp, token: str, port: int) -> None:
        self._app, self._token, self._name = app, Token.of(token), f"acclimate_{port}"
        self._secret = hmac.new(token.encode(), b"acclimate ui", hashlib.sha256).hexdigest()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer who may not enter, and hand on the others."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                known = {name for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *((name, value) for name, value in HEADERS.items() if name not in known)]
            await send(message)

        refused = self._refused(scope)
        await (self._app if refused is None else refused)(scope, receive, sent)

    def _refused(self, scope: Scope) -> Response | None:
        asked = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        said = [value for name, value in asked if name == IN_ADDRESS]
        if said:
            if scope["method"] != "GET" or len(said) != 1 or not self._token.fits(f"Bearer {said[0]}"):
                return PlainTextResponse(f"The token is another one. {TOLD}", 401)
            rest = urlencode([(name, value) for name, value in asked if name != IN_ADDRESS])
            response = RedirectResponse(f"/?{rest}" if rest else "/", 303)
            response.set_cookie(self._name, self._secret, path="/", httponly=True, samesite="strict")
            return response
        return None if self._has_cookie(scope) else PlainTextResponse(TOLD, 401)

    def _has_cookie(self, scope: Scope) -> bool:
        found = False
        for name, value in scope["headers"]:
            if name == b"cookie":
                cookies = SimpleCookie()
                try:
                    cookies.load(value.decode("latin-1"))
                except CookieError:
                    continue
                if self._name in cookies:
                    said = cookies[self._name].value.encode("latin-1", "replace")
                    found |= hmac.compare_digest(said, self._secret.encode())
        return found
