import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from acclimate.errors import SettingsError
from acclimate.report.results.finished import FILES, Results


def test_a_folder_is_read_as_it_was_written(folder: Path) -> None:
    results = Results.load(folder)
    assert (results.metric, results.reference, len(results.runs), len(results.failed)) == ("test_macro_f1", "fine-tune", 18, 1)
    assert results.budgets == ("50", "500")
    assert results.values("fine-tune", "50", "test_macro_f1") == (0.611, 0.634, 0.602)
    assert results.failed[0].error.startswith("out of memory")
    assert results.study_yaml == (folder / "study.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(SettingsError, match=f"{name} is missing.*acclimate study"):
        Results.load(folder)


def test_a_folder_that_is_not_there_names_every_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"results\.parquet, .* and study\.yaml are missing"):
        Results.load(tmp_path / "nowhere")


@pytest.mark.parametrize("name", FILES[:4])
def test_a_damaged_file_is_named(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"\xff\x00 not this")
    with pytest.raises(SettingsError, match=f"{name}: cannot be read"):
        Results.load(folder)


def test_a_study_file_that_is_not_text_is_named(folder: Path) -> None:
    (folder / "study.yaml").write_bytes(b"\xff")
    with pytest.raises(SettingsError, match=r"study\.yaml: not UTF-8"):
        Results.load(folder)


def test_json_that_is_not_an_object_is_named(folder: Path) -> None:
    (folder / "study.json").write_text("[]", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"study\.json: holds list"):
        Results.load(folder)


def test_a_missing_column_is_named(folder: Path) -> None:
    pq.write_table(pq.read_table(folder / "results.parquet").drop_columns(["seed"]), folder / "results.parquet")
    with pytest.raises(SettingsError, match=r"results\.parquet: column seed missing"):
        Results.load(folder)


def test_a_missing_field_is_named(folder: Path) -> None:
    facts = json.loads((folder / "verdicts.json").read_text(encoding="utf-8"))
    del facts["metric"]
    (folder / "verdicts.json").write_text(json.dumps(facts), encoding="utf-8")
    with pytest.raises(SettingsError, match="the field 'metric' is missing"):
        Results.load(folder)


def test_nan_counts_as_not_measured(folder: Path) -> None:
    table = pq.read_table(folder / "results.parquet").to_pylist()
    table[0]["test_macro_f1"] = float("nan")
    pq.write_table(pa.Table.from_pylist(table), folder / "results.parquet")
    assert Results.load(folder).values("fine-tune", "50", "test_macro_f1") == (0.634, 0.602)


def test_budgets_stand_in_the_order_of_their_size(results_of: Callable[..., Results]) -> None:
    budgets = {labels: [0.5] for labels in ("all", "1000", "50", "500")}
    assert results_of({"fine-tune": budgets}).budgets == ("50", "500", "1000", "all")


def test_without_a_named_best_the_largest_budget_on_dev_chooses(results_of: Callable[..., Results]) -> None:
    results = results_of({"fine-tune": {"50": [0.9], "500": [0.6]}, "other": {"50": [0.1], "500": [0.7]}})
    assert results.chosen == "other"


@pytest.mark.parametrize(
    ("seeds", "once"),
    [
        pytest.param([0], True, id="first seed only"),
        pytest.param([0, 1, 2], False, id="every seed"),
        pytest.param([0, 0, 1, 2], True, id="domain once, task per seed"),
        pytest.param([0, 0, 1, 1, 2, 2], False, id="both per seed"),
    ],
)
def test_a_pretraining_run_once_is_told_from_one_per_seed(results_of: Callable[..., Results], seeds: list[int], once: bool) -> None:
    stages = [{"stage": "pretrain", "recipes": ["DAPT"], "seed": seed} for seed in seeds]
    results = results_of({"fine-tune": {"all": [0.5] * 3}, "DAPT": {"all": [0.6] * 3}}, stages=stages)
    assert (results.checkpoint_only("DAPT"), results.checkpoint_only("fine-tune")) == (once, False)
