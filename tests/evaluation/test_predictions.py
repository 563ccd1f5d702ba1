import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from acclimate.evaluation.predictions import read_predicted, read_predictions, write_predictions
from acclimate.tasks.task import Split


def test_predictions_come_back_as_they_were_written(tmp_path):
    def split(labels, start):
        count = len(labels)
        return Split(tuple(map(str, range(count))), np.array(labels), np.arange(start, start + count), ())

    probabilities = {"dev": np.array([[0.5, 0.25, 0.25]]), "test": np.array([[0.1, 0.2, 0.7], [0.6, 0.4, 0.0]])}
    written = {"dev": (split([1], 5), probabilities["dev"]), "test": (split([2, 1], 0), probabilities["test"])}
    write_predictions(tmp_path / "p.parquet", written)
    found = read_predictions(tmp_path / "p.parquet")
    assert list(found) == ["dev", "test"]
    for name, (examples, expected) in written.items():
        assert np.array_equal(found[name]["probabilities"], expected)
        assert found[name]["gold"].tolist() == examples.labels.tolist()
        assert found[name]["index"].tolist() == examples.index.tolist()
    gold, said = read_predicted(tmp_path / "p.parquet", "test")
    assert (gold.tolist(), said.tolist()) == ([2, 1], [2, 0])
    assert pq.read_schema(tmp_path / "p.parquet").field("probabilities").type == pa.list_(pa.float64())
