"""A corpus whose records have two texts: read as documents, one after the other, and as two columns that never come apart."""

import json

import datasets
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from acclimate.data.corpus import Corpus, CorpusSettings
from acclimate.data.digests import text_hash
from acclimate.errors import DataError

PAIRS = [("a man sleeps", "he is awake"), ("it rains", "it pours"), ("a dog runs", "an animal moves")]


def opened(folder, path="pairs.jsonl", **more):
    return Corpus.open("transfer", CorpusSettings.model_validate({"path": path, "text_b": "hypothesis", **more}), folder)


def write(folder, rows, name="pairs.jsonl"):
    (folder / name).write_text("".join(json.dumps({"premise": one, "hypothesis": other}) + "\n" for one, other in rows))


def columns(corpus):
    return [*zip(*([*corpus.column(number).documents()] for number in (0, 1)), strict=True)]


def plain(text):
    return " ".join(text.lower().split())


TEXT = st.sampled_from(["a", "A ", "b", "x b", "_", "_c", " ", "", "leak", "held"])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=8), drop=st.booleans(), leave=st.booleans(), remove=st.booleans())
def test_a_pair_is_read_or_left_out_as_a_whole_whatever_leaves_it_out(tmp_path, rows, drop, leave, remove):
    left, expected, seen = dict.fromkeys(("rejected", "left_out", "repeated", "held_out", "leaked"), 0), [], set()
    for row in rows:
        kept = tuple(text.replace("_", "") for text in row) if remove else row
        if not all(text.strip() for text in row):
            left["rejected"] += 1
        elif (leave and any("x" in text for text in row)) or not all(text.strip() for text in kept):
            left["left_out"] += 1
        elif drop and tuple(map(plain, kept)) in seen:
            left["repeated"] += 1
        else:
            seen.add(tuple(map(plain, kept)))
            held = "held_out" if "held" in kept else "leaked" if "leak" in kept else None
            if held:
                left[held] += 1
            else:
                expected.append(kept)
    write(tmp_path, rows)
    also = {"leave_out": ["x"]} if leave else {}
    also |= {"remove": ["_"]} if remove else {}
    also |= {"duplicates": "drop"} if drop else {}
    made = CorpusSettings(path="pairs.jsonl", text_b="hypothesis", skip_bad=True, **also)
    corpus = Corpus.open("transfer", made, tmp_path, None, frozenset({text_hash("held")})).without(frozenset({text_hash("leak")}))
    if not expected:
        with pytest.raises(DataError, match="holds no usable document"):
            corpus.scan()
        return
    facts = corpus.scan()
    assert columns(corpus) == expected
    assert [*corpus.documents()] == [text for pair in expected for text in pair]
    assert (facts.pairs, facts.documents) == (len(expected), 2 * len(expected))
    found = {name: getattr(facts, name, getattr(corpus, name, None)) for name in left}
    assert found == left
    assert corpus.sample.documents == 2 * len(expected)


def test_pairs_are_the_same_in_every_format_and_no_corpus_of_single_texts(tmp_path):
    write(tmp_path, PAIRS)
    (tmp_path / "pairs.csv").write_text("label,premise,hypothesis\n" + "".join(f"0,{one},{other}\n" for one, other in PAIRS))
    datasets.Dataset.from_dict(dict(zip(("premise", "hypothesis"), zip(*PAIRS, strict=True), strict=True))).save_to_disk(tmp_path / "hf")
    read = [opened(tmp_path, path) for path in ("pairs.jsonl", "pairs.csv", "hf")]
    assert [columns(each) for each in read] == [PAIRS] * 3
    assert {each.detected["text"] for each in read} == {"premise"}
    (tmp_path / "single.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for pair in PAIRS for text in pair))
    single = Corpus.open("single", CorpusSettings(path="single.jsonl"), tmp_path)
    assert [*single.documents()] == [*read[0].documents()]
    prints = {each.fingerprint for each in read}
    assert len(prints) == 1
    assert single.fingerprint not in prints
    assert len({single.fingerprint, *(each.column(number).fingerprint for each in read for number in (0, 1))}) == 3
    swapped = opened(tmp_path, text="hypothesis", text_b="premise")
    assert swapped.fingerprint not in prints
    (tmp_path / "pairs.jsonl").write_text('{"one": "a", "two": "b", "three": "c"}\n')
    with pytest.raises(DataError, match=r"pairs.jsonl: which column is the text\? Name it with `text:`"):
        opened(tmp_path, text_b="three")


def test_a_second_text_that_is_not_there_is_named_by_its_line_and_its_column(tmp_path):
    write(tmp_path, [*PAIRS, ("no more", " ")])
    with pytest.raises(DataError, match=r"pairs\.jsonl:4: 'hypothesis' is empty"):
        opened(tmp_path).scan()
    with pytest.raises(DataError, match=r"no column 'hypotesis' — 'hypothesis' meant\?"):
        opened(tmp_path, text_b="hypotesis")
    with pytest.raises(DataError, match="the column 'hypothesis' cannot be both text and text_b"):
        opened(tmp_path, text="hypothesis")
    (tmp_path / "pairs.txt").write_text("one text\n")
    with pytest.raises(DataError, match=r"pairs\.txt: `text_b: hypothesis` names a second column, and a line of a txt file is one text"):
        opened(tmp_path, "pairs.txt")


def test_columns_of_a_corpus_that_changed_are_refused_when_they_have_been_read(tmp_path):
    write(tmp_path, PAIRS)
    planned = opened(tmp_path).fingerprint
    again = Corpus.open("transfer", CorpusSettings(path="pairs.jsonl", text_b="hypothesis"), tmp_path, planned)
    write(tmp_path, [*PAIRS[:-1], (PAIRS[-1][0], "a cat moves")])
    for number in (0, 1):  # whichever of the two texts is another one
        with pytest.raises(DataError, match="the corpus 'transfer' changed while the study ran"):
            [*again.column(number).documents()]
