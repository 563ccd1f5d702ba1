"""What a study came to, on the page: the report in a frame that can do nothing else, models side by side, folders to take away."""

import io
import json
import re
import shutil
import zipfile
from dataclasses import replace

import pytest
from tests.modeling.conftest import build_tiny, make_base
from tests.page.conftest import HOSTILE, rows, write_rows
from tests.serving.test_served_answers import classifier, majority, scores, several, tagger

from acclimate.page import models
from acclimate.page.home import Home
from acclimate.page.models import Model, Tried, Trying
from acclimate.page.studies import open_study
from acclimate.report.charts import svg
from acclimate.report.publish import publish
from acclimate.study.language.study import load_study
from acclimate.study.run import Options, run_study
from acclimate.study.watch.status import Begun, read_status, write_status

LABELS = ("sport", "<b>trade</b>")


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A study that was run."""
    folder = tmp_path_factory.mktemp("done") / "home"
    write_rows(folder / "data" / "news.jsonl", rows(120, labels=LABELS))
    file = folder / "study.yaml"
    file.write_text("data: { task: { path: data/news.jsonl } }\nseeds: 2\nrecipes: { a: { base: majority }, words: { base: tfidf } }\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(svg, "_svg", lambda specification: '<svg xmlns="http://www.w3.org/2000/svg"/>')
        options = Options(folder / "results" / "study", folder / ".acclimate", "inline", publish=publish, say=lambda line: None)
        run_study(load_study(file), folder, options)
    return folder


@pytest.fixture
def folder(done, tmp_path):
    shutil.copytree(done, tmp_path / "home")
    return tmp_path / "home"


def test_models_answer_side_by_side_as_predict_does(client):
    page = client.get("/results", params={"file": "study.yaml"})
    assert page.status_code == 200
    assert re.findall(r'name="model" value="([^"]*)"', page.text) == ["best", "recipe a", "recipe words"]
    asked = {"file": "study.yaml", "model": ["recipe a", "recipe words"], "text": f"the match and the goal {HOSTILE}"}
    answered = client.post("/try", data=asked)
    assert answered.status_code == 200
    assert answered.text.count("<meter") == 4
    assert "&lt;b&gt;trade&lt;/b&gt;" in answered.text
    assert "<script>" not in answered.text
    assert "<b>" not in answered.text
    assert "the match and the goal &lt;script" in answered.text


def test_of_a_store_that_the_page_does_not_read_no_model_is_offered_and_that_is_said(client, folder):
    out = folder / "results" / "study"
    assert read_status(out).begun == Begun(engine="inline")
    write_status(out, replace(read_status(out), begun=Begun("s3://bucket/<all>")))
    page = client.get("/results", params={"file": "study.yaml"}).text
    assert re.findall(r'name="model" value="([^"]*)"', page) == ["best"]
    assert "lie in <bdi>s3://bucket/&lt;all&gt;</bdi>, which this page does not read" in page


@pytest.mark.parametrize(
    ("asked", "said"),
    [({"text": " "}, "write a text"), ({"text": "a"}, "tick a model"), ({"text": "a", "model": "../secret"}, "tick a model"),
     ({"text": "a" * 20_001, "model": "best"}, "20,001 characters"), ({"text": "a", "text_b": "b", "model": "best"}, "answers one text")],
)  # fmt: skip
def test_what_cannot_be_asked_is_said(client, asked, said):
    assert said in client.post("/try", data={"file": "study.yaml", "model": "best" if asked == {"text": " "} else "", **asked}).text


def test_the_report_runs_its_own_script_alone_in_an_origin_of_its_own(client, folder):
    report = client.get("/report", params={"file": "study.yaml"}, headers={"sec-fetch-dest": "iframe"})
    policy = report.headers["content-security-policy"]
    assert report.text == (folder / "results" / "study" / "report.html").read_text(encoding="utf-8")
    own = re.search(r"script-src '(sha256-[^']*)'", report.text)[1]
    assert f"'{own}'" in policy
    assert {"default-src 'none'", "form-action 'none'", "sandbox allow-scripts"} <= {part.strip() for part in policy.split(";")}
    assert "unsafe-inline" not in policy.partition("script-src")[2].partition(";")[0]
    assert client.get("/report", params={"file": "study.yaml"}, headers={"sec-fetch-dest": "document"}).status_code == 400
    (folder / "results" / "study" / "report.html").unlink()
    (folder.parent / "secret.html").write_text("secret")
    (folder / "results" / "study" / "report.html").symlink_to(folder.parent / "secret.html")
    assert client.get("/report", params={"file": "study.yaml"}).text != "secret"


def test_a_folder_is_taken_away_whole(client, folder):
    response = client.get("/download", params={"file": "study.yaml", "model": "best"})
    assert response.headers["content-disposition"] == "attachment; filename*=UTF-8''study-best.zip"
    (folder.parent / "secret.txt").write_text("secret")
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        assert archive.testzip() is None
        found = {name.removeprefix("study-best/"): archive.read(name) for name in archive.namelist()}
    best = folder / "results" / "study" / "best"
    assert found == {path.name: path.read_bytes() for path in best.iterdir() if not path.name.startswith(".")}
    (best / "more.txt").symlink_to(folder.parent / "secret.txt")
    assert b"secret" not in client.get("/download", params={"file": "study.yaml", "model": "best"}).content
    for name in ("", "..", "best_transformer", "../..", "splits"):
        assert client.get("/download", params={"file": "study.yaml", "model": name}).status_code == 400


def test_a_plain_baseline_has_no_attention_and_a_study_without_results_says_so(client, folder):
    asked = {"file": "study.yaml", "text": "the match", "model": "best"}
    said = client.get("/attention", params=asked, headers={"sec-fetch-dest": "iframe"})
    assert "which has no attention" in said.text
    # A frame has an origin of its own, to which no sheet is given: it stands in the page, which the policy allows.
    assert "<style>" in said.text
    assert "page.css" not in said.text
    assert "style-src 'unsafe-inline'" in said.headers["content-security-policy"]
    (folder / "other.yaml").write_text((folder / "study.yaml").read_text())
    page = client.get("/results", params={"file": "other.yaml"})
    assert page.status_code == 400
    assert "run `acclimate study` first" in page.text


def test_attention_calls_models_by_their_titles_and_leaves_out_what_has_none(client, folder, monkeypatch):
    found = (Model("best", "best: fine-tune", classifier(folder / "classes")), Model("plain", "<b>majority", majority(folder / "plain")))
    monkeypatch.setattr(models, "offered", lambda home, opened: found)
    asked = {"file": "study.yaml", "text": "the cat sat", "model": ["best", "plain"]}
    shown = client.get("/attention", params=asked).text
    assert "best: fine-tune" in shown
    assert "a second text" not in shown
    assert "a second text" in client.get("/attention", params={**asked, "text_b": "a second text"}).text
    assert "&lt;b&gt;majority has no attention, and is left out" in shown
    assert str(folder) not in shown


def test_spans_numbers_several_labels_neighbours_and_attention(client, folder):
    opened = open_study(Home.of(folder), "study.yaml")
    made = {"tags": tagger, "score": scores, "several": several}
    found = [Model(name, name, make(folder / name)) for name, make in made.items()]
    found.append(Model("vectors", "vectors", make_base(folder / "vectors", build_tiny("bert", "mlm")).folder))
    trying = Trying(Home.of(folder))
    text = "the cat sat on the mat"
    tags, score, labels, near = trying.answers(opened, found, Tried(("tags", "score", "several", "vectors"), text, "", "data/news.jsonl"))
    assert "".join(piece.text for piece in tags.pieces) == text
    assert "answers pairs" in score.problem
    assert [value for _, value in labels.probabilities] == sorted((value for _, value in labels.probabilities), reverse=True)
    assert (len(near.hits), near.problem) == (10, "")
    pair = trying.answers(opened, found, Tried(("score",), text, "a mat"))[0]
    assert float(pair.label) is not None
    outside = trying.answers(opened, found, Tried(("vectors",), text, "", "../secret.txt"))[0]
    assert "leads out of the folder" in outside.problem
    results = json.loads((folder / "results" / "study" / "study.json").read_text())
    assert results["best"]["recipe"] == "words"
    shutil.rmtree(folder / "results" / "study" / "best")
    shutil.copytree(folder / "several", folder / "results" / "study" / "best")
