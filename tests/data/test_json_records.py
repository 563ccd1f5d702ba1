"""JSON in every shape that people have: an object a line, an array, objects over several lines; other shapes are refused with the mend."""

import json

import pytest

from acclimate.data.readers.problems import Problems
from acclimate.data.readers.records import open_source
from acclimate.errors import DataError

ROWS = [{"text": f"text {n} é\u2028 [x]" * (1 + n % 50), "label": "ab"[n % 2]} for n in range(3_000)]


def read(path, skip_bad=False, columns=("text", "label")):
    source = open_source(path.name, path.parent)
    with Problems(skip_bad=skip_bad) as problems:
        return list(source.records(columns, problems)), problems


def values(path):
    return [record.values for record in read(path)[0]]


@pytest.mark.measured(0)
@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
@pytest.mark.parametrize(
    "write",
    [
        json.dumps,
        lambda rows: json.dumps(rows, indent=2, ensure_ascii=False),
        lambda rows: "".join(json.dumps(row) + "\n" for row in rows),
        lambda rows: "\n".join(json.dumps(row, indent=1) for row in rows),
        lambda rows: "\n\n  [\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n\n",
        lambda rows: "\ufeff" + json.dumps(rows),
    ],
)
def test_an_array_is_read_as_objects_a_line_are(tmp_path, name, write):
    (tmp_path / name).write_text(write(ROWS))
    assert values(tmp_path / name) == ROWS
    assert open_source(name, tmp_path).columns == ("text", "label")


def test_records_of_an_array_have_the_lines_on_which_they_begin(tmp_path):
    (tmp_path / "a.json").write_text('[\n  {"text": "one",\n   "label": "a"},\n\n  {"text": "two", "label": "b"}, 7,\n {"label": "c"}]')
    records, problems = read(tmp_path / "a.json", skip_bad=True)
    assert [(record.line, record.row) for record in records] == [(2, 0), (5, 1)]
    assert problems.counts == {"not an object": 1, "missing column": 1}
    with pytest.raises(DataError, match=r"a\.json:5: a JSON object .* is wanted, this is a number"):
        read(tmp_path / "a.json")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"text": {"0": "a", "1": "b"}, "label": {"0": "x", "1": "y"}}, r"one JSON object of columns .*pandas\.read_json\('a\.json'\)"),
        ({"text": ["a", "b"], "label": ["x", "y"]}, "one JSON object of columns"),
        ({"version": "1.1", "data": [{"text": "a"}, {"text": "b"}]}, r"rows stand under 'data': jq -c '\.data\[\]' a\.json > a\.jsonl"),
        (["a", "b"], "a JSON object .* is wanted, this is an array; an object names its columns"),
        ("text", "this is a string"),
    ],
)
@pytest.mark.parametrize("indent", [None, 2])
def test_other_shapes_are_refused_with_the_mend(tmp_path, content, said, indent):
    (tmp_path / "a.json").write_text(json.dumps(content, indent=indent))
    if indent and isinstance(content, list):
        said = "this is a string"
    with pytest.raises(DataError, match=said):
        read(tmp_path / "a.json")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[{"text": "a", "label": "b"}, {"text": "c"', "a.json:1: .*what follows cannot be read"),
        ('[{"text": "a", "label": "b"}\n', "the array has no end|a comma or ] is missing"),
        ('[{"text": "a", "label": "b"},\n', "the array has no end"),
        ('[{"text": "a", "label": "b"} {"text": "c"}]', "a comma or ] is missing"),
        ('[{"text": "a", "label": "b"}]\n[]', r"a\.json:2: more follows after the end of the array"),
        ('[{"text": "a", "label": "b", "text": "c"}]', "the key 'text' stands there twice"),
        ('{"text": "a", "label": "b", "text": "c"}', "the key 'text' stands there twice"),
        ('{"text": "a", "label": ' + "9" * 5_000 + "}", "Exceeds the limit|no usable|label"),
        ("[" * 100_000, "nested too deeply"),
        ('{"text": ' + "[" * 100_000, "nested too deeply"),
        ('{"text":\n' + '{"a":\n' * 50_000, "nested too deeply"),
    ],
)
def test_broken_json_says_where_and_why(tmp_path, text, said):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(DataError, match=said):
        read(tmp_path / "a.json")


def test_a_bad_line_of_many_costs_that_line_alone(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "a", "label": "x"}\n{"text": "b",\n{"text": "c", "label": "y"}\n')
    records, problems = read(tmp_path / "a.jsonl", skip_bad=True)
    assert [record.values["text"] for record in records] == ["a", "c"]
    assert problems.counts == {"bad JSON": 1}


def test_numbers_that_are_none_are_no_labels_and_no_traceback(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "a", "label": NaN}\n{"text": "b", "label": 1e999}\n')
    assert [record.values["label"] == record.values["label"] for record in read(tmp_path / "a.jsonl")[0]] == [False, True]


def test_one_long_object_is_gone_through_a_few_times_only(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps([{"text": "long", "label": "a", "words": ["word"] * 50_000}], indent=1))
    assert len(values(tmp_path / "a.json")[0]["words"]) == 50_000


@pytest.mark.parametrize("name", ["one.jsonl", "one.json"])
def test_a_single_sentence_of_tokens_and_tags_is_a_record_and_no_table_of_columns(tmp_path, name):
    (tmp_path / name).write_text('{"tokens": ["Ann", "left"], "tags": ["B-PER", "O"]}\n')
    with Problems() as problems:
        (record,) = open_source(name, tmp_path).records(("tokens", "tags"), problems)
    assert record.values == {"tokens": ["Ann", "left"], "tags": ["B-PER", "O"]}
