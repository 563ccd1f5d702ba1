"""Schemes of tags: which one a file has, and the same entities in IOB2."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.tasks.schemes import SCHEMES, detect, to_iob2


def detected(*sentences):
    return detect(sentence.split() for sentence in sentences)


def iob2(tags, scheme):
    made, faults = to_iob2(tags.split(), scheme)
    return " ".join(made), [(fault.word, fault.why) for fault in faults]


@pytest.mark.parametrize(
    ("tags", "scheme"),
    [
        ("I-A I-A O I-B B-B I-B", "IOB1"),
        ("B-A I-A O B-B B-B I-B", "IOB2"),
        ("B-A I-A E-A O S-B", "BIOES"),
        ("S-B O O", "BIOES"),
        ("B-A I-A L-A O U-B", "BILOU"),
        ("B-A M-A E-A O S-B", "BMES"),
        ("A A O B B", "IO"),
        ("DET NOUN VERB", "plain"),
        ("B_A I_A O", "IOB2"),
        ("A-B A-I O", "IOB2"),
        ("B I O", "IOB2"),
        ("O O O", "IOB2"),
        ("$ `` -LRB- B-x NOUN VERB", "plain"),
    ],
)
def test_each_scheme_is_known_by_its_letters(tags, scheme):
    assert detected(tags).scheme == scheme


def test_it_is_the_whole_that_decides_and_not_the_first_sentences():
    assert detected(*["B-A I-A O"] * 50, "O I-A").scheme == "IOB2"
    assert detected(*["I-A B-A O"] * 300, "O B-A").scheme == "IOB1"
    assert "1 of 301 entities begin with B-" in detected(*["I-A B-A O"] * 300, "O B-A").told


def test_a_mixture_is_not_guessed():
    found = detected("B-A O", "O I-B")
    assert found.scheme is None
    assert found.at == 1
    assert "`scheme: IOB1`" in found.why
    assert detected("B-A L-A S-A O").scheme is None
    assert "'O' (the letter)" in detected("A 0 0 0").why
    found = detected("O O", "b-A i-A O")
    assert found.scheme is None
    assert found.at == 1
    assert "'b-A': write 'B-A'; where it is a type, say `scheme: IO`" in found.why


def test_a_slip_among_many_is_no_scheme_of_its_own():
    assert detected(*["B-A I-A O"] * 20, "S-A").scheme == "IOB2"
    assert detected(*["B-A I-A O"] * 20, "B-A L-A").scheme == "IOB2"
    assert detected(*["B-A I-A I-A E-A O"] * 20, "B-A").scheme == "BIOES"


BOTH = "B-A I-A I-A O B-B B-B I-B B-A O"


@pytest.mark.parametrize(
    ("tags", "scheme"),
    [
        (BOTH, "IOB2"),
        ("I-A I-A I-A O I-B B-B I-B I-A O", "IOB1"),
        ("B-A I-A E-A O S-B B-B E-B S-A O", "BIOES"),
        ("B-A I-A L-A O U-B B-B L-B U-A O", "BILOU"),
        ("B-A M-A E-A O S-B B-B E-B S-A O", "BMES"),
    ],
)
def test_the_same_entities_are_the_same_in_iob2(tags, scheme):
    assert iob2(tags, scheme) == (BOTH, [])


def test_letters_may_stand_behind_the_type_or_alone():
    assert iob2("LOC-B LOC_E O PER-S", "BIOES") == ("B-LOC I-LOC O B-PER", [])
    assert iob2("B I O I", "IOB1") == ("B-entity I-entity O B-entity", [])


def test_neighbours_of_one_type_are_one_entity_where_there_are_no_letters():
    assert iob2("A A B O B", "IO") == ("B-A I-A B-B O B-B", [])
    assert iob2("DET NOUN NOUN", "plain") == ("DET NOUN NOUN", [])


def test_what_the_scheme_does_not_allow_is_told_and_read_as_it_is_meant():
    assert iob2("I-A I-A O I-B", "IOB2") == (
        "B-A I-A O B-B",
        [
            (0, "'I-A' stands at the start, where IOB2 begins an entity with B-"),
            (3, "'I-B' stands after 'O', where IOB2 begins an entity with B-"),
        ],
    )
    assert iob2("B-A I-B", "IOB2")[1] == [(1, "'I-B' stands after 'B-A', where IOB2 begins an entity with B-")]
    assert iob2("B-A O B-A", "BIOES") == (
        "B-A O B-A",
        [(0, "'B-A' has no end in BIOES: 'O' follows"), (2, "'B-A' has no end in BIOES: the sentence ends")],
    )
    assert iob2("S-A I-A E-A", "BIOES")[0] == "B-A B-A I-A"
    assert iob2("O o", "IOB2")[1] == [(1, "'o' is no tag of IOB2 — 'O' (the letter) meant?")]
    assert iob2("O b-A", "IOB2")[1] == [(1, "'b-A' is no tag of IOB2 — 'B-A' meant?")]
    assert iob2("X O", "plain")[1][0][1].startswith("'O' says that a word belongs to no entity, and plain tags have none")
    assert iob2("O E-A", "IOB2")[1] == [(1, "'E-A' is no tag of IOB2; its tags are O and B-TYPE, I-TYPE")]


@given(st.lists(st.sampled_from(["O", "B-A", "I-A", "B-B", "I-B", "E-A", "S-B", "A"]), min_size=1, max_size=12), st.sampled_from(SCHEMES))
def test_what_comes_out_is_iob2_whatever_goes_in(tags, scheme):
    made, _ = to_iob2(tags, scheme)
    assert len(made) == len(tags)
    if scheme != "plain":
        assert to_iob2(made, "IOB2") == (made, [])
