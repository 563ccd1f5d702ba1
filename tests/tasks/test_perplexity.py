"""Held-out text as a task: which documents it is, and that nothing else of the study reads them."""

import json

import numpy as np
import pytest
from pydantic import ValidationError

from acclimate.data.digests import text_hash
from acclimate.errors import DataError, SettingsError
from acclimate.tasks.metrics.texts import METRICS, UNREAD_BITS
from acclimate.tasks.opened import Data, DataSettings
from acclimate.tasks.perplexity import Perplexity, scored


def lines(path, texts):
    path.write_text("\n".join(texts) + "\n", encoding="utf-8")


def opened(root, task, planned=None, **corpora):
    settings = {"task": {"kind": "perplexity", **task}, "corpora": {name: {"path": f"{name}.txt", "documents": "line"} for name in corpora}}
    for name, texts in corpora.items():
        lines(root / f"{name}.txt", texts)
    return Data.open(DataSettings.model_validate(settings), root, None, planned)


ONE = [f"document {number} of one" for number in range(200)]
TWO = [f"document {number} of two" for number in range(100)]


def test_documents_of_corpora_are_held_out_and_no_corpus_is_read_with_them(tmp_path):
    data = opened(tmp_path, {"on": ["one", "two"]}, one=[*ONE, ONE[3]], two=TWO, three=[*TWO, *ONE])
    held = [*data.task.dev.documents(), *data.task.test.documents()]
    assert len(set(held)) == len(held) == 10 + 8
    for name, whole in (("one", ONE), ("two", TWO), ("three", [*TWO, *ONE])):
        read = set(data.corpora[name].documents())
        assert read == set(whole) - set(held), name
    assert data.task.facts.label_counts["test"]["one"] > 0
    assert data.task.facts.label_counts["dev"]["two"] > 0
    assert "held out of 'one': 10 of 201 documents, which no stage reads, of any corpus" in data.notes()


def test_which_documents_are_held_out_follows_their_texts_alone(tmp_path):
    task = opened(tmp_path, {"on": "one"}, one=ONE).task
    again = opened(tmp_path, {"on": "one"}, one=ONE[::-1]).task
    held = {*task.dev.documents(), *task.test.documents()}
    assert held == {*again.dev.documents(), *again.test.documents()}
    assert held == set(sorted(ONE, key=text_hash)[:10])
    fewer = opened(tmp_path, {"on": "one", "documents": 8}, one=ONE).task
    assert {*fewer.dev.documents(), *fewer.test.documents()} < held
    more = opened(tmp_path, {"on": "one", "heldout_share": 0.2}, one=ONE).task
    assert held < {*more.dev.documents(), *more.test.documents()}


def test_a_corpus_that_is_held_out_of_is_another_one_and_a_worker_finds_the_same(tmp_path):
    data = opened(tmp_path, {"on": "one"}, one=ONE, two=TWO)
    lines(tmp_path / "held.txt", [f"document {number} of neither" for number in range(20)])
    plain = opened(tmp_path, {"on": {"held": "held.txt"}}, one=ONE, two=TWO)
    assert data.corpora["one"].fingerprint != plain.corpora["one"].fingerprint
    assert data.corpora["two"].fingerprint == plain.corpora["two"].fingerprint
    worker = opened(tmp_path, {"on": "one"}, data.fingerprints(), one=ONE, two=TWO)
    assert worker.task.exam_fingerprint == data.task.exam_fingerprint
    assert list(worker.corpora["one"].documents()) == list(data.corpora["one"].documents())


def test_documents_that_stand_in_a_corpus_word_for_word_are_said_or_dropped(tmp_path):
    lines(tmp_path / "held.txt", TWO[:20])
    on, corpora = {"held": {"path": "held.txt", "documents": "line"}}, {"one": [*ONE, *TWO[:3], TWO[0]], "two": ONE[:5]}
    kept = opened(tmp_path, {"on": on}, **corpora)
    assert sum(found["exact"] for split, found in kept.facts()["leaks"]["one"].items() if split in ("dev", "test")) == 3
    (told,) = [note for note in kept.notes() if note.startswith("LEAK")]
    assert told.startswith("LEAK: 3 of the 20 documents that are judged by stand word for word in the corpus 'one'")
    dropped = opened(tmp_path, {"on": on, "duplicates": "drop"}, **corpora)
    assert "leaks" not in dropped.facts()
    assert set(dropped.corpora["one"].documents()) == set(ONE)
    assert dropped.corpora["two"].fingerprint == kept.corpora["two"].fingerprint


def test_a_text_that_two_files_hold_is_one_document(tmp_path):
    lines(tmp_path / "a.txt", ONE[:20])
    lines(tmp_path / "b.txt", [*ONE[10:15], *TWO[:20]])
    (tmp_path / "c.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in TWO[30:50]))
    on = {"a": {"path": "a.txt", "documents": "line"}, "b": {"path": "b.txt", "documents": "line"}, "c": "c.jsonl"}
    task = opened(tmp_path, {"on": on}).task
    counts = {name: sum(task.facts.label_counts[split][name] for split in ("dev", "test")) for name in "abc"}
    assert counts == {"a": 20, "b": 20, "c": 20}


def test_long_documents_of_corpora_are_judged_by_their_beginning_and_held_out_whole(tmp_path):
    long = [f"{number} " + "word " * 3000 for number in range(40)]
    data = opened(tmp_path, {"on": "one"}, one=long)
    held = [*data.task.dev.documents(), *data.task.test.documents()]
    assert max(map(len, held)) <= 5000
    assert all(text.endswith("word") for text in held)
    assert data.corpora["one"].facts.documents == 40 - 8
    lines(tmp_path / "held.txt", long)
    whole = opened(tmp_path, {"on": {"held": {"path": "held.txt", "documents": "line"}}}, one=ONE).task
    assert max(map(len, whole.test.documents())) > 15_000


def test_too_few_documents_are_refused_with_what_to_do(tmp_path):
    with pytest.raises(DataError, match=r"the corpus 'book' has 1 document, too few .* let each paragraph be a document"):
        opened(tmp_path, {"on": "book"}, book=["one long book " * 50])
    lines(tmp_path / "held.txt", ["one long book"])
    with pytest.raises(DataError, match="'held' has 1 document, too few for dev and test"):
        opened(tmp_path, {"on": {"held": {"path": "held.txt", "documents": "line"}}}, one=ONE)
    with pytest.raises(DataError, match="'one' has 2 different documents, too few for dev and test"):
        opened(tmp_path, {"on": "one"}, one=["the same", "again"] * 20)


def test_names_and_settings_that_fit_nothing_are_refused(tmp_path):
    with pytest.raises(SettingsError, match=r"there is no corpus 'oen'.*'one'"):
        opened(tmp_path, {"on": "oen"}, one=ONE)
    for wrong, why in (
        ({"on": {"a": "a.txt"}, "heldout_share": 0.1}, "`heldout_share` is about corpora of `data`"),
        ({"on": ["one", "one"]}, "names one corpus twice"),
        ({"on": []}, "at least 1"),
        ({}, "on"),
        ({"on": "one", "train": "x.jsonl"}, "train"),
    ):
        with pytest.raises(ValidationError, match=why):
            Perplexity.model_validate(wrong)


def test_bytes_that_cannot_be_read_are_charged_as_they_are(tmp_path):
    task = opened(tmp_path, {"on": "one"}, one=ONE).task
    sums = np.tile([np.log(2) * 10, 5, 2, 20, 3], (len(task.test), 1))
    answers = scored(sums, task.test)
    assert answers["bits"].tolist() == pytest.approx([10 + 3 * UNREAD_BITS] * len(task.test))
    bits_per_byte, loss, accuracy = (metric.score(task.test, answers) for metric in METRICS)
    assert bits_per_byte == pytest.approx((10 + 24) / 20)
    assert loss == pytest.approx(np.log(2) * 2)
    assert accuracy == pytest.approx(0.4)
