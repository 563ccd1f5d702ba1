"""Nobody asks through a page of the web, under another name, or without the token."""

import pytest

from acclimate.errors import SettingsError
from acclimate.serving.gate import Allowed, Token

SECRET = "a-long-enough-token"
ASKED = {"json": {"texts": ["a"]}}


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8000", "localhost:8000", "LOCALHOST", "[::1]:8000", "127.9.9.9"])
def test_this_machine_is_asked_by_its_own_names(host, served):
    assert served().post("/predict", headers={"host": host}, **ASKED).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost.evil.example", "192.168.1.2", "0.0.0.0", "", "a b",
     "localhost:8000@evil.example", "localhost/", "[::1", "127.0.0.1:999999", "user@localhost", "2130706433", "127.1"],
)  # fmt: skip
def test_another_name_is_refused_whatever_is_asked(host, served):
    client = served()
    for path in ("/predict", "/model", "/health", "/nowhere"):
        response = client.post(path, headers={"host": host}, **ASKED)
        assert response.status_code in (400, 403)
        assert response.json()["error"]["problem"].startswith("Host:")


def test_a_name_may_be_allowed(served):
    allowed = Allowed.on("127.0.0.1", ["models.example"])
    assert served(allowed=allowed).get("/health", headers={"host": "Models.Example:80"}).status_code == 200
    for name in ("http://models.example", "models.example:80", "a b", ""):
        with pytest.raises(SettingsError, match="--allow-host"):
            Allowed.on("127.0.0.1", [name])


@pytest.mark.parametrize(
    "headers",
    [{"origin": "http://evil.example"}, {"origin": "null"}, {"origin": "http://127.0.0.1:9"}, {"origin": "http://localhost:8000"},
     {"origin": "file://"}, {"origin": ""}, {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}],
)  # fmt: skip
def test_a_page_of_another_site_is_refused(headers, served):
    response = served().post("/predict", headers=headers, **ASKED)
    assert response.status_code == 403
    assert "access-control-allow-origin" not in response.headers


def test_a_page_of_this_server_may_ask(served):
    own = {"origin": "http://127.0.0.1:8000", "sec-fetch-site": "same-origin"}
    assert served().post("/predict", headers=own, **ASKED).status_code == 200


def test_without_the_token_nothing_is_told_but_that_the_server_lives(served):
    client = served(allowed=Allowed.on("127.0.0.1", (), SECRET))
    for said in (None, "", SECRET, f"Basic {SECRET}", "Bearer", "Bearer x", f"Bearer {SECRET}x", f"Bearer {SECRET[:-1]}", "Bearer ä"):
        headers = {} if said is None else {"authorization": said.encode("latin-1")}
        for response in (
            client.post("/predict", headers=headers, **ASKED),
            client.get("/model", headers=headers),
            client.get("/x", headers=headers),
        ):
            assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer")
            assert SECRET not in response.text
    twice = [("authorization", f"Bearer {SECRET}"), ("authorization", "Bearer x")]
    assert client.get("/model", headers=twice).status_code == 401
    assert client.get("/health").status_code == client.get("/ready").status_code == 200
    assert client.post("/predict", headers={"authorization": f"bearer {SECRET}"}, **ASKED).status_code == 200
    assert client.said == []


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "models.example", ""])
def test_another_address_needs_a_token(host):
    with pytest.raises(SettingsError, match="a token is needed: set ACCLIMATE_TOKEN"):
        Allowed.on(host)
    allowed = Allowed.on(host, (), SECRET)
    assert SECRET not in repr(allowed)
    assert not allowed.loopback


def test_on_another_address_names_are_still_checked(served):
    client = served(allowed=Allowed.on("0.0.0.0", (), SECRET))
    headers = {"authorization": f"Bearer {SECRET}"}
    for host, status in (("10.0.0.7:8000", 200), ("[fe80::1]", 200), ("localhost", 200), ("evil.example", 403)):
        assert client.get("/model", headers=headers | {"host": host}).status_code == status


@pytest.mark.parametrize("token", ["", "short", "a token with spaces in it", "pässword-pässword", "sixteen-letters\n"])
def test_a_token_that_cannot_be_sent_or_is_soon_guessed_is_refused(token):
    with pytest.raises(SettingsError, match="--token") as error:
        Token.of(token)
    assert not token or token not in str(error.value)
