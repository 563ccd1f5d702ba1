"""Rows from Python: written down once, read by the same rules as files, and named by their split and number."""

import datetime
import decimal
import enum
import json
import math
from types import SimpleNamespace

import datasets
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acclimate.data.readers import given as rows_from_python
from acclimate.data.readers.given import keep_rows
from acclimate.data.readers.problems import FromPython, Problems
from acclimate.data.readers.records import open_source
from acclimate.errors import DataError, DiskFullError


def back(rows, folder, name="train", columns=(), bare=()):
    """The rows as readers give them."""
    source = open_source(str(keep_rows(rows, name, folder, bare)), folder)
    with Problems() as problems:
        return [record.values for record in source.records(columns, problems)]


def test_values_of_numpy_and_pandas_are_those_of_json(tmp_path):
    class Colour(enum.StrEnum):
        RED = "red"

    values = {
        "text": np.str_("a"), "enumerated": Colour.RED, "int": np.int64(3), "float": np.float32(0.5), "bool": np.bool_(True),
        "nan": math.nan, "numpy nan": np.float64("nan"), "pandas": pd.NA, "time": pd.NaT, "none": None, "list": np.array([1, 2]),
        "words": ("x", np.str_("y")), "set": {"b", "a"}, "nested": {"a": {1: np.int8(2)}}, "surrogate": "\ud800", "line": "a\u2028b\nc\0",
    }  # fmt: skip
    assert back([values], tmp_path) == [
        {
            "text": "a", "enumerated": "red", "int": 3, "float": 0.5, "bool": True, "nan": None, "numpy nan": None, "pandas": None,
            "time": None, "none": None, "list": [1, 2], "words": ["x", "y"], "set": ["a", "b"], "nested": {"a": {"1": 2}},
            "surrogate": "\ud800", "line": "a\u2028b\nc\0",
        }
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "kind", "shown"),
    [
        (b"abc", "bytes", "b'abc'"),
        (datetime.date(2020, 1, 2), "date", "datetime.date(2020, 1, 2)"),
        (decimal.Decimal("1.5"), "Decimal", "Decimal('1.5')"),
        (np.datetime64("2020-01-02", "ns"), "datetime64", "np.datetime64('2020-01-02"),
        ([0.5] * 9, "list", "[0.5, 0.5"),
        (np.zeros(768, dtype="float32"), "list", "[0.0"),
        (object(), "object", "<object object>"),
    ],
)
def test_what_json_cannot_hold_is_called_by_its_name_and_does_no_harm_elsewhere(tmp_path, value, kind, shown):
    (row,) = back([{"text": "a", "odd": value}], tmp_path)
    assert row["text"] == "a"
    assert type(row["odd"]).__name__ == kind
    assert repr(row["odd"]).startswith(shown[:60])
    assert len(repr(row["odd"])) <= 80


def test_a_number_that_python_does_not_write_is_told_by_its_kind(tmp_path):
    assert repr(back([{"number": 10**5000}], tmp_path)[0]["number"]) == "<int>"


def test_a_frame_gives_its_columns_and_no_index(tmp_path):
    frame = pd.DataFrame({"text": ["a", "b"], "label": pd.Categorical(["x", None]), 3: [1, 2]}, index=["one", "one"])
    assert back(frame, tmp_path) == [{"text": "a", "label": "x", "3": 1}, {"text": "b", "label": None, "3": 2}]


def test_a_dataset_gives_the_names_of_its_classes(tmp_path):
    features = datasets.Features(
        text=datasets.Value("string"),
        label=datasets.ClassLabel(names=["neg", "pos"]),
        several=datasets.Sequence(datasets.ClassLabel(names=["a", "b"])),
        image=datasets.Image(),
    )
    made = datasets.Dataset.from_dict(
        {"text": ["a", "b", "c"], "label": [1, -1, None], "several": [[0, 1], [], [1]], "image": [None] * 3}, features=features
    )
    wanted = [
        {"text": "a", "label": "pos", "several": ["a", "b"]},
        {"text": "b", "label": None, "several": []},
        {"text": "c", "label": None, "several": ["b"]},
    ]
    assert back(made, tmp_path) == back(made.to_iterable_dataset(), tmp_path) == wanted
    assert back(made.with_format("numpy").select([0]), tmp_path) == wanted[:1]


def test_rows_are_read_once_and_kept_under_their_content(tmp_path):
    def rows(last):
        yield {"text": "a"}
        yield {"text": last}

    first = keep_rows(rows("b"), "train", tmp_path)
    assert keep_rows([{"text": "a"}, {"text": "b"}], "train", tmp_path) == first
    assert keep_rows(rows("c"), "train", tmp_path) != first
    assert [path.name for path in first.parent.iterdir()] == ["train.acclimate-rows"]
    assert not [path for path in tmp_path.iterdir() if path.is_file()], "nothing is left beside"


def test_texts_and_pairs_of_them_may_stand_alone(tmp_path):
    assert back(["a", {"body": "b"}], tmp_path, bare=("body",)) == [{"body": "a"}, {"body": "b"}]
    columns = ("premise", "hypothesis")
    assert back([("a", "b"), ["c", "d"], {"hypothesis": "f", "premise": "e"}], tmp_path, columns=columns, bare=columns) == [
        {"premise": "a", "hypothesis": "b"}, {"premise": "c", "hypothesis": "d"}, {"hypothesis": "f", "premise": "e"},
    ]  # fmt: skip
    for odd, kind in (("ab", "str"), (("a",), "tuple")):
        with pytest.raises(DataError, match=rf"row 2: is a {kind}, and a pair of texts is wanted"):
            back([("a", "b"), odd], tmp_path, bare=columns)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "^train: there is no row$"),
        (iter([]), "train: there is no row; was this iterator used up before"),
        (pd.DataFrame({"text": []}), "^train: there is no row$"),
        ([{"text": "a"}, ("b", 1)], r"^train row 2: is a tuple, and a mapping such as \{"),
        (["a"], "^train row 1: is a str, and a mapping"),
        ((pd.DataFrame(), pd.DataFrame()), r"^train row 1: is a DataFrame, .*; splits are given by name, \{\"train\": \.\.\.,"),
        ([{"text": "a"}, {"text": "b", None: 1}], "^train row 2: None is no name of a column; a string is wanted"),
        ([{"1": "a", 1: "b"}], "^train row 1: two columns are called '1'"),
        (pd.DataFrame([["a", "b"]], columns=["text", "text"]), "^train: two columns are called 'text'; rename or drop one"),
        ("rows.csv", r"^train: rows are wanted, and 'rows\.csv' is a path"),
        (7, r"^train: rows are wanted .*, not a int"),
        ({"text": ["a"]}, r"^train: rows are wanted .*, not a dict"),
    ],
)
def test_what_is_no_row_is_named_by_its_number(tmp_path, rows, message):
    with pytest.raises(DataError, match=message):
        keep_rows(rows, "train", tmp_path)
    assert not list(tmp_path.iterdir())


def test_rows_in_a_circle_are_refused(tmp_path):
    circle = []
    circle.append(circle)
    with pytest.raises(DataError, match=r"^dev row 2: is nested too deeply"):
        keep_rows([{"text": "a"}, {"text": circle}], "dev", tmp_path)


def test_what_a_generator_raises_is_its_own_and_leaves_nothing(tmp_path):
    def rows():
        yield {"text": "a"}
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        keep_rows(rows(), "train", tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_iterator_without_an_end_is_stopped_while_there_is_room(tmp_path, monkeypatch):
    monkeypatch.setattr(rows_from_python.shutil, "disk_usage", lambda _: SimpleNamespace(free=900_000))
    with pytest.raises(DiskFullError, match=r"train: \d+,000 rows so far, .* does this iterator end\?"):
        keep_rows(({"text": f"text {number}"} for number in iter(int, 1)), "train", tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_class_number_without_a_name_is_an_error_with_its_row(tmp_path):
    features = datasets.Features(text=datasets.Value("string"), label=datasets.Value("int64"))
    made = datasets.Dataset.from_dict({"text": ["a", "b"], "label": [0, 7]}, features=features)
    made.info.features = datasets.Features(text=datasets.Value("string"), label=datasets.ClassLabel(names=["neg", "pos"]))
    with pytest.raises(DataError, match=r"^train row 2: class number 7, and the dataset names 2 classes only"):
        keep_rows(made, "train", tmp_path)


def test_readers_name_rows_and_no_file(tmp_path):
    source = open_source(str(keep_rows([{"text": "a"}, {"tex": "b"}, {"text": "c" * 3000}], "test", tmp_path)), tmp_path)
    assert source.files == (FromPython("test"),)
    assert source.columns == ("text", "tex")
    source = type(source)(**{**vars(source), "longest": 2000})
    with pytest.raises(DataError) as caught, Problems() as problems:
        list(source.records(("text",), problems))
    assert str(caught.value).splitlines() == [
        "missing column (1):",
        "  test row 2: no 'text' — 'tex' meant?; it has 'tex'",
        "too long (1):",
        "  test row 3: the row is longer than 2,000 bytes; if that is right, raise `longest: 2000`",
        "Mend the rows, or set `skip_bad: true` to skip and count such records; that leaves out 2 of the 3 records of test, and with them "
        "perhaps a class.",
    ]


def test_rows_that_were_tidied_away_are_said_to_be(tmp_path):
    kept = keep_rows([{"text": "a"}], "train", tmp_path)
    source = open_source(str(kept), tmp_path)
    kept.unlink()
    with pytest.raises(DataError, match=r"^train: the rows are no longer where they were written down"):
        list(source.records(("text",), Problems()))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False, width=32) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(st.dictionaries(st.text(), JSON, max_size=4), min_size=2, max_size=5))
def test_rows_are_what_they_are_as_a_jsonl_file(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("rows")
    (folder / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    with Problems() as problems:
        as_file = [(record.line, record.row, record.values) for record in open_source("rows.jsonl", folder).records((), problems)]
    with Problems() as problems:
        source = open_source(str(keep_rows(iter(rows), "train", folder)), folder)
        assert [(record.line, record.row, record.values) for record in source.records((), problems)] == as_file
