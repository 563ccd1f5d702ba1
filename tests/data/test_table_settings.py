"""What a user states about a table is obeyed, or refused where it says nothing."""

import pyarrow
import pyarrow.parquet
import pytest

from acclimate.data.readers.problems import Problems
from acclimate.data.readers.reading import Reading
from acclimate.data.readers.records import open_source
from acclimate.errors import DataError
from acclimate.tasks.classify import Classify
from acclimate.tasks.task import Task


def values_of(path, columns=("text",), **how):
    source = open_source(str(path), path.parent, Reading(**how))
    with Problems() as problems:
        return [tuple(record.values[name] for name in columns) for record in source.records(columns, problems)]


def write(path, content):
    path.write_text(content, newline="")
    return path


@pytest.mark.parametrize(("delimiter", "said"), [(";", ";"), ("\t", "tab"), ("\t", "\\t"), ("|", "|"), ("~", "~")])
def test_a_stated_delimiter_is_obeyed(tmp_path, delimiter, said):
    path = write(tmp_path / "a.csv", f'text{delimiter}label\n"a{delimiter}b"{delimiter}x\n')
    assert values_of(path, ("text", "label"), delimiter=said, quoting="quotes") == [(f"a{delimiter}b", "x")]


def test_quotes_are_letters_where_that_is_stated(tmp_path):
    path = write(tmp_path / "a.csv", 'text,label\n"He came,x\nand went",y\n')
    assert values_of(path, quoting="none") == [('"He came',), ('and went"',)]
    assert values_of(write(tmp_path / "a.tsv", 'text\tlabel\n"a\nb"\tx\n'), quoting="quotes") == [("a\nb",)]


def test_without_a_header_columns_are_numbered_and_the_first_row_is_data(tmp_path):
    path = write(tmp_path / "a.tsv", "pos\tgood\nneg\tbad\n")
    assert values_of(path, ("2", "1"), header=False) == [("good", "pos"), ("bad", "neg")]


@pytest.mark.parametrize("said", ["", ";;", '"', "\n"])
def test_a_delimiter_that_cannot_be_one_is_refused(tmp_path, said):
    with pytest.raises(DataError, match="is no single character"):
        values_of(write(tmp_path / "a.csv", "text\na\n"), delimiter=said)


@pytest.mark.parametrize(
    "how", [{"delimiter": ";"}, {"quoting": "none"}, {"header": False}, {"encoding": "utf-8"}, {"documents": "line"}], ids=str
)
def test_a_setting_that_means_nothing_for_a_format_is_an_error(tmp_path, how):
    pyarrow.parquet.write_table(pyarrow.table({"text": ["a"]}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=rf"a\.parquet: `{next(iter(how))}: .*` is about .*csv|txt files, and this is parquet"):
        values_of(tmp_path / "a.parquet", **how)


def test_settings_reach_every_split_of_a_task(tmp_path):
    for split in ("train", "dev", "test"):
        write(tmp_path / f"{split}.csv", "text;label\n" + "".join(f"{split} {n};{'ab'[n % 2]}\n" for n in range(4)))
    task = Task.open(Classify(path=".", delimiter=";"), tmp_path)
    assert task.test.inputs[0] == ("test 0", "test 1", "test 2", "test 3")
