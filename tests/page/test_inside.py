"""Nothing outside of the page's folder is read or written, and no code that a study names is run."""

import pytest
from tests.page.conftest import rows, write_rows

from acclimate.errors import SettingsError
from acclimate.page.home import Home
from acclimate.page.studies import open_study

STUDY = "data: {{ task: {{ train: {train} }} }}\nrecipes: {{ a: [{stage}] }}\n"


@pytest.mark.parametrize(
    "path",
    ["../secret/news.jsonl", "/etc/passwd", "~/x.jsonl", "data/../../secret/news.jsonl", "../secret", "../*/*.jsonl", "a\0b",
     "link.jsonl", "linked/news.jsonl", "linked", "link*", "**/*.jsonl", "\ud800"],
)  # fmt: skip
def test_files_outside_are_not_looked_at(client, folder, path):
    (folder / "link.jsonl").symlink_to(folder.parent / "secret" / "news.jsonl")
    (folder / "linked").symlink_to(folder.parent / "secret")
    response = client.get("/new", params={"path": path.encode("utf-8", "surrogatepass")})
    assert response.status_code == 400
    assert "What was found" not in response.text


def test_links_within_the_folder_are_followed(client, folder):
    (folder / "again.jsonl").symlink_to(folder / "data" / "news.jsonl")
    assert "What was found" in client.get("/new", params={"path": "again.jsonl"}).text


@pytest.mark.parametrize("name", ["../secret/a.yaml", "/etc/hosts", "link.yaml", "data/news.jsonl", "none.yaml", "", "linked/a.yaml"])
def test_studies_outside_are_not_opened(client, folder, name):
    (folder.parent / "secret" / "a.yaml").write_text(STUDY.format(train="news.jsonl", stage="finetune"))
    (folder / "link.yaml").symlink_to(folder.parent / "secret" / "a.yaml")
    (folder / "linked").symlink_to(folder.parent / "secret")
    for path in ("/study", "/plan"):
        response = client.get(path, params={"file": name})
        assert response.status_code == 400
        assert "finetune" not in response.text


@pytest.mark.parametrize("train", ["../secret/news.jsonl", "/etc/passwd", "link.jsonl", "'lin*'", "linked"])
def test_a_study_that_reads_files_outside_is_not_planned(client, folder, train):
    (folder / "link.jsonl").symlink_to(folder.parent / "secret" / "news.jsonl")
    (folder / "linked").symlink_to(folder.parent / "secret")
    (folder / "a.yaml").write_text(STUDY.format(train=train, stage="finetune"))
    response = client.get("/plan", params={"file": "a.yaml"})
    assert response.status_code == 400
    assert "leads out of the folder" in response.text


@pytest.mark.parametrize(
    "more",
    ["base: ../secret\nrecipes: { a: [finetune] }", "recipes: { a: { base: { static: { vectors: ../secret/news.jsonl } } } }",
     "recipes: { a: { base: linked, stages: [finetune] } }", "recipes: { a: [finetune] }\nname: linked"],
)  # fmt: skip
def test_nor_one_whose_models_or_words_lie_outside(folder, more):
    (folder / "linked").symlink_to(folder.parent / "secret")
    (folder / "results").mkdir()
    (folder / "results" / "linked").symlink_to(folder.parent / "secret")  # where it would write
    (folder / "a.yaml").write_text(f"data: {{ task: {{ path: data/news.jsonl }} }}\n{more}\n")
    opened = open_study(Home.of(folder), "a.yaml")
    assert opened.study is None
    assert "leads out of the folder" in opened.problem


def test_code_that_a_study_names_is_not_run_by_anything(client, folder):
    (folder / "mine.py").write_text(f"open({str(folder / 'ran')!r}, 'w')\ndef loss(*a): pass\n")
    (folder / "json.py").write_text(f"open({str(folder / 'ran')!r}, 'w')\n")
    text = STUDY.format(train="data/news.jsonl", stage="finetune: { loss: mine:loss }")
    (folder / "a.yaml").write_text(text)
    assert "runs code of its own" in client.get("/study", params={"file": "a.yaml"}).text
    assert client.get("/plan", params={"file": "a.yaml"}).status_code == 400
    assert "runs code of its own" in client.get("/").text
    assert not (folder / "ran").exists()


def test_a_folder_that_is_a_link_itself_is_the_folder_it_leads_to(tmp_path):
    write_rows(tmp_path / "real" / "a.jsonl", rows(4))
    (tmp_path / "link").symlink_to(tmp_path / "real")
    home = Home.of(tmp_path / "link")
    assert home.listed().data == ("a.jsonl",)
    home.check_files(["a.jsonl"])
    with pytest.raises(SettingsError, match="is no folder"):
        Home.of(tmp_path / "real" / "a.jsonl")
