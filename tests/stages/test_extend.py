"""The stage extend: which words it takes, what it refuses before anything is spent, and what stands in its key."""

from types import SimpleNamespace

import pytest
from tests.study.conftest import tiny_model
from tokenizers import Tokenizer

from acclimate.data.sample import Sample, Spread
from acclimate.data.vocabularies import choice
from acclimate.data.vocabularies.larger import Spelling
from acclimate.data.vocabularies.listed import entries_of, read_words
from acclimate.data.vocabularies.mined import count_chunks
from acclimate.errors import AcclimateError, DataError, ModelError, SettingsError
from acclimate.modeling.fast_paths import FastPaths
from acclimate.stages.extend import Extend
from acclimate.stages.planned import Reads, Sizes
from acclimate.study.new_words import words_to_add
from acclimate.study.run import Options
from acclimate.study.single import run_stage


def test_what_is_not_read_is_no_part_of_its_key():
    mean = Extend(init="mean", size=10)
    assert mean.keyed() == Extend(init="mean", size=10, lr=5.0, snippets=3, seeds="all").keyed()
    assert Extend(size=10).keyed() != Extend(size=10, lr=5.0).keyed()
    assert Extend().keyed() == Extend(size=1000).keyed()
    assert Extend(words=("a", "b"), min_count=9).keyed() == Extend(words=("a", "b")).keyed() != Extend(words=("a", "c")).keyed()


def test_a_list_in_a_file_and_in_the_study_are_the_same(tmp_path):
    (tmp_path / "new.txt").write_text("virus\n\n  fever \n")
    listed = Extend(words="new.txt").located(tmp_path)
    assert listed.keyed() == Extend(words=("virus", "fever")).located(tmp_path).keyed()
    assert listed.most == 2


def test_nothing_is_drawn_for_a_mean_and_else_once_unless_all_seeds_are_asked_for():
    assert not Extend(init="mean").draws()
    assert Extend(init="mean").seeds_apart()
    assert [Extend(init=init).seeds_apart() for init in ("distil", "random")] == [False, False]
    assert Extend(seeds="all").seeds_apart()


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("", r"new\.txt: there is no word in it"),
        ("one\ntwo words\n", r"new\.txt:2: 'two words' is several words; write a word a line"),
        ("one\ntwo\none\n", r"new\.txt:3: 'one' stands in line 1 already"),
        (None, r"words: .*new\.txt cannot be read"),
    ],
)
def test_lists_that_cannot_be_meant_are_refused(tmp_path, lines, said):
    if lines is not None:
        (tmp_path / "new.txt").write_text(lines)
    with pytest.raises(SettingsError, match=said):
        read_words(tmp_path, "new.txt")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["matches", "bank"], r"1 are entries of the vocabulary already \('bank'\); take them out"),
        (["matchx"], r"1 hold letters that the vocabulary cannot read \('matchx'\)"),
        (["x-ray", "a.b"], r"2 are taken apart by this tokenizer before it looks for entries \('x-ray', 'a\.b'\)"),
        (["matches", "Matches"], r"1 are one entry with a word before them \('Matches'\)"),
    ],
)
def test_words_that_cannot_be_new_entries_are_refused(tmp_path, words, said):
    tiny_model(tmp_path)
    tokenizer = with_endings(tmp_path)
    with pytest.raises(SettingsError, match=said):
        entries_of(tokenizer, Spelling(tokenizer), words)


def with_endings(folder):
    """The tokenizer of the tiny model, which knows `es` at the end of a word in place of `record`."""
    path = folder / "tokenizer.json"
    path.write_text(path.read_text().replace('"record"', '"##es"'))
    return Tokenizer.from_file(str(path))


def extended(tmp_path, texts, **settings):
    if not (tmp_path / "model").is_dir():
        tiny_model(tmp_path / "model")
        with_endings(tmp_path / "model")
    (tmp_path / "domain.txt").write_text("\n".join(texts) + "\n")
    said = []
    options = Options(tmp_path / f"out {len(list(tmp_path.iterdir()))}", tmp_path / "store", engine="inline", say=said.append)
    made = run_stage(str(tmp_path / "model"), "extend", settings, {"domain": str(tmp_path / "domain.txt")}, 0, options)
    return made.measured, Tokenizer.from_file(str(options.out / "tokenizer.json")), said


TEXTS = ["the matches of the scorees", "matches in a coaches league", "coaches and coaches"] * 3


@pytest.mark.measured(0)
def test_words_are_added_that_save_most_and_the_plan_names_them(tmp_path):
    made, tokenizer, said = extended(tmp_path, TEXTS, size=2, epochs=20, batch_tokens=64, lr=0.01)
    measured = made["metrics"]
    assert measured["words"] == ["coaches", "matches"]
    assert (measured["words_added"], measured["entries_after"] - measured["entries_before"]) == (2, 2)
    assert measured["corpus_tokens_before"] - measured["corpus_tokens_after"] == 15
    assert measured["snippets"] == 15
    assert measured["rows_moved"] > 0
    assert measured["apart_after"] < measured["apart_before"]
    assert tokenizer.encode("matches and coaches").tokens[1:-1] == ["matches", "and", "coaches"]
    told = next(line for line in said if "would save" in line)
    assert "new words: 2 words of domain would save 26.3 % of its tokens: coaches (2 pieces, 9 times), matches (2 pieces, 6 times)" in told


@pytest.mark.measured(0)
def test_given_words_are_added_and_those_without_a_snippet_keep_the_mean(tmp_path):
    made, tokenizer, said = extended(tmp_path, TEXTS, words=["goales", "coaches"])
    assert made["metrics"]["words"] == ["goales", "coaches"]
    assert tokenizer.encode("goales").tokens[1:-1] == ["goales"]
    assert made["notes"] == ["1 of 2 new entries do not occur in the corpus: their rows are the mean of their pieces"]
    assert not any("would save" in line for line in said)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"size": 3, "min_count": 4}, r"size: 3 words were asked for, and domain has 2 that occur 4 times .* choose at most 2, or a lower"),
        ({"min_count": 99}, r"domain has no words that occur 99 times and are written in several pieces"),
        ({"words": ["bank"]}, r"are entries of the vocabulary already"),
        ({"words": []}, r"`words` names none"),
        ({"size": 2, "snippet_tokens": 63}, r"max_length|positions"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused_when_it_is_planned(tmp_path, settings, said):
    with pytest.raises(AcclimateError, match=said):
        extended(tmp_path, TEXTS, **settings)
    assert not (tmp_path / "store").exists() or not list((tmp_path / "store").rglob("stage.json"))


def test_where_the_plan_sees_a_sample_alone_the_stage_refuses_before_anything_is_changed(tmp_path, monkeypatch):
    monkeypatch.setattr(Spread.__init__, "__defaults__", (40,))
    with pytest.raises(AcclimateError, match=r"size: 3 words were asked for, and domain has 2 that occur 5 times .* choose at most 2, or"):
        extended(tmp_path, TEXTS, size=3)
    assert [path.name for path in (tmp_path / "store" / "artifacts").iterdir() if (path / "metrics.json").is_file()]  # the base alone
    assert len(list((tmp_path / "store").rglob("model/config.json"))) == 1


def test_a_corpus_that_is_the_test_set_is_refused():
    texts = tuple(f"the matches of team {number}" for number in range(4))
    task = SimpleNamespace(test=SimpleNamespace(documents=lambda: list(texts)))
    read = reads(task, (*texts[:3], "coaches"))
    with pytest.raises(DataError, match=r"the corpus 'domain' holds the texts of test; what is judged must not choose the words"):
        Extend(words=("goales",)).check_texts(Sizes(), lambda: read)
    Extend(words=("goales",)).check_texts(Sizes(), lambda: reads(task, (*texts[:1], "coaches", "scorees")))


def reads(task, texts):
    """What a plan would give the stage to look at."""
    found = SimpleNamespace(sample=Sample(texts, len(texts), sum(map(len, texts)), True))
    return Reads({"domain": (found,)}, 2, task, FastPaths(), None, ())


def test_a_base_without_a_fast_tokenizer_is_refused(tmp_path):
    tiny_model(tmp_path / "model")
    (tmp_path / "model" / "tokenizer.json").rename(tmp_path / "model" / "vocab.txt")
    (tmp_path / "domain.txt").write_text("the matches\n")
    with pytest.raises(ModelError, match=r"no tokenizer\.json \(the fast tokenizer\); make one"):
        words_to_add(str(tmp_path / "model"), {}, {"path": str(tmp_path / "domain.txt")})


@pytest.mark.measured(0)
def test_the_plan_mines_its_sample_once(tmp_path, monkeypatch):
    counted = []
    monkeypatch.setattr(choice, "count_chunks", lambda texts: counted.append(1) or count_chunks(texts))
    extended(tmp_path, TEXTS, size=2, init="mean")
    assert len(counted) == 2  # the plan, and the stage itself
