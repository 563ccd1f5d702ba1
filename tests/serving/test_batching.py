"""Requests that wait together share a pass, what waits is bounded, and nobody suffers for another."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from tests.serving.conftest import Lengths, service_of

from acclimate.errors import TrainingError
from acclimate.serving.asked import Asked, Way
from acclimate.serving.batching import Batcher
from acclimate.serving.limits import Limits
from acclimate.serving.refusals import Refused
from acclimate.serving.service import Answered


class Model:
    """Says each text again; its first pass waits until it is let go."""

    def __init__(self):
        self.passes, self.threads, self.go, self.begun = [], set(), threading.Event(), threading.Event()

    def answer(self, way, items):
        self.passes.append([text for (text,) in items])
        self.threads.add(threading.current_thread())
        self.begun.set()
        self.go.wait()
        return Answered([text.encode() for (text,) in items], ["cut" in text for (text,) in items])


def asked(*texts, side=None):
    return Asked(Way(side=side), tuple((text,) for text in texts))


def answers_of(model, requests, first=("first",), **limits):
    """What becomes of requests that come while the first one goes through; and the passes."""

    async def run():
        batcher = Batcher(model.answer, Limits(**limits))
        batcher.start()
        tasks = [asyncio.ensure_future(batcher.ask(asked(*first)))]
        await asyncio.to_thread(model.begun.wait)
        tasks += [asyncio.ensure_future(batcher.ask(request)) for request in requests]
        await asyncio.sleep(0)
        model.go.set()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        await batcher.stop()
        assert batcher.open == 0
        return found

    return asyncio.run(run())


def test_what_waits_together_goes_through_together_and_each_gets_its_own():
    model = Model()
    found = answers_of(model, [asked("a", "b cut"), asked("c"), asked("d", "e", "f")])
    assert model.passes == [["first"], ["a", "b cut", "c", "d", "e", "f"]]
    assert [each.answers for each in found] == [[b"first"], [b"a", b"b cut"], [b"c"], [b"d", b"e", b"f"]]
    assert [sum(each.cut) for each in found] == [0, 1, 0, 0]
    assert len(model.threads) == 1
    assert threading.main_thread() not in model.threads


def test_a_pass_is_bounded_and_a_long_request_takes_turns():
    model = Model()
    found = answers_of(model, [asked(*"abcdefg"), asked("x"), asked("y")], pass_texts=3)
    assert model.passes == [["first"], ["a", "b", "c"], ["x", "y", "d"], ["e", "f", "g"]]
    assert found[1].answers == [letter.encode() for letter in "abcdefg"]
    model = Model()
    answers_of(model, [asked("aaa", "bbb", "ccccccccc"), asked("xx")], pass_characters=6)
    assert model.passes == [["first"], ["aaa", "bbb"], ["xx"], ["ccccccccc"]]


def test_only_what_is_asked_in_the_same_way_goes_together():
    model = Model()
    answers_of(model, [asked("a"), asked("q", side="query"), asked("b"), asked("r", side="query")])
    assert model.passes == [["first"], ["a", "b"], ["q", "r"]]


def test_where_there_is_no_room_a_request_is_told_to_come_again():
    model = Model()
    found = answers_of(model, [asked("a"), asked("b"), asked("c")], waiting=3)
    assert [type(each) for each in found] == [Answered, Answered, Answered, Refused]
    assert (found[3].status, found[3].headers) == (503, {"retry-after": "1"})


def test_what_took_too_long_is_given_up_and_never_asked():
    model = Model()

    async def run():
        batcher = Batcher(model.answer, Limits(seconds=0.01))
        batcher.start()
        found = await asyncio.gather(batcher.ask(asked("a")), batcher.ask(asked("b")), return_exceptions=True)
        assert [(each.status, each.headers) for each in found] == [(503, {"retry-after": "1"})] * 2
        await asyncio.sleep(0)
        late = asyncio.ensure_future(batcher.ask(asked("late")))
        await asyncio.sleep(0)
        late.cancel()
        model.go.set()
        await batcher.stop()

    asyncio.run(run())
    assert len(model.passes) == 1, "what nobody waits for is not asked"


def test_a_request_that_fails_fails_alone():
    class Broken(Model):
        def answer(self, way, items):
            found = super().answer(way, items)
            if any(text == "bad" for (text,) in items):
                raise ValueError("bad")
            return found

    model = Broken()
    found = answers_of(model, [asked("a"), asked("bad", "b"), asked("c")])
    assert [each.answers for each in (found[1], found[3])] == [[b"a"], [b"c"]]
    assert isinstance(found[2], ValueError)


def test_clients_that_ask_at_once_get_what_each_would_get_alone(served):
    model = Lengths()
    client = served(service_of(model))
    texts = [["short"] * number + ["much longer"] for number in range(24)]
    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(lambda each: client.post("/predict", json={"texts": each}).json(), texts))
    labels = [[answer["label"] for answer in each["answers"]] for each in found]
    assert labels == [["short"] * number + ["long"] for number in range(24)]
    assert sum(map(len, model.passes)) == sum(map(len, texts))


def nan(texts):
    return np.full((len(texts), 2), np.nan)


@pytest.mark.parametrize(
    ("error", "problem", "told"),
    [
        (None, "the model is broken, not the request: its outputs are not finite numbers", "error: the model is broken"),
        (TrainingError("memory does not hold it"), "memory does not hold it", "error: memory does not hold it"),
        (ValueError("secret of the text"), "a fault of the server", "please report it"),
    ],
)
def test_what_the_model_cannot_do_is_told_as_the_servers_matter(error, problem, told, served):
    class Fails(Lengths):
        def probabilities(self, texts):
            if error is not None:
                raise error
            return nan(texts)

    client = served(service_of(Fails()))
    response = client.post("/predict", json={"texts": ["a"]})
    assert response.status_code == 500
    assert problem in response.json()["error"]["problem"]
    assert "secret" not in response.text
    assert told in client.said[0]
    assert client.get("/health").status_code == 200


def test_a_server_that_is_full_is_not_ready(served):
    client = served(waiting=1)
    assert client.get("/ready").status_code == 200
    batcher = client.app.state.answering.batcher
    batcher.open = 1
    assert (client.get("/ready").status_code, client.get("/health").status_code) == (503, 200)
    refused = client.post("/predict", json={"texts": ["a"]})
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")


def test_a_server_whose_model_nothing_asks_any_more_says_so(served):
    client = served()
    batcher = client.app.state.answering.batcher
    client.portal.call(batcher.stop)
    assert client.get("/health").status_code == 500
