import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from acclimate.data.ragged import Ragged
from acclimate.evaluation.predictions import StoredAnswers, read_answers, read_predictions, write_predictions
from acclimate.tasks.one_name import highest
from acclimate.tasks.split import Split, column_bytes, taken


def test_predictions_come_back_as_they_were_written(tmp_path):
    def split(labels, start):
        count = len(labels)
        return Split((tuple(map(str, range(count))),), np.array(labels), np.arange(start, start + count), ())

    probabilities = {"dev": np.array([[0.5, 0.25, 0.25]]), "test": np.array([[0.1, 0.2, 0.7], [0.6, 0.4, 0.0]])}
    splits = {"dev": split([1], 5), "test": split([2, 1], 0)}
    write_predictions(tmp_path / "p.parquet", {name: (each, highest(probabilities[name], each)) for name, each in splits.items()})
    found = read_predictions(tmp_path / "p.parquet")
    assert list(found) == ["dev", "test"]
    for name, examples in splits.items():
        assert np.array_equal(found[name]["probabilities"], probabilities[name])
        assert found[name]["gold"].tolist() == examples.gold.tolist()
        assert found[name]["index"].tolist() == examples.index.tolist()
    test = read_answers(tmp_path / "p.parquet", "test", ("gold", "predicted"))
    assert {name: column.tolist() for name, column in test.items()} == {"gold": [2, 1], "predicted": [2, 0]}
    assert pq.read_schema(tmp_path / "p.parquet").field("probabilities").type == pa.list_(pa.float64())
    stored = StoredAnswers(tmp_path / "p.parquet", "test")
    assert list(stored) == ["predicted", "probabilities"]
    assert ("gold" in stored, stored["predicted"].tolist()) == (False, [2, 0])


def test_columns_of_every_shape_come_back_as_they_were_written(tmp_path):
    answers = {
        "truths": np.array([[True, False], [False, False], [True, True]]),
        "numbers": np.array([0.5, -1.0, 2.0]),
        "tags": Ragged.of([[1, 2], [], [3]]),
        "even": Ragged.of([[1], [2], [3]]),
        "words": ("a", "", "ü"),
    }
    split = Split((("x", "y", "z"),), np.arange(3), np.arange(3), ())
    second = np.array([1])
    written = {"dev": (split, answers), "test": (split.take(second), {name: taken(column, second) for name, column in answers.items()})}
    write_predictions(tmp_path / "p.parquet", written)
    for name, rows in (("dev", [0, 1, 2]), ("test", [1])):
        found = read_answers(tmp_path / "p.parquet", name, answers)
        for column, wanted in answers.items():
            here = taken(wanted, np.array(rows))
            assert type(found[column]) is type(here)
            assert column_bytes(found[column]) == column_bytes(here)


def test_a_folder_whose_name_says_what_it_equals_adds_no_column(tmp_path):
    # pyarrow 21 takes `lr=1` for one where it is not told otherwise.
    folder = tmp_path / "lr=1"
    folder.mkdir()
    split = Split((("x",),), np.array([0]), np.array([0]), ())
    write_predictions(folder / "p.parquet", {"test": (split, {"predicted": np.array([0])})})
    assert set(read_predictions(folder / "p.parquet")["test"]) == {"index", "gold", "predicted"}
