import json

import pytest
from pydantic import ValidationError

from acclimate.errors import DataError, SettingsError
from acclimate.tasks.opened import Data, DataSettings


@pytest.fixture
def root(tmp_path):
    for name, start in (("train", 0), ("dev", 100), ("test", 200)):
        records = (
            {"text": " ".join(f"w{number * 50 + step}" for step in range(20)), "label": "xy"[number % 2]}
            for number in range(start, start + 10)
        )
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    leaked = json.loads((tmp_path / "test.jsonl").read_text().splitlines()[0])["text"]
    (tmp_path / "domain.txt").write_text(f"some words\nbefore {leaked} after\n")
    (tmp_path / "mine.jsonl").write_text('{"text": "good"}\n{"text": ""}\n')
    return tmp_path


def settings(**more):
    return DataSettings.model_validate(
        {"task": {"train": "train.jsonl", "dev": "dev.jsonl", "test": "test.jsonl"}, "domain": "domain.txt", **more}
    )


def test_everything_is_opened_checked_and_told_as_json(root):
    data = Data.open(settings(corpora={"mine": {"path": "mine.jsonl", "skip_bad": True}}), root, root / "cache" / "rejects")
    facts = json.loads(json.dumps(data.facts(), allow_nan=False))
    assert facts["overlap"] == {"domain": 0.1, "mine": 0.0}
    assert facts["task"]["examples"] == {"train": 10, "dev": 10, "test": 10}
    assert facts["task"]["words"]["train"] == {"mean": 20.0, "median": 20.0, "p95": 20.0, "max": 20}
    assert facts["corpora"]["domain"]["documents"] == 2
    assert facts["corpora"]["mine"]["rejected"] == 1
    rejects = root / "cache" / "rejects" / "corpus-mine.jsonl"
    assert facts["corpora"]["mine"]["rejects_file"] == str(rejects)
    assert json.loads(rejects.read_text())["line"] == 2


def test_the_corpus_task_is_the_whole_training_text_and_unlabelled_files_and_no_dev_or_test(root):
    (root / "more.txt").write_text("more text\n")
    task = {"train": "train.jsonl", "dev": "dev.jsonl", "test": "test.jsonl", "unlabeled": "more.txt"}
    data = Data.open(settings(task=task), root)
    assert list(data.documents("task").documents()) == [*data.task.train.inputs[0], "more text"]
    assert data.documents("task").fingerprint == data.task.text_fingerprint
    assert data.facts()["overlap"].keys() == {"domain", "task unlabeled"}
    assert data.facts()["task"]["unlabeled"]["documents"] == 1


def test_an_unknown_corpus_names_the_nearest(root):
    data = Data.open(settings(), root)
    assert next(data.documents("domain").documents()) == "some words"
    with pytest.raises(SettingsError, match="'domian'; did you mean 'domain'"):
        data.documents("domian")
    with pytest.raises(SettingsError, match="no corpus 'task'"):
        Data.open(DataSettings(domain="domain.txt"), root).documents("task")


def test_without_a_scan_corpora_are_not_read(root):
    data = Data.open(settings(general="mine.jsonl"), root, planned={"domain": "", "general": ""})
    assert data.facts()["overlap"] == {}
    assert data.facts()["corpora"]["general"]["detected"] == {"format": "jsonl", "text": "text"}
    with pytest.raises(DataError, match=r"mine\.jsonl:2"):
        Data.open(settings(general="mine.jsonl"), root)


def test_a_role_is_no_name_for_a_further_corpus():
    with pytest.raises(ValidationError, match="takes a name that has a role"):
        DataSettings(corpora={"task": "a.txt"})


@pytest.mark.parametrize("name", ["train", "task unlabeled", "task nli", "exam"])
def test_no_corpus_and_no_task_is_called_as_a_part_of_the_data_is(name):
    with pytest.raises(ValidationError, match="takes a name that a part of the data has; rename it"):
        DataSettings(corpora={name: "a.txt"})
    with pytest.raises(ValidationError, match="takes a name that something else has; rename it"):
        DataSettings(tasks={"unlabeled": "a.jsonl"})
