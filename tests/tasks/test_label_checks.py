"""Noise in the label column is an error before anything is trained, and may be kept by saying so."""

import json
from types import SimpleNamespace

import pytest

from acclimate.errors import DataError
from acclimate.tasks.classify import Classify
from acclimate.tasks.task import Task

CLEAN = ["pos", "neg"] * 20


def opened(folder, **settings):
    return Task.open(Classify(**({"path": "all.csv"} | settings)), folder, folder / "rejects")


def write(path, labels, text="words and number {}", label="label", header=True):
    lines = [f"text,{label}"] * header + [f'{text.format(number)},"{name}"' for number, name in enumerate(labels)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def refused(folder, labels, match, **settings):
    write(folder / "all.csv", labels)
    with pytest.raises(DataError, match=match) as caught:
        opened(folder, **settings)
    return str(caught.value)


def kept(folder, labels, **settings):
    write(folder / "all.csv", labels)
    return opened(folder, **settings)


@pytest.mark.parametrize(
    "other", ["pos ", " pos", "POS", "Pos", "p\u00f2s", "pos\u00a0", "po\u200bs", "\ufeffpos", "\uff50\uff4f\uff53", "'pos'"]
)
def test_labels_that_differ_in_case_form_or_white_space_alone_are_an_error_that_may_be_kept(tmp_path, other):
    labels = CLEAN + [other] * 3
    if other == "p\u00f2s":
        labels += ["po\u0300s"] * 3  # the same letter in another normal form
    said = refused(tmp_path, labels, r"labels that differ in case or white space alone")
    assert "all.csv:4" in said
    assert "(20)" in said or other == "p\u00f2s"
    assert "(3)" in said
    assert "odd_labels: keep" in said
    assert "skip_bad" not in said
    noted = kept(tmp_path, labels, odd_labels="keep").facts.labels_noted
    assert any("(3)" in note and "differ in case or white space alone" in note for note in noted)
    assert opened(tmp_path, labels=tuple(dict.fromkeys(labels))).facts.labels_noted == ()


@pytest.mark.parametrize("blank", ["", "   ", "\u00a0", "\u200b"])
def test_a_blank_label_is_refused_as_an_empty_one_is(tmp_path, blank):
    said = refused(tmp_path, [*CLEAN, blank], r"no label \(1\):\n.*all\.csv:42: 'label' is ")
    assert "skip_bad" in said
    task = kept(tmp_path, [*CLEAN, blank], skip_bad=True)
    assert (task.names, task.facts.rejected) == (("neg", "pos"), 1)


@pytest.mark.parametrize("missing", ["nan", "NaN", "None", "NA", "N/A", "#N/A", "null", "NULL", "<NA>"])
def test_a_missing_value_written_out_is_no_class_unless_it_is_said(tmp_path, missing):
    said = refused(tmp_path, [*CLEAN, *[missing] * 6], r"label of a missing value \(6\):")
    assert "all.csv:42" in said
    assert "odd_labels: keep" in said
    assert opened(tmp_path, skip_bad=True).facts.rejected == 6
    task = opened(tmp_path, odd_labels="keep")
    assert missing in task.names
    assert any(missing in note for note in task.facts.labels_noted)
    assert missing in opened(tmp_path, labels=("pos", "neg", missing)).names


def test_a_class_called_none_is_a_class(tmp_path):
    assert kept(tmp_path, [*CLEAN, *["none"] * 6]).names == ("neg", "none", "pos")
    assert kept(tmp_path, [*CLEAN, *["NONE"] * 6]).names == ("NONE", "neg", "pos")


@pytest.mark.parametrize("form", ["['{}']", '[""{}""]', "['{}', 'x']", "('{}', 'x')", "[1, 0]", "{{'{}'}}"])
def test_lists_written_as_text_are_no_labels_unless_it_is_said(tmp_path, form):
    labels = [form.format(name) for name in CLEAN] + ["other"] * 5
    said = refused(tmp_path, labels, r"labels that are lists \(1\):\n.*all\.csv:2: ")
    assert "odd_labels: keep" in said
    assert any("lists" in note for note in opened(tmp_path, odd_labels="keep").facts.labels_noted)


def test_whole_numbers_with_and_without_a_point_are_one_class_unless_it_is_said(tmp_path):
    said = refused(tmp_path, ["1", "0"] * 20 + ["1.0", "0.0"] * 5, r"whole numbers with and without a point \(2\):")
    assert "all.csv:42: '1' (20), '1.0' (5)" in said
    assert opened(tmp_path, odd_labels="keep").names == ("0", "0.0", "1", "1.0")
    assert len(kept(tmp_path, ["250", "250.0", "250.01"] * 20).names) == 3


def test_words_in_brackets_are_labels(tmp_path):
    assert kept(tmp_path, ["[POS]", "(neg)"] * 20).names == ("(neg)", "[POS]")


@pytest.mark.parametrize("header", ["text,label", "\ufefftext,label", "Text, Label", "label,text"])
def test_a_repeated_header_is_no_example(tmp_path, header):
    write(tmp_path / "all.csv", CLEAN)
    with (tmp_path / "all.csv").open("a", encoding="utf-8") as file:
        file.write(f"{header}\nmore words,pos\n")
    with pytest.raises(DataError, match=r"repeated header \(1\):\n.*all\.csv:42: the row repeats the header") as caught:
        opened(tmp_path)
    assert "odd_labels: keep" in str(caught.value)
    assert opened(tmp_path, skip_bad=True).facts.rejected == 1


def decimals(start, count, step=0.1):
    return [f"{start + number * step:.1f}" for number in range(count)]


@pytest.mark.parametrize(
    ("labels", "match"),
    [
        (
            [f"{number * 0.083:.3f}" for number in range(60)],
            "60 different labels for 60 examples, none twice: is 'label' a number to be est",
        ),
        (decimals(0, 51) * 8, "51 different labels for 408 examples: is 'label' a number to be estimated"),
        ([f"{number}.99" for number in range(5, 45)] * 3, "a number to be estimated"),
        ([f"${number}" for number in range(5, 45)] * 3, "a number to be estimated"),
        ([f"{number},5" for number in range(5, 45)] * 3, "a number to be estimated"),
        ([str(number * 37) for number in range(60)], "60 different labels for 60 examples, none twice"),
        ([f"id-{number}" for number in range(60)], "none twice: is 'label' an id, a title or another text"),
        ([f"The tale of the number {number % 50}" for number in range(60)], "50 different labels for 60 examples, 40 of them once"),
        ([f"2024-{month:02d}-{day:02d}" for month in range(1, 13) for day in (1, 5)] * 4, "a date"),
    ],
)
def test_a_column_of_numbers_dates_ids_or_texts_is_called_that(tmp_path, labels, match):
    said = refused(tmp_path, labels, match)
    assert "Name the label column with `label:`" in said
    assert "odd_labels: keep" in said
    assert "too few" not in said


@pytest.mark.parametrize(
    "labels",
    [
        ["1", "2", "3", "4", "5"] * 8,
        ["1.0", "2.0", "3.0"] * 10,
        decimals(0.5, 10, 0.5) * 6,  # half stars
        [f"{letter}{number:02d}.{number % 10}" for letter in "ABCDE" for number in range(60)] * 3,  # ICD-10
        [f"{number}" if number % 3 else f"{number}.{number % 7}" for number in range(100, 400)] * 3,  # ICD-9
        [f"{number:03d}.{number % 10}" for number in range(300)] * 3,
        [str(number) for number in range(300)] * 3,
    ],
)
def test_stars_codes_and_class_numbers_are_classes(tmp_path, labels):
    assert len(kept(tmp_path, labels).names) == len(set(labels))


def test_one_example_of_each_class_is_enough_where_the_classes_come_again_in_test(tmp_path):
    for split in ("train", "dev", "test"):
        write(tmp_path / f"{split}.csv", [f"class {number}" for number in range(30)], text=split + " words {}")
    task = opened(tmp_path, path=".")
    assert task.facts.labels_noted[0].startswith("30 of 30 labels have one example in train (")


def test_classes_with_one_example_are_noted_where_they_cannot_be_split(tmp_path):
    noted = kept(tmp_path, [*CLEAN, "rare"]).facts.labels_noted
    assert noted == (
        "1 of 3 labels have one example in train, which stays in train: no split that acclimate makes holds it ('rare')",
        "1 of 3 labels have no example in test: macro F1 counts them as 0 ('rare')",
    )


def test_that_every_class_has_one_example_is_why_no_split_can_be_made(tmp_path):
    said = refused(tmp_path, [f"id-{number}" for number in range(60)], "every label has one example", odd_labels="keep")
    assert "share" not in said


@pytest.mark.parametrize("each", [2, 3, 4])
def test_thousands_of_small_classes_are_split_all_the_same(tmp_path, each):
    task = kept(tmp_path, [f"code {number}" for number in range(1000)] * each)
    assert len(task.test) == pytest.approx(0.2 * 1000 * each, rel=0.7)
    assert len(task.dev) > 0.04 * 1000 * each
    assert set(task.train.gold.tolist()) == set(range(1000))


def test_whole_number_labels_are_numbered_in_their_order(tmp_path):
    task = kept(tmp_path, [str(number % 12) for number in range(120)])
    assert task.names == tuple(map(str, range(12)))
    assert {int(task.names[number]) for number in task.train.gold.tolist()} == set(range(12))
    assert list(task.facts.label_counts["train"]) == list(task.names)


def test_fractions_in_json_are_called_what_they_are(tmp_path):
    lines = [json.dumps({"text": f"words {number}", "label": number * 0.5}) for number in range(40)]
    (tmp_path / "all.jsonl").write_text("\n".join(lines))
    with pytest.raises(DataError, match="a number to be estimated is not supported"):
        opened(tmp_path, path="all.jsonl")


def test_two_thousand_unknown_labels_are_searched_for_five_of_them(tmp_path, monkeypatch):
    searched = []
    close = SimpleNamespace(get_close_matches=lambda *args, **more: searched.append(args) or [])
    monkeypatch.setattr("acclimate.tasks.labels.difflib", close)
    write(tmp_path / "train.csv", [f"class {number % 1000}" for number in range(2_000)], text="train words {}")
    write(tmp_path / "test.csv", [f"kind {number}" for number in range(2_000)], text="test words {}")
    with pytest.raises(DataError, match=r"label not in train \(2,000\):"):
        opened(tmp_path, path=".")
    assert len(searched) == 5
    write(tmp_path / "test.csv", [*(f"kind {number}" for number in range(2_000)), "class 1"], text="test words {}")
    assert opened(tmp_path, path=".", skip_bad=True).facts.rejected == 2_000
    assert len(searched) <= 10


def test_a_closed_set_may_be_written_as_numbers(tmp_path):
    write(tmp_path / "all.csv", ["2", "0", "10"] * 20)
    assert opened(tmp_path, labels=[10, 2, 0]).names == ("10", "2", "0")
    assert Classify(path=".", labels=[True, False]).labels == ("true", "false")


def test_scores_in_every_split_are_called_numbers_and_not_unknown_labels(tmp_path):
    for split, step in (("train", 0.13), ("dev", 0.17), ("test", 0.19)):
        write(tmp_path / f"{split}.csv", [f"{number * step:.2f}" for number in range(60)], text=split + " words {}")
    with pytest.raises(DataError, match="a number to be estimated") as caught:
        opened(tmp_path, path=".")
    assert "never seen in train" not in str(caught.value)


def test_texts_that_begin_like_a_list_are_told_at_once(tmp_path):
    # Two commas at a time, a single one of these would take minutes.
    labels = CLEAN + ["[" + "so, " * 50_000] * 2
    assert "[so" in " ".join(kept(tmp_path, labels).names)
