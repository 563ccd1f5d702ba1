"""Dropped files go into a folder of their own, whole or not at all, and never over another one."""

import pytest

DATA = b'{"text": "a b", "label": "x"}\n' * 3


def test_a_dropped_file_is_there_and_can_be_looked_at(client, folder):
    response = client.put("/files", params={"name": "train.jsonl"}, content=DATA)
    assert response.json() == {"path": "uploads/train.jsonl"}
    assert (folder / "uploads" / "train.jsonl").read_bytes() == DATA
    assert "uploads/train.jsonl" in client.get("/").text
    again = client.put("/files", params={"name": "train.jsonl"}, content=b"{}")
    assert again.status_code == 400
    assert "is there already" in again.json()["error"]["problem"]
    assert [path.name for path in (folder / "uploads").iterdir()] == ["train.jsonl"]
    assert (folder / "uploads" / "train.jsonl").read_bytes() == DATA


@pytest.mark.parametrize(
    "name",
    ["", "../a.jsonl", "a/b.jsonl", "a\\b.jsonl", ".hidden.jsonl", "-a.jsonl", "a.py", "a.yaml", "a", "a\n.jsonl", "a\u202e.jsonl",
     "a*.jsonl", "x" * 250 + ".txt"],
)  # fmt: skip
def test_names_that_are_more_than_names_are_refused(client, folder, name):
    response = client.put("/files", params={"name": name}, content=DATA)
    assert response.status_code == 400
    assert not [*folder.rglob("uploads/*")]


def test_what_is_too_large_or_comes_in_part_leaves_nothing(visit, folder):
    client = visit(True, most=50)
    assert client.put("/files", params={"name": "a.jsonl"}, content=DATA).status_code == 413
    assert client.put("/files", params={"name": "a.jsonl"}, content=DATA, headers={"content-length": "40"}).status_code == 413
    assert client.put("/files", params={"name": "a.jsonl"}, content=b"{}", headers={"content-length": "40"}).status_code == 400
    assert client.put("/files", params={"name": "a.jsonl"}, content=iter([b"{}"])).status_code == 411
    assert [*(folder / "uploads").iterdir()] == []


def test_a_folder_of_uploads_that_leads_out_is_not_written_to(client, folder):
    (folder / "uploads").symlink_to(folder.parent / "secret")
    assert client.put("/files", params={"name": "a.jsonl"}, content=DATA).status_code == 400
    assert not (folder.parent / "secret" / "a.jsonl").exists()
