"""What stands between labels in a cell: found where it is clear, asked for where it is not, and never mistaken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.errors import DataError
from acclimate.tasks.label_cells import LIST, NONE, is_list, labels_in, repeated, separator_between, truth, written

LABEL = st.sampled_from(["a", "b", "c", "very bad", "R&D", "x-1", "Ärger", "it's"])
SETS = st.lists(st.lists(LABEL, max_size=4, unique=True), min_size=1, max_size=30)


def placed(cells):
    return {cell: f"all.csv:{number}" for number, cell in enumerate(cells, start=2)}


@given(SETS, st.sampled_from(["|", ";", "\t", ",", "/", " | ", ", "]))
def test_what_is_found_reads_the_very_labels_that_were_written(sets, mark):
    cells = [mark.join(labels) for labels in sets]
    try:
        separator = separator_between(placed(cells))
    except DataError:
        return  # asked for: never a wrong answer
    assert [list(labels_in(cell, separator)) for cell in cells] == sets


@given(SETS)
def test_a_list_written_as_text_is_read_as_python_and_json_write_it(sets):
    import json

    for cells in (list(map(str, sets)), [json.dumps(labels) for labels in sets]):
        assert separator_between(placed(cells)) == LIST
        assert [list(labels_in(cell, LIST)) for cell in cells] == sets


@given(st.lists(st.sampled_from(["a", "b", "a/b", "a, b", "c"]), min_size=1, max_size=20))
def test_a_closed_set_that_fits_in_one_way_decides(cells):
    closed = ("a", "b", "c")
    try:
        separator = separator_between(placed(cells), closed=closed)
    except DataError:
        assert any("/" in cell for cell in cells)
        assert any("," in cell for cell in cells)
        return
    assert all(part in closed for cell in cells for part in labels_in(cell, separator))


@pytest.mark.parametrize("cell", ["['a' 'b']", "[a, b]", "['a', 'b'", "[1 2]", "[" * 5000, "{'a': 1}", "('a')", "f()", "[f()]"])
def test_what_is_no_list_is_refused_and_not_guessed(cell):
    with pytest.raises(ValueError, match="cannot be read as a list"):
        labels_in(cell, LIST)


@pytest.mark.parametrize("cell", ["a|", "|a", "a||b", " | "])
def test_nothing_beside_a_separator_is_refused(cell):
    with pytest.raises(ValueError, match="no label on one side"):
        labels_in(cell, "|")


def test_white_space_around_labels_is_none_of_them_and_a_blank_cell_is_no_label():
    assert list(labels_in(" a | b ", "|")) == ["a", "b"]
    assert list(labels_in("  ", "|")) == list(labels_in("", NONE)) == list(labels_in([], NONE)) == []
    assert list(labels_in(3, NONE)) == [3]


@pytest.mark.parametrize(
    ("value", "holds"), [(1, True), ("0", False), ("TRUE", True), (1.0, True), (0.5, None), ("", None), (None, None), (2, None)]
)
def test_what_an_indicator_says(value, holds):
    assert truth(value) is holds


def test_a_separator_is_written_as_a_study_file_says_it():
    assert [written(mark) for mark in ("|", ",", ";", "\t", " ", "/")] == ["'|'", "','", ";", "tab", "space", "/"]


def test_a_list_is_known_by_its_brackets():
    assert is_list(" ['a'] ")
    assert not is_list("[")
    assert repeated(["a", "b", "a"]) == "a"
    assert repeated(["a", "b"]) is None
