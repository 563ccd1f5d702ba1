"""Servers in this process: the application as a client sees it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from acclimate.serving.app import make_app
from acclimate.serving.asked import Shape
from acclimate.serving.gate import Allowed
from acclimate.serving.limits import Limits
from acclimate.serving.service import Predicting

HERE = "http://127.0.0.1:8000"


class Lengths:
    """Answers how long texts are: `long` above 5 characters; remembers what it was asked about together."""

    labels, thresholds, unread = ("short", "long"), None, None

    def __init__(self, before: Callable[[list[str]], object] = lambda texts: None) -> None:
        self.passes: list[list[str]] = []
        self._before = before

    def probabilities(self, texts: Any) -> Any:
        self.passes.append(list(texts))
        self._before(list(texts))
        return np.array([[0.1, 0.9] if len(text) > 5 else [0.9, 0.1] for text in texts])


def service_of(model: Any, **shape: Any) -> Predicting:
    return Predicting("lengths", model, Shape(**shape), False, "classify")


@pytest.fixture
def served() -> Iterator[Callable[..., TestClient]]:
    """`served(service, allowed, **limits)` is a client of a server in this process; `client.said` is what it told its log."""
    with ExitStack() as stack:

        def start(service: Any = None, allowed: Allowed | None = None, **limits: Any) -> TestClient:
            said: list[str] = []
            app = make_app(service or service_of(Lengths()), allowed or Allowed(True), Limits(**limits), said.append)
            client = stack.enter_context(TestClient(app, base_url=HERE))
            client.said = said  # type: ignore[attr-defined]
            return client

        yield start
