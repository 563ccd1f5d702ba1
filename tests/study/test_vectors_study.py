"""A study of one encoder judged by its vectors: what is handed over answers files, and its card says how."""

import json

import pyarrow.parquet as pq
import pytest

STUDY = """
{head}
seeds: 2
labels: [30, all]
recipes:
  logistic: [vectors]
  neighbours: [vectors: {{ classify: knn, neighbours: 5 }}]
"""


@pytest.mark.measured(0)
def test_the_folder_of_the_best_is_evaluated_as_in_the_study_and_answers_a_file(write_study, acclimate, tiny_world, tmp_path):
    made = acclimate("study", write_study(tmp_path, STUDY), "--out", tmp_path / "out", "--engine", "inline")
    assert made.returncode == 0, made.stderr
    out = tmp_path / "out"
    study = json.loads((out / "study.json").read_text())
    best, runs = study["best"], pq.read_table(out / "results.parquet").to_pylist()
    expected = next(run for run in runs if (run["recipe"], run["seed"], run["labels"]) == (best["recipe"], best["seed"], best["labels"]))
    told = acclimate("evaluate", out / "best", tiny_world / "test.jsonl")
    assert told.returncode == 0, told.stderr
    assert f"{expected['test_macro_f1']:.4f}" in told.stdout
    card = (out / "best" / "README.md").read_text()
    assert "SentenceTransformer" in card
    assert "learned from none of these labels" not in card
    assert {run["labels"] for run in runs} == {"30", "all"}
