"""Sentences in columns from the first command to the last: learned from, judged by, answered, planned."""

import json

import pyarrow.parquet as pq
import pytest

CONLL = "".join(f"-DOCSTART- -X- O\n\nU.N. NNP I-ORG\nsays VB O\nw{n} NNP I-PER\n\n" for n in range(40))


@pytest.mark.usefixtures("one_process")
def test_files_in_columns_are_learned_from_judged_by_and_answered(acclimate, tmp_path):
    (tmp_path / "train.txt").write_text(CONLL)
    (tmp_path / "gold.txt").write_text(CONLL.replace("\nw", "\nv"))
    made = acclimate(
        "finetune", "linear_tagger", "train.txt", "--kind", "tag", "--tags", 3, "--group", "document", "--out", "m", folder=tmp_path
    )
    assert made.returncode == 0, made.stderr
    assert "test_entity_f1" in made.stdout
    card = (tmp_path / "m/README.md").read_text()
    assert "pipeline_tag: token-classification" in card
    assert "name: entity F1" in card
    assert 'model.entities(["a text to tag"])' in card
    judged = acclimate("evaluate", "m", "gold.txt", folder=tmp_path)
    assert judged.returncode == 0, judged.stderr
    assert "gold.txt: tokens in column '1', tags in column '3'" in judged.stderr
    assert "gold.txt: scheme IOB1" in judged.stderr
    assert "evaluated on 40 sentences" in judged.stderr
    wrong = acclimate("evaluate", "m", "gold.txt", "--scheme", "IOB2", folder=tmp_path)
    assert wrong.returncode == 2
    assert "gold.txt:3: 'I-ORG' stands at the start, where IOB2 begins an entity with B- (--repair reads it as 'B-ORG'" in wrong.stderr
    assert acclimate("evaluate", "m", "gold.txt", "--scheme", "IOB2", "--repair", folder=tmp_path).returncode == 0
    (tmp_path / "new.conll").write_text("U.N.\nsays\nw3\n\nnothing\n")
    answered = acclimate("predict", "m", "new.conll", folder=tmp_path)
    assert answered.returncode == 0, answered.stderr
    first, second = map(json.loads, answered.stdout.splitlines())
    assert {"start": 0, "end": 4, "label": "ORG", "text": "U.N."}.items() <= first["entities"][0].items()
    assert len(second["tags"]) == 1


def test_the_plan_shows_what_was_detected(acclimate, tmp_path):
    (tmp_path / "train.iob").write_text(CONLL)
    (tmp_path / "study.yaml").write_text("data: { task: { kind: tag, path: train.iob } }\nrecipes: { a: { base: majority } }\nseeds: 2\n")
    planned = acclimate("plan", "study.yaml", folder=tmp_path)
    assert planned.returncode == 0, planned.stderr
    assert "task.detected: format conll, tokens column 1, tags column 3, scheme IOB1" in planned.stdout
    assert "task.label_counts.test: ORG 8, PER 8" in planned.stdout
    assert "120 words in 40 sentences, 33.3 % of them O; 80 entities, and 0 sentences without one" in planned.stdout


def test_a_study_hands_over_names_of_tags_and_tells_of_sentences(acclimate, tmp_path):
    (tmp_path / "train.iob").write_text(CONLL)
    (tmp_path / "study.yaml").write_text("data: { task: { kind: tag, path: train.iob } }\nrecipes: { a: { base: majority } }\nseeds: 2\n")
    done = acclimate("study", "study.yaml", "--out", "out", "--engine", "inline", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = pq.read_table(tmp_path / "out/predictions.parquet").to_pylist()
    assert rows[0]["gold"] == ["B-ORG", "O", "B-PER"]
    assert len(rows[0]["predicted"]) == len(rows[0]["sure"]) == 3
    assert all(isinstance(json.loads(row["entities"]), list) for row in rows)
    told = json.loads((tmp_path / "out/study.json").read_text())
    assert told["item"] == "sentence"
    assert next(iter(told["metrics"])) == "entity_f1"
    page = (tmp_path / "out/report.html").read_text()
    for title in ("Each type", "Right and wrong entities", "Types and what they were taken for", "Sentences with mistakes"):
        assert title in page
    assert "entity F1" in page
