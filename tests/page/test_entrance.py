"""Who may use the page: whoever has the token in the address, which is then nowhere; and nothing leaves."""

import pytest
from tests.page.conftest import TOKEN

PATHS = ["/", "/new?path=data/news.jsonl", "/study?file=a.yaml", "/plan?file=a.yaml", "/static/page.js", "/nowhere"]


@pytest.mark.measured(1)
@pytest.mark.parametrize("path", PATHS)
def test_without_the_cookie_nothing_is_told(visit, path):
    client = visit()
    for headers in ({}, {"cookie": "acclimate_8001=x"}, {"cookie": f"acclimate_8001={TOKEN}"}, {"authorization": f"Bearer {TOKEN}"}):
        response = client.get(path, headers=headers)
        assert response.status_code == 401
        assert "news" not in response.text
    assert client.post("/save", data={"name": "a"}).status_code == client.put("/files?name=a.jsonl").status_code == 401


def test_the_token_in_the_address_becomes_a_cookie_and_stands_nowhere_after_that(visit):
    client = visit()
    assert client.get("/", params={"token": f"{TOKEN}x"}).status_code == 401
    assert client.get("/", params=[("token", TOKEN), ("token", TOKEN)]).status_code == 401
    response = client.get("/", params={"token": TOKEN, "a": "ü"})
    assert (response.status_code, response.headers["location"]) == (303, "/?a=%C3%BC")
    cookie = response.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
    page = client.get("/")
    assert page.status_code == 200
    for text in (cookie, response.text, page.text, *client.said, *map(str, page.headers.items())):
        assert TOKEN not in text


@pytest.mark.parametrize(
    "headers",
    [{"host": "evil.example"}, {"host": "127.0.0.1.evil.example:8001"}, {"origin": "http://evil.example"}, {"origin": "null"},
     {"origin": "http://127.0.0.1:9"}, {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}],
)  # fmt: skip
def test_pages_of_other_sites_are_refused_whatever_they_know(client, headers):
    for path in ("/", f"/?token={TOKEN}"):
        assert client.get(path, headers=headers).status_code == 403
    assert client.post("/save", data={"name": "a", "path": "data/news.jsonl"}, headers=headers).status_code == 403


def test_every_answer_keeps_the_page_to_itself(visit):
    inside, outside = visit(True), visit()
    for client, path in ((inside, "/"), (inside, "/static/page.css"), (inside, "/nowhere"), (outside, "/"), (inside, "/new?path=x")):
        headers = client.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'self';")
        assert headers["referrer-policy"] == "same-origin"
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers


def test_an_open_page_goes_on_with_a_server_that_was_started_again_with_the_same_token(visit):
    first, second = visit(True), visit()
    second.cookies = first.cookies
    assert second.get("/").status_code == 200
