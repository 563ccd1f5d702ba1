"""What a pretraining reads: shares of corpora, and a part of each held out."""

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from acclimate.data.corpus import Corpus
from acclimate.errors import DataError
from acclimate.modeling.folder import ModelFolder
from acclimate.stages.base import Context
from acclimate.stages.pretraining_text import read_text
from acclimate.tasks.opened import Data

WIKI = [f"w{number} x x x" for number in range(40)]
TALKS = [f"t{number} y y y y y y y" for number in range(100)]


@pytest.fixture
def folder(tmp_path):
    words = ["?", "x", "y", *(text.split()[0] for text in (*WIKI, *TALKS))]
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    (tmp_path / "model").mkdir()
    tokenizer.save(str(tmp_path / "model/tokenizer.json"))
    (tmp_path / "model/config.json").write_text(json.dumps({"model_type": "bert"}))
    return ModelFolder(tmp_path / "model")


@pytest.fixture
def read(folder, tmp_path):
    corpora = {"wiki": Corpus.of_texts("wiki", WIKI, "1"), "talks": Corpus.of_texts("talks", TALKS, "2")}
    context = Context(Data(None, corpora), "all", 0, "t", tmp_path / "cache", tmp_path, tmp_path, runtime=None)

    def make(shares, heldout=0.05, most=1000, seed=0):
        chosen = {name: corpora[name] for name in shares}
        return read_text(chosen, shares, folder, replace(context, seed=seed), 6, (heldout, most))

    return make


def documents(text, windows):
    begin = np.searchsorted(text.store.offsets, windows.start, side="right") - 1
    return Counter(int(number) for number, start in zip(begin, windows.start, strict=True) if start == text.store.offsets[number])


def test_a_share_below_one_takes_a_part_and_above_one_repeats(read):
    text = read({"wiki": 2.25, "talks": 0.5})
    seen = documents(text, text.training)
    wiki = {number: count for number, count in seen.items() if number < len(WIKI)}
    talks = {number: count for number, count in seen.items() if number >= len(WIKI)}
    assert Counter(wiki.values()) == {2: 28, 3: 10}  # of 38: two documents are held out
    assert set(talks.values()) == {1}
    assert abs(len(talks) - 95 / 2) <= 6  # windows are halved, not documents


def test_every_corpus_gives_its_part_to_what_is_held_out_and_none_of_it_is_trained_on(read):
    text = read({"wiki": 1, "talks": 0.5})
    held = {name: documents(text, windows) for name, windows in text.heldout.items()}
    assert {name: len(found) for name, found in held.items()} == {"wiki": 2, "talks": 5}
    alone = read({"wiki": 1})
    assert documents(alone, alone.heldout["wiki"]) == held["wiki"]  # the same text, whatever stands beside it
    assert all(number < len(WIKI) for number in held["wiki"])
    assert all(number >= len(WIKI) for number in held["talks"])
    assert not documents(text, text.training).keys() & (held["wiki"].keys() | held["talks"].keys())


def test_what_is_held_out_of_each_has_a_bound(read):
    text = read({"wiki": 1, "talks": 1}, heldout=0.5, most=32)
    assert {name: windows.tokens for name, windows in text.heldout.items()} == {"wiki": 32, "talks": 32}


def test_a_share_that_reads_nothing_is_refused(read):
    with pytest.raises(DataError, match=r"nothing of 'wiki' would be read: 0\.01 of its 38 windows"):
        read({"wiki": 0.01, "talks": 1})


def test_the_facts_count_what_an_epoch_reads(read):
    text = read({"wiki": 1, "talks": 2})
    counts = {
        "documents": 40,
        "tokens": 160,
        "share": 1,
        "training_tokens": 152,
        "heldout_tokens": 8,
        "left_out_documents": 0,
        "left_out_tokens": 0,
    }
    assert text.facts["wiki"] == {**counts, "unknown_tokens": 0, "unknown_share": 0.0}
    assert text.facts["talks"]["training_tokens"] == 2 * 95 * 8
    assert text.training.tokens == 152 + 2 * 95 * 8
    assert text.sizes["wiki"] == (160, sum(map(len, WIKI)), 0)


def test_the_same_text_is_read_with_every_seed(read):
    first, second = (read({"wiki": 0.5, "talks": 1}, seed=seed) for seed in (0, 1))
    assert np.array_equal(first.training.start, second.training.start)


def test_what_an_evaluation_found_is_said_of_each_corpus(read):
    text = read({"wiki": 1, "talks": 1})
    both = ("wiki", "talks")
    losses = {"heldout_loss/wiki": 2.0, "heldout_accuracy/wiki": 0.5, "heldout_loss/talks": 1.0, "heldout_accuracy/talks": 0.75}
    found = text.measured(losses, both)["corpora"]
    assert found["talks"]["heldout_accuracy"] == 0.75
    assert found["wiki"]["bits_per_byte"] == pytest.approx(2.0 / np.log(2) * 160 / sum(map(len, WIKI)))
    of_one = text.measured({"heldout_loss": 2.0, "heldout_accuracy": 0.5}, ("wiki",))["corpora"]
    assert of_one["wiki"]["heldout_loss"] == 2.0
    assert "heldout_loss" not in of_one["talks"]
    assert "heldout_loss" not in text.measured({}, both)["corpora"]["wiki"]


def test_what_a_vocabulary_cannot_read_is_charged_as_it_is_and_never_makes_it_the_better_one(folder, tmp_path):
    halves = [f"{known} {unknown}" for known, unknown in zip(WIKI, ["unheard", "日本"] * 20, strict=True)]
    context = Context(Data(None, {}), "all", 0, "t", tmp_path / "cache", tmp_path, tmp_path, runtime=None)

    def measured(texts):
        text = read_text({"wiki": Corpus.of_texts("wiki", texts, str(len(texts[0])))}, {"wiki": 1}, folder, context, 6, (0.05, 1000))
        return text.measured({"heldout_loss": 2.0, "heldout_accuracy": 0.5}, ("wiki",))["corpora"]["wiki"]

    half, whole = measured(halves), measured(WIKI)
    assert (half["unknown_tokens"], half["unknown_share"]) == (40, 0.2)
    unread = 20 * len("unheard") + 20 * len("日本".encode())
    size = sum(len(text.encode()) for text in halves)
    assert half["bits_per_byte"] == pytest.approx((2.0 / np.log(2) * 160 + 8 * unread) / size)
    assert half["bits_per_byte"] > whole["bits_per_byte"]


def test_what_belongs_together_is_held_out_together_also_in_a_mixture_and_text_without_groups_stands_by_itself(folder, tmp_path):
    groups = [str(number // 4) for number in range(len(TALKS))]
    further = Corpus.of_texts("more", WIKI, "2")
    corpora = {"wiki": Corpus.of_texts("wiki", WIKI, "1"), "talks": Corpus.of_texts("talks", TALKS, "3", further, groups)}
    context = Context(Data(None, corpora), "all", 0, "t", tmp_path / "cache", tmp_path, tmp_path, runtime=None)
    found = {}
    for room, names in ((6, ("talks",)), (6, ("wiki", "talks")), (4, ("wiki", "talks"))):
        text = read_text({name: corpora[name] for name in names}, dict.fromkeys(names, 1.0), folder, context, room, (0.1, 1000))
        held = sorted(number - len(WIKI) * (len(names) - 1) for number in documents(text, text.heldout["talks"]))
        talks = Counter(number // 4 for number in held if number < len(TALKS))
        assert talks
        assert set(talks.values()) == {4}
        found[room, names] = held
    first, *others = found.values()
    assert others == [first, first]
    assert any(number >= len(TALKS) for number in first)
