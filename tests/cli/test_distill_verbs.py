"""`acclimate distill` and `distill-vectors`: one student, without a study."""

import json

import pytest
from sentence_transformers import SentenceTransformer
from tests.study.conftest import tiny_world  # noqa: F401

from acclimate.errors import DataError
from acclimate.study.single import unlabelled

pytestmark = pytest.mark.measured(0)

SHORT = ("--set", "min_steps=0", "--set", "epochs=1", "--set", "lr=1e-2")


@pytest.mark.usefixtures("one_process")
def test_a_teacher_teaches_its_answers_and_its_vectors(acclimate, tiny_world, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.chdir(tmp_path)
    task, model, text = tmp_path / "task", tiny_world / "model", tiny_world / "domain.jsonl"
    task.mkdir()
    for split in ("train", "dev", "test"):
        (task / f"{split}.jsonl").write_bytes((tiny_world / f"{split}.jsonl").read_bytes())
    made = acclimate("finetune", model, task, "--out", "teacher", *SHORT)
    assert made.returncode == 0, made.stderr
    made = acclimate("distill", model, task, "--teacher", "teacher", "--transfer", text, "--out", "student", *SHORT)
    assert made.returncode == 0, made.stderr
    assert "transfer_items" in made.stdout
    assert "390" in made.stdout
    card = (tmp_path / "student" / "README.md").read_text()
    assert "--teacher teacher --out student" in card
    said = acclimate("predict", "student", task / "test.jsonl", "--out", "said.jsonl")
    assert said.returncode == 0, said.stderr
    assert len((tmp_path / "said.jsonl").read_text().splitlines()) == 60
    made = acclimate("distill-vectors", model, text, "--teacher", "teacher", "--out", "encoder", *SHORT)
    assert made.returncode == 0, made.stderr
    assert SentenceTransformer(str(tmp_path / "encoder")).encode(["the match"]).shape == (1, 16)
    refused = acclimate("distill", model, task, "--teacher", "encoder", "--out", "other")
    assert refused.returncode != 0
    assert "has no trained classifier of its own" in refused.stderr
    assert "`distill_vectors`" in refused.stderr
    assert not json.loads((tmp_path / "encoder" / "config.json").read_text()).get("acclimate_distilled")


def test_text_to_transfer_is_read_in_pairs_where_the_task_is_one_of_pairs(tmp_path):
    (tmp_path / "pairs.csv").write_text("question1,question2\nwho,what\n")
    (tmp_path / "text.txt").write_text("one text\n")
    assert unlabelled(["pairs.csv"], {}, tmp_path) == unlabelled(["pairs.csv"], {"kind": "tag"}, tmp_path) == {"path": "pairs.csv"}
    of_pairs = {"text": "question1", "text_b": "question2"}
    assert unlabelled(["pairs.csv"], {"kind": "similarity"}, tmp_path) == {"path": "pairs.csv"} | of_pairs
    assert unlabelled(["pairs.csv", "pairs.csv"], {"kind": "pair"}, tmp_path) == {"path": ("pairs.csv", "pairs.csv")} | of_pairs
    swapped = {"text": "question2", "text_b": "question1"}
    assert unlabelled(["pairs.csv"], {"kind": "pair", **swapped}, tmp_path) == {"path": "pairs.csv"} | swapped
    with pytest.raises(DataError, match=r"text\.txt: .*a line of a txt file is one text"):
        unlabelled(["text.txt"], {"kind": "pair"}, tmp_path)
