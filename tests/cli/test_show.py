"""What the verbs print is read by people: one fact a line, and no line without end."""

from acclimate.cli.show import data_lines


def test_facts_are_flat_and_long_lists_are_short():
    facts = {"task": {"files": [f"{number}.txt" for number in range(400)], "made": ("test", "dev"), "count": {"a": 1, "b": 2}}}
    assert data_lines(facts) == ["task.files: 0.txt, 1.txt, 2.txt, ...", "task.made: test, dev", "task.count: a 1, b 2"]


def test_what_is_not_there_takes_no_line():
    assert data_lines({"a": None, "b": {}, "c": [], "d": (), "e": "", "f": 0}) == ["f: 0"]


def test_counts_of_thousands_of_labels_are_one_short_line():
    (line,) = data_lines({"labels": {str(number): number for number in range(3000)}})
    assert line == "labels: 0 0, 1 1, 2 2, ... (3,000 in all)"
