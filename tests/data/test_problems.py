import json

import pytest

from acclimate.data.readers.problems import Problems
from acclimate.errors import DataError


def test_the_first_five_of_each_kind_are_shown_with_their_count():
    def read():
        with Problems() as problems:
            for line in range(1, 13):
                problems.add("bad JSON", "a.jsonl", line, "broken")
            problems.add("empty text", "b.jsonl", 7, "'text' is empty")

    with pytest.raises(DataError) as caught:
        read()
    message = str(caught.value)
    assert "bad JSON (12):" in message
    assert "a.jsonl:5: broken" in message
    assert "a.jsonl:6" not in message
    assert "... and 7 more" in message
    assert "empty text (1):\n  b.jsonl:7: 'text' is empty" in message
    assert "skip_bad" in message


def test_skipped_records_are_counted_and_written(tmp_path):
    rejects = tmp_path / "rejects" / "task.jsonl"
    with Problems(skip_bad=True, rejects=rejects) as problems:
        problems.add("bad JSON", "a.jsonl", 3, "broken", "{")
        problems.add("bad UTF-8", "a.jsonl", 4, "byte", "\udcff")
    assert problems.counts == {"bad JSON": 1, "bad UTF-8": 1}
    assert problems.rejected == 2
    assert problems.rejects_file == rejects
    written = [json.loads(line) for line in rejects.read_text().splitlines()]
    assert written[0] == {"file": "a.jsonl", "line": 3, "problem": "bad JSON", "message": "broken", "record": "{"}
    assert written[1]["record"] == "\udcff"


def test_fatal_problems_are_raised_even_when_records_may_be_skipped():
    def read():
        with Problems(skip_bad=True) as problems:
            problems.add("bad JSON", "a.jsonl", 3, "broken")
            problems.fatal("one class only", "a.jsonl", None, "every label is 'x'")

    with pytest.raises(DataError, match=r"one class only \(1\)") as caught:
        read()
    assert "bad JSON" not in str(caught.value)


def test_no_rejects_file_appears_when_nothing_was_rejected_or_reading_failed(tmp_path):
    def fail():
        with Problems(skip_bad=True, rejects=tmp_path / "b.jsonl") as problems:
            problems.add("bad JSON", "a.jsonl", 3, "broken")
            raise ValueError("lost")

    with Problems(skip_bad=True, rejects=tmp_path / "a.jsonl"):
        pass
    with pytest.raises(ValueError, match="lost"):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_hints_are_made_for_the_problems_that_are_shown_alone():
    made = []

    def hint():
        made.append(1)
        return " — 'pos' meant?"

    problems = Problems()
    for line in range(1000):
        problems.add("unknown label", "a.jsonl", line, "label 'pso' is unknown", hint=hint)
    with pytest.raises(DataError, match=r"a\.jsonl:0: label 'pso' is unknown — 'pos' meant\?"):
        problems.raise_if_any()
    assert len(made) == 5


def test_a_kind_may_be_about_records_in_one_file_and_about_the_whole_of_another():
    def read(skip_bad):
        with Problems(skip_bad=skip_bad) as problems:
            problems.add("missing column", "train.jsonl", 3, "no 'label'")
            problems.fatal("missing column", "test.csv", 1, "no column 'label'")
        return problems

    with pytest.raises(DataError, match=r"missing column \(2\):\n  train\.jsonl:3: no 'label'\n  test\.csv:1: no column 'label'$"):
        read(skip_bad=False)
    with pytest.raises(DataError, match=r"^missing column \(1\):\n  test\.csv:1: no column 'label'$"):
        read(skip_bad=True)


def test_skipping_is_not_advised_where_the_file_is_read_in_the_wrong_way():
    def read():
        with Problems() as problems:
            problems.add("bad UTF-8", "a.csv", 3, "byte 0xa3")

    with pytest.raises(DataError, match=r"byte 0xa3$"):
        read()
