"""From files to a study file: what is shown is what was found, and what is chosen is what the file says."""

import html
import json
import re

import pytest
from tests.page.conftest import HOSTILE, rows, write_rows

from acclimate.page import pace
from acclimate.page.asked import Fields
from acclimate.page.composing import Asked, composed, looked_at
from acclimate.page.home import Home
from acclimate.study.language.study import load_study

BOTH = [("path", "data/news.jsonl"), ("path", "field.txt")]


def file_of(page):
    return html.unescape(re.search(r"<textarea.*?>(.*?)</textarea>", page.text, re.DOTALL)[1])


def saved(client, folder, asked, name="study"):
    response = client.post("/save", data={key: [value for name, value in asked if name == key] for key, _ in asked} | {"name": name})
    assert response.status_code == 303, response.text
    return load_study(folder / f"{name}.yaml")


def test_what_was_found_is_shown_with_a_file_that_init_would_write(client, folder, acclimate):
    page = client.get("/new", params=BOTH)
    assert page.status_code == 200
    for said in ("Labelled examples", "Examples by label", "Unlabelled text", "60", "classify", "DAPT domain", "All of it:"):
        assert said in page.text
    assert file_of(page).strip() == acclimate("init", "data/news.jsonl", "field.txt", folder=folder).stdout.strip()


def test_what_is_chosen_is_what_the_file_says(client, folder):
    taken = [("recipe", name) for name in ("tfidf", "head only", "top 2")]
    rest = {"chosen": "1", "seeds": "2", "labels": "20, all", "metric": "accuracy", "reference": "head only", "base": "acclimate-tiny"}
    asked = [*BOTH, *taken, *rest.items()]
    page = client.get("/new", params=asked)
    study = saved(client, folder, asked)
    assert file_of(page) == (folder / "study.yaml").read_text()
    assert ([*study.recipes], study.seeds, study.label_budgets) == (["head only", "tfidf", "top 2"], 2, ("20", "all"))
    assert (study.reference_name, study.metric, study.base) == ("head only", "accuracy", "acclimate-tiny")
    assert client.get("/plan", params={"file": "study.yaml"}).status_code == 200
    assert "study.yaml" in client.get("/").text


def test_what_recipes_share_is_counted_once_in_the_sum(folder):
    home = Home.of(folder)
    asked = Asked.of(Fields((*BOTH, ("chosen", "1"), ("recipe", "DAPT domain"), ("recipe", "DAPT domain + TAPT"), ("seeds", "1"))))
    found = composed(home, looked_at(home, asked), asked, 1e11)
    one, both = (choice.cost for choice in found.choices if choice.taken)
    assert max(one.tokens, both.tokens) < found.total.tokens < one.tokens + both.tokens
    assert one.stages + both.stages - found.total.stages == 2  # the base is read, and it reads the domain


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ([("chosen", "1")], "no recipe is chosen"),
        ([("metric", "luck")], "is none of macro_f1"),
        ([("base", "no-such/model")], "no-such/model"),
        ([("base", "/etc")], "leads out of the folder"),
        ([("labels", "500")], "500"),
    ],
)
def test_what_cannot_be_is_said_beside_what_was_found_and_not_saved(client, folder, more, said):
    page = client.get("/new", params=[*BOTH, *more])
    assert "What was found" in page.text
    assert said in page.text
    assert file_of(page) == ""
    asked = [*BOTH, *more]
    form = {key: [value for name, value in asked if name == key] for key, _ in asked} | {"name": "study"}
    assert client.post("/save", data=form).status_code == 400
    assert not (folder / "study.yaml").exists()


@pytest.mark.parametrize(
    "more",
    [("seeds", "0"), ("seeds", "many"), ("seeds", "1e3"), ("labels", "some"), ("kind", "magic"), ("text", "no such column")],
)
def test_mistakes_are_told_with_what_would_do(client, more):
    page = client.get("/new", params=[*BOTH, more])
    assert page.status_code == 400
    assert 'role="alert"' in page.text
    assert more[1] in page.text


def test_the_first_problems_are_told_with_file_and_line(client, folder):
    text = (folder / "data" / "news.jsonl").read_text().splitlines()
    (folder / "data" / "news.jsonl").write_text("\n".join([*text[:6], "{broken", json.dumps({"text": 3}), *text[6:]]))
    page = client.get("/new", params={"path": "data/news.jsonl"})
    assert page.status_code == 400
    assert "news.jsonl:7" in page.text
    assert "news.jsonl:8" in page.text
    assert "What was found" in client.get("/new", params={"path": "data/news.jsonl", "skip_bad": "1"}).text


def test_a_file_that_changed_is_read_again(client, folder):
    params = {"path": "data/news.jsonl"}
    assert "120" not in client.get("/new", params=params).text
    write_rows(folder / "data" / "news.jsonl", rows(172, seed=5))
    assert ">120<" in client.get("/new", params=params).text


def test_hostile_names_labels_and_texts_are_text(client, folder):
    name = "<img src=x onerror=alert(3)>.jsonl"
    write_rows(folder / name, rows(120, labels=(HOSTILE, "</textarea><script>alert(4)</script>")))
    page = client.get("/new", params=[("path", name), ("path", "field.txt")])
    assert page.status_code == 200
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text
    for text in (page.text, client.get("/").text, client.get("/new", params={"path": HOSTILE}).text):
        assert "<script>" not in text
        assert "<img" not in text
        assert "</textarea><" not in text.replace("</textarea>\n", "")
    study = saved(client, folder, [("path", name)])
    assert study.data.task.path == name


@pytest.mark.measured(0)
@pytest.mark.parametrize("name", ["", "..", "../a", "a/b", ".hidden", "a.yaml", "-a", "a\nb", "x" * 90, "ü"])
def test_a_study_goes_by_a_plain_name(client, folder, name):
    before = sorted(folder.parent.rglob("*"))
    assert client.post("/save", data={"path": "data/news.jsonl", "name": name}).status_code == 400
    assert sorted(folder.parent.rglob("*")) == before


def test_no_study_is_written_over_and_edits_of_one_that_somebody_changed_are_refused(client, folder):
    asked = [("path", "data/news.jsonl"), ("recipe", "tfidf"), ("recipe", "majority")]
    saved(client, folder, asked)
    assert client.post("/save", data={"path": "data/news.jsonl", "name": "study"}).status_code == 400
    page = client.get("/study", params={"file": "study.yaml"})
    text, digest = file_of(page), re.search(r'name="digest" value="(\w+)"', page.text)[1]
    text = text.removeprefix("\n")
    assert text == (folder / "study.yaml").read_text()
    form = {"file": "study.yaml", "digest": digest}
    wrong = client.post("/study", data={**form, "text": text.replace("tfidf}", "tfidd}")})
    assert wrong.status_code == 400
    assert "study.yaml:" in wrong.text
    assert "tfidd}" in wrong.text
    assert client.post("/study", data={**form, "text": text.replace("seeds: 5", "seeds: 3").replace("\n", "\r\n")}).status_code == 303
    assert (folder / "study.yaml").read_text() == text.replace("seeds: 5", "seeds: 3")
    assert "somebody else" in client.post("/study", data={**form, "text": text}).text
    outside = {"file": "study.yaml", "text": text.replace("data/news.jsonl", "../secret/news.jsonl")}
    digest = re.search(r'name="digest" value="(\w+)"', client.get("/study", params={"file": "study.yaml"}).text)[1]
    assert "leads out of the folder" in client.post("/study", data={**outside, "digest": digest}).text


def test_what_was_measured_while_the_machine_did_something_else_does_not_stay(monkeypatch):
    measured = iter([2e9, 5e9, 1e9])
    monkeypatch.setattr(pace, "product_rate", lambda seconds: next(measured))
    found = pace.Pace()
    assert [found.measured() for _ in range(3)] == [2e9, 5e9, 5e9]
