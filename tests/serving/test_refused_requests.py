"""What is wrong with a request is told with its place and its mend, whatever was sent, and never becomes a fault of the server."""

import json

import pytest
from tests.serving.conftest import Lengths, service_of

JSON = {"content-type": "application/json"}


def post(client, body, **headers):
    return client.post("/predict", content=body, headers=JSON | headers)


BODIES = {
    b"": "no JSON",
    b"{": "no JSON",
    b'{"texts": ["a"]} {}': "no JSON: Extra data, at character 17",
    b"\xff\xfe": "not UTF-8, at byte 0",
    b'\xef\xbb\xbf{"texts": ["a"]}': "no JSON",
    b"[" * 100_000: "nested too deeply",
    b'{"texts": ' + b"[" * 5_000 + b"]" * 5_000 + b"}": "nested too deeply",
    b'{"texts": [' + b"1" * 5_000 + b"]}": "too many digits",
    b'{"texts": [1e999]}': "'texts[0]' is float, a string is wanted",
    b'{"texts": [NaN]}': "NaN is no number of JSON",
    b'{"texts": [-Infinity]}': "-Infinity is no number",
    b"[]": "a JSON object is wanted",
    b"null": "a JSON object is wanted",
    b"{}": "texts is missing",
    b'{"texts": "one"}': "texts: is a text, and a list is wanted",
    b'{"texts": null}': "texts: is null",
    b'{"texts": []}': "there is none",
    b'{"texts": ["a"], "texts": ["b"]}': "'texts' stands there twice",
    b"{" + b",".join(b'"a%d": 1' % number for number in range(100_000)) + b', "a99999": 1}': "'a99999' stands there twice",
    b'{"text": ["a"]}': "'text' is not known here; did you mean 'texts'?",
    b'{"texts": ["a"], "texts_b": ["b"]}': "'texts_b' is not known here",
    b'{"\\ud800": 1}': "is not known here",
    b'{"texts": ["a", ""]}': "'texts[1]' is empty",
    b'{"texts": ["a", "\\u0000 \\n"]}': "'texts[1]' is empty",
    b'{"texts": ["a", null]}': "'texts[1]' is null",
    b'{"texts": ["a", ["b"]]}': "'texts[1]' is list",
    b'{"texts": ["a", "b \\ud800"]}': "'texts[1]' holds half of a surrogate pair at character 3",
}


@pytest.mark.parametrize("body", list(BODIES), ids=lambda body: str(body[:24]))
def test_a_bad_body_is_told(body, served):
    client = served()
    response = post(client, body)
    assert response.status_code == 400
    assert BODIES[body] in response.json()["error"]["problem"]
    assert "mend" in response.json()["error"]
    assert client.said == []


def test_the_item_is_named(served):
    assert post(served(), b'{"texts": ["a", "b", ""]}').json()["error"] == {
        "problem": "'texts[2]' is empty", "mend": "leave it out, or give it a text", "item": 2,
    }  # fmt: skip


def test_pairs_and_words_have_rules_of_their_own(served):
    pairs = served(service_of(Lengths(), columns=(2,)))
    assert "this model answers pairs" in post(pairs, b'{"texts": ["a"]}').json()["error"]["problem"]
    assert "2 first and 1 second" in post(pairs, b'{"texts": ["a", "b"], "texts_b": ["c"]}').json()["error"]["problem"]
    words = served(service_of(Lengths(), tokens=True))
    assert "'tokens[1]' has 'b c', which holds white space, as token 1" in post(words, b'{"tokens": [["a"], ["b c"]]}').text
    assert "'tokens[0]' is empty" in post(words, b'{"tokens": [[]]}').text
    assert "an item has one of them" in post(words, b'{"tokens": [["a"]], "texts": ["a"]}').text
    sides = served(service_of(Lengths(), sides=True))
    assert "query, document" in post(sides, b'{"texts": ["a"], "side": {}}').text


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (json.dumps({"texts": ["a"] * 4}), "texts: 4, and a request may have 3"),
        (json.dumps({"texts": ["a", "b" * 101]}), "texts[1] has 101 characters, and an item may have 100"),
        ('{"texts": ["a"]' + " " * 5000 + "}", "larger than 5,000 bytes"),
        (iter([b'{"texts": ["'] + [b"a" * 1000] * 100), "larger than 5,000 bytes"),  # without saying how much will come
    ],
)
def test_what_is_too_large_is_refused(body, problem, served):
    response = post(served(texts=3, characters=100, body=5_000), body)
    assert response.status_code == 413
    assert problem in response.json()["error"]["problem"]


def test_headers_are_bounded_however_they_arrive(served):
    client = served()
    for asked in ({"headers": {"x-more": "a" * 17_000}}, {"params": {"more": "a" * 17_000}}):
        response = client.get("/health", **asked)
        assert (response.status_code, "larger than 16,384 bytes" in response.json()["error"]["problem"]) == (431, True)
    assert client.get("/health", headers={"x-more": "a" * 16_000}).status_code == 200


def test_a_million_texts_are_counted_and_not_looked_at(served):
    response = post(served(body=10**8), json.dumps({"texts": ["a"] * 10**6}))
    assert (response.status_code, response.json()["error"]["problem"]) == (413, "texts: 1,000,000, and a request may have 256")


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"},
        {"content-type": "application/json; charset=utf-16"},
        {"content-encoding": "gzip"},
        {"content-type": ""},
    ],
)
def test_only_plain_json_is_read(headers, served):
    response = post(served(), b'{"texts": ["a"]}', **headers)
    assert response.status_code == 415
    assert "application/json" in response.text or "compressed" in response.text


def test_other_paths_and_methods_are_told_what_there_is(served):
    client = served()
    for response, status in (
        (client.get("/"), 404),
        (client.get("/predict"), 405),
        (client.post("/model"), 405),
        (client.options("/predict"), 405),
        (client.post("/predict/", json={"texts": ["a"]}, follow_redirects=False), 404),
    ):
        assert response.status_code == status
        assert "POST /predict" in response.json()["error"]["mend"]


def test_bodies_are_counted_together_and_forgotten_when_they_are_answered(served):
    client = served(held=4_000, body=3_000)
    for _ in range(3):
        assert post(client, json.dumps({"texts": ["a" * 2_000]})).status_code == 200
    assert client.app.state.answering.held == 0
    crowded = served(held=1_000)
    refused = post(crowded, json.dumps({"texts": ["a" * 2_000]}))
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert crowded.app.state.answering.held == 0
