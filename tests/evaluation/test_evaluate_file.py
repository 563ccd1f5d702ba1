"""`evaluate`: no score without saying of what, every problem with its place and its mend."""

from pathlib import Path

import pytest

from acclimate.errors import DataError, ModelError
from acclimate.evaluation.apply import evaluate_file
from acclimate.modeling.baselines.majority_model import MajorityModel


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    MajorityModel(("neg", "pos"), (0.25, 0.75)).save(tmp_path / "model")
    return tmp_path


def evaluate(path, split=None, model="model", **reading):
    said = []
    scores = evaluate_file(Path(model), str(path), reading, said.append, split)
    return scores, "\n".join(said)


def table(path, *rows):
    path.write_text("text,label\n" + "".join(f"a text of {number},{label}\n" for number, label in enumerate(rows)))


def test_scores_are_those_of_the_file_which_is_named(here):
    table(here / "gold.csv", "pos", "pos", "neg", "pos")
    scores, said = evaluate("gold.csv")
    assert (scores["texts"], scores["accuracy"]) == (4, 0.75)
    assert "4 texts of" in said
    assert "lower is better for loss, brier, ece" in said
    assert "gold.csv" in said


@pytest.mark.parametrize(
    ("label", "mend"),
    [
        ("Pos", "'pos' meant?"),
        ("pos ", "trailing space?"),
        ("1", "the model's own number 1 is 'pos', and other data may count otherwise"),
        ("positive", ""),
        ("7", ""),
    ],
)
def test_an_unknown_label_has_its_line_and_its_mend(here, label, mend):
    table(here / "gold.csv", "pos", label)
    with pytest.raises(DataError) as error:
        evaluate("gold.csv")
    assert f"gold.csv:3: label {label!r} is not among the model's {{'neg', 'pos'}}" in str(error.value)
    assert mend in str(error.value)


def test_labels_of_a_model_that_nobody_named_are_pointed_at(here):
    MajorityModel(("LABEL_0", "LABEL_1"), (0.25, 0.75)).save(here / "model")
    table(here / "gold.csv", "pos")
    with pytest.raises(DataError, match=r"id2label of its config\.json"):
        evaluate("gold.csv")


def test_of_thousands_of_labels_few_are_printed(here):
    many = tuple(f"class {number}" for number in range(3000))
    MajorityModel(many, (1 / 3000,) * 3000).save(here / "model")
    table(here / "gold.csv", *(f"klass {number}" for number in range(2000)))
    with pytest.raises(DataError) as error:
        evaluate("gold.csv")
    assert "unknown label (2,000)" in str(error.value)
    assert len(str(error.value)) < 3000


def test_bad_rows_are_counted_by_kind_and_may_be_skipped(here):
    (here / "gold.csv").write_text("text,label\ngood,pos\n,pos\nbad,\nworse,other\n")
    with pytest.raises(DataError, match=r"(?s)empty text \(1\).*no label \(1\).*unknown label \(1\)"):
        evaluate("gold.csv")
    scores, said = evaluate("gold.csv", skip_bad=True)
    assert scores["texts"] == 1
    assert "3 rows" in said
    assert "left out" in said


def test_where_no_label_is_known_skipping_is_no_way_out(here):
    table(here / "gold.csv", "a", "b")
    with pytest.raises(DataError, match="no row has a label that the model knows"):
        evaluate("gold.csv", skip_bad=True)


@pytest.mark.parametrize("kind", ["folder", "dataset"])
def test_train_is_never_taken_without_a_word(here, kind):
    folder = here / "data"
    if kind == "folder":
        folder.mkdir()
        for name, count in {"train": 4, "dev": 2, "test": 3}.items():
            table(folder / f"{name}.csv", *["pos"] * count)
    else:
        from datasets import Dataset, DatasetDict

        made = {name: Dataset.from_dict({"text": ["a"] * n, "label": ["pos"] * n}) for name, n in {"train": 4, "test": 3}.items()}
        DatasetDict(made).save_to_disk(folder)
    with pytest.raises(DataError, match="name one with --split"):
        evaluate("data")
    assert evaluate("data", split="test")[0]["texts"] == 3
    assert evaluate("data", split="train")[0]["texts"] == 4


def test_txt_has_no_labels(here):
    (here / "gold.txt").write_text("a\n")
    with pytest.raises(DataError, match="a txt file has none"):
        evaluate("gold.txt")


def test_broken_weights_are_not_blamed_on_the_data_or_the_learning_rate(here):
    table(here / "gold.csv", "pos")
    (here / "model" / "config.json").write_text('{"model_type": "acclimate-majority", "labels": ["neg", "pos"], "shares": [NaN, 0.5]}')
    with pytest.raises(ModelError, match="model: the model is broken, not the data"):
        evaluate("gold.csv")
