"""Class names that `datasets` has written into parquet files are read as in its own folders."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import ClassLabel, Dataset, Features, Value

from acclimate.data.readers.problems import Problems
from acclimate.data.readers.records import open_source
from acclimate.errors import DataError
from acclimate.tasks.classify import Classify
from acclimate.tasks.task import Task

FEATURES = Features({"text": Value("string"), "label": ClassLabel(names=["neg", "pos"])})


def labels(path):
    with Problems() as problems:
        return [record.values["label"] for record in open_source(path.name, path.parent).records(("text", "label"), problems)]


def test_class_names_of_parquet_are_those_of_the_folder_and_no_label_is_none(tmp_path):
    made = Dataset.from_dict({"text": ["a", "b", "c", "d"], "label": [0, 1, -1, None]}, features=FEATURES)
    made.to_parquet(tmp_path / "a.parquet")
    made.save_to_disk(tmp_path / "hf")
    assert labels(tmp_path / "a.parquet") == labels(tmp_path / "hf") == ["neg", "pos", None, None]


def test_a_task_reads_the_names_of_classes(tmp_path):
    made = Dataset.from_dict({"text": [f"text {n}" for n in range(40)], "label": [n % 2 for n in range(40)]}, features=FEATURES)
    made.to_parquet(tmp_path / "a.parquet")
    assert Task.open(Classify(path="a.parquet"), tmp_path).names == ("neg", "pos")


def test_a_number_without_a_class_is_an_error_with_its_row(tmp_path):
    made = Dataset.from_dict({"text": ["a", "b"], "label": [0, 1]}, features=FEATURES)
    table = made.data.table.set_column(1, "label", pa.array([0, 7]))
    pq.write_table(table.replace_schema_metadata(made.features.arrow_schema.metadata), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"a\.parquet:2: class number 7, and the file names 2 classes"):
        labels(tmp_path / "a.parquet")


@pytest.mark.parametrize(
    "metadata", [b"", b"{", b"[]", b'{"info": {"features": {"label": {"names": 3, "_type": "ClassLabel"}}}}', b"[" * 9999]
)
def test_metadata_that_is_none_leaves_values_as_they_are(tmp_path, metadata):
    table = pa.table({"text": ["a"], "label": [1]}).replace_schema_metadata({b"huggingface": metadata})
    pq.write_table(table, tmp_path / "a.parquet")
    assert labels(tmp_path / "a.parquet") == [1]


def test_dictionary_columns_are_their_values(tmp_path):
    pq.write_table(pa.table({"text": ["a", "b"], "label": pa.array(["x", "y"]).dictionary_encode()}), tmp_path / "a.parquet")
    assert labels(tmp_path / "a.parquet") == ["x", "y"]
