"""Text with marked spans: how it is read, and what is said of spans that cannot be used."""

import json

import numpy as np
import pytest

from acclimate.data.ragged import Ragged
from acclimate.errors import DataError, SettingsError
from acclimate.tasks.marked_text import spans_in, tagged
from acclimate.tasks.tag import NO_ENTITY, Tag
from acclimate.tasks.tag_answers import most_likely
from acclimate.tasks.task import Task

from .tagged_files import error_of, marked, marked_rows, opened, tags_of


def test_a_word_is_divided_where_a_span_begins_or_ends():
    text = "non-EU-citizens' AfD-Chef"
    spans, trimmed = spans_in([[4, 7, "ORG"], {"start": 17, "end": 18, "label": "X"}], text, "characters")
    tags, ends = tagged(text, spans)
    assert [(text[start:end], tag) for tag, (start, end) in zip(tags, ends, strict=True) if tag != "O"] == [
        ("EU", "B-ORG"), ("-", "I-ORG"), ("A", "B-X"),
    ]  # fmt: skip
    assert trimmed == 0


@pytest.mark.parametrize(
    ("name", "span"),
    [
        ("spans", {"start": 0, "end": 7, "label": "PER", "token_start": 0, "token_end": 1}),
        ("label", [0, 7, "PER"]),
        ("entities", {"start_offset": 0, "end_offset": 7, "label": "PER", "id": 3}),
        ("label", {"start": 0, "end": 7, "text": "Ann Lee", "labels": ["PER"]}),
        ("ents", {"start": 0, "end": 7, "label": "PER"}),
    ],
)
def test_spans_are_read_as_tools_write_them(tmp_path, name, span):
    rows = [{"text": row["text"], name: [span], "tokens": [{"text": "Ann", "start": 0}]} for row in marked()]
    task = opened(tmp_path, rows)
    assert task.facts.detected["spans"] == name
    assert tags_of(task)["Ann Lee saw w3."] == ["B-PER", "I-PER", "O", "O", "O"]
    assert task.train.inputs[0][0].startswith("Ann Lee")


def test_a_list_of_each_field_of_spans_is_read_as_datasets_keep_it():
    kept = {"start": [0, 4], "end": [3, 7], "label": ["A", "B"]}
    assert spans_in(kept, "Ann Lee", "characters") == ([(0, 3, "A"), (4, 7, "B")], 0)
    assert spans_in({"start": [], "end": [], "label": []}, "Ann Lee", "characters") == ([], 0)


@pytest.mark.parametrize(
    ("spans", "message"),
    [
        ([[0, 3, "PER"], [2, 6, "ORG"]], "'Ann' (PER, 0 to 3) and 'n Le' (ORG, 2 to 6) overlap"),
        ([[0, 99, "PER"]], "span 1 from 0 to 99 lies outside of the text, which has 17 characters"),
        ([[-1, 3, "PER"]], "span 1 from -1 to 3 lies outside of the text"),
        ([[3, 3, "PER"]], "span 1 from 3 to 3 holds nothing"),
        ([[3, 4, "PER"]], "span 1 from 3 to 4 holds blanks alone"),
        ([[5, 3, "PER"]], "span 1 begins at 5 and ends before, at 3"),
        ([[0, 3]], "span 1 is [0, 3]; [start, end, label] or"),
        ([[0, 3, ""]], "span 1 has the label ''; a name is wanted"),
        ([[0, 3.5, "PER"]], "span 1 has the end 3.5; a whole number of characters is wanted"),
        ([{"start": 0, "end": 3, "labels": ["PER", "ORG"]}], "span 1 has 2 labels"),
        ([{"start": 0, "end": 3, "label": "PER", "text": "Lee"}], "span 1 holds 'Ann', and says 'Lee'"),
        ("PER", "is 'PER'; a list of spans is wanted"),
    ],
)
def test_spans_that_cannot_be_used_are_told_with_file_and_line(tmp_path, spans, message):
    found = error_of(tmp_path, {"text": "Ann Lee saw Rome.", "spans": spans}, rows=marked())
    assert f"{tmp_path}/all.jsonl:31: 'spans': " in found
    assert message in found
    assert opened(tmp_path, marked(), extra=[{"text": "Ann Lee saw Rome.", "spans": spans}], skip_bad=True).facts.rejected == 1


def test_offsets_of_utf_16_are_made_into_characters_and_may_not_split_a_pair(tmp_path):
    emoji = {"text": "😀 Rome", "spans": [{"start": 3, "end": 7, "label": "PER", "text": "Rome"}]}
    assert "if the tool counts UTF-16 units, say `offsets: utf-16`" in error_of(tmp_path, emoji, rows=marked())
    assert tags_of(opened(tmp_path, marked(), extra=[emoji], offsets="utf-16"))["😀 Rome"] == ["O", "B-PER"]
    split = {"text": "😀 Rome", "spans": [[1, 7, "PER"]]}
    message = "span 1 from 1 to 7 splits the surrogate pair of '😀' at 1"
    assert message in error_of(tmp_path, split, rows=marked(), offsets="utf-16")
    half = {"text": "\ud83d Rome", "spans": [[2, 6, "PER"]]}
    assert "half of a surrogate pair" in error_of(tmp_path, half, rows=marked())


def test_blanks_at_the_ends_of_spans_are_left_out_and_counted(tmp_path):
    task = opened(tmp_path, marked(), extra=[{"text": "We saw Rome now", "spans": [[6, 12, "PER"]]}])
    assert tags_of(task)["We saw Rome now"] == ["O", "O", "B-PER", "O"]
    assert any("1 span had blanks at its ends, which were left out in 1 sentence" in note for note in task.facts.labels_noted)


def test_what_an_annotator_rejected_is_no_truth(tmp_path):
    assert "its `answer` is 'reject'" in error_of(tmp_path, {**marked()[0], "text": "x", "spans": [], "answer": "reject"}, rows=marked())


def test_marked_text_is_written_as_it_was(tmp_path):
    task = opened(tmp_path, marked())
    task.write_splits(tmp_path / "made")
    again = Task.open(Tag(path="made"), tmp_path)
    assert again.test.inputs == task.test.inputs
    assert again.test.fingerprint != ""
    assert again.test.gold.values.tolist() == task.test.gold.values.tolist()
    assert again.test.words.values.tolist() == task.test.words.values.tolist()


def test_answers_are_tags_and_entities_in_characters(tmp_path):
    task = opened(tmp_path, marked())
    split = task.test.take(np.array([0, 1]))
    numbers = np.array([1, 2, 0, 0, 0, 0, 0, 0, 1, 0])
    answers = most_likely(np.eye(3)[numbers] * 0.7 + 0.1, split)
    assert answers["predicted"].values.tolist() == numbers.tolist()
    assert answers["sure"].lengths.tolist() == [5, 5]
    assert np.allclose(answers["sure"].values, 0.8)
    found = [json.loads(entities) for entities in answers["entities"]]
    assert found[0] == [{"start": 0, "end": 7, "label": "PER", "text": "Ann Lee"}]
    ((said,),) = found[1:]
    assert split.inputs[0][1][said["start"] : said["end"]] == said["text"]
    assert Tag.shown(answers["predicted"], 0, task.names) == "PER (words 1 to 2)"
    assert Tag.shown(split.gold.take(np.array([0])), 0, task.names) == "PER (words 1 to 2)"
    assert Tag.shown(Ragged.of([[0, 0]]), 0, task.names) == NO_ENTITY


@pytest.mark.parametrize("setting", [{"scheme": "plain"}, {"scheme": "IOB2"}, {"repair": True}])
def test_marked_text_has_no_scheme(tmp_path, setting):
    with pytest.raises(SettingsError, match=f"`{next(iter(setting))}:` says nothing of .*all.jsonl, which holds marked text"):
        opened(tmp_path, marked_rows(), **setting)


def test_what_is_said_of_spans_is_refused_where_there_are_none(tmp_path):
    with pytest.raises(SettingsError, match=r"`offsets:` says nothing of .*all.jsonl, which holds words and tags"):
        opened(tmp_path, offsets="utf-16")
    (tmp_path / "all.conll").write_text("A\tB-PER\nb\tO\n\n" * 30)
    with pytest.raises(DataError, match=r"a word a line \(CoNLL\), where `text:` of marked text cannot be found"):
        Task.open(Tag(path="all.conll", text="1"), tmp_path)
