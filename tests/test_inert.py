"""Text from anywhere does no harm where people read it."""

import csv

import pytest

from acclimate.inert import cell, inert


def test_controls_overrides_and_lone_surrogates_are_written_out():
    assert (
        inert("a\x1b\x00\x7f\x9b\r\u202e\u2066\u2028\ud800b\n\t") == "a\\u001b\\u0000\\u007f\\u009b\\u000d\\u202e\\u2066\\u2028\\ud800b\n\t"
    )
    assert inert("żółw 😀 \u200d שלום") == "żółw 😀 \u200d שלום"


@pytest.mark.parametrize("text", ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "-a", "@x", "\tx", "\rx"])
def test_a_cell_that_would_be_computed_is_text(text):
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize("value", [-1.5, 3, None, "", "plain", True, "-1", "+0.5"])
def test_other_cells_are_as_they_were(value):
    assert cell(value) is value


def test_results_that_begin_a_formula_are_harmless_in_csv_and_as_they_are_in_parquet(tmp_path):
    import pyarrow.parquet as pq

    from acclimate.study.outputs.outcomes import write_rows

    write_rows([{"recipe": "=1+1", "score": -0.5, "error": "-x"}], tmp_path)
    with (tmp_path / "results.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [["recipe", "score", "error"], ["'=1+1", "-0.5", "'-x"]]
    assert pq.read_table(tmp_path / "results.parquet").to_pylist()[0]["recipe"] == "=1+1"
