"""A page in this process, over a folder with a small task, as somebody sees it who came in by the address."""

import json
import random

import pytest
from starlette.testclient import TestClient

from acclimate.page.app import make_page
from acclimate.page.home import Home

TOKEN = "a-token-of-enough-letters"
HERE = "http://127.0.0.1:8001"
HOSTILE = "<script>alert(1)</script><img src=http://evil.example/x onerror=alert(2)>"
WORDS = {"sport": ["match", "goal", "team", "cup"], "trade": ["market", "price", "share", "bank"]}
FILLER = ["the", "a", "of", "and", "to", "in", "was", "on", "for", "with"]


def rows(count, seed=0, labels=tuple(WORDS)):
    rng = random.Random(seed)
    made = {}
    while len(made) < count:
        topic = rng.choice([*WORDS])
        words = [rng.choice(WORDS[topic]) if rng.random() < 0.4 else rng.choice(FILLER) for _ in range(10)]
        made.setdefault(" ".join(words), labels[[*WORDS].index(topic)])
    return [{"text": text, "label": label} for text, label in made.items()]


def write_rows(path, made):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in made), encoding="utf-8")


@pytest.fixture
def folder(tmp_path):
    """The page's folder, with a file of labelled texts and one without labels, and a file beside it that nobody may see."""
    write_rows(tmp_path / "home" / "data" / "news.jsonl", rows(120))
    (tmp_path / "home" / "field.txt").write_text("".join(f"{row['text']}\n" for row in rows(60, seed=1)))
    write_rows(tmp_path / "secret" / "news.jsonl", rows(60, seed=2))
    return tmp_path / "home"


@pytest.fixture
def visit(folder):
    """`visit()` is somebody before they came in; `visit(True)` came in by the address. `client.said` is what the server told its log."""
    opened = []

    def come(inside=False, **options):
        said = []
        client = TestClient(make_page(Home.of(folder), TOKEN, 8001, said.append, **options), base_url=HERE, follow_redirects=False)
        client.said = said
        client.__enter__()
        opened.append(client)
        if inside:
            assert client.get("/", params={"token": TOKEN}).status_code == 303
        return client

    yield come
    for client in opened:
        client.__exit__(None, None, None)


@pytest.fixture
def client(visit):
    return visit(True)
