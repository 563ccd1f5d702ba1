import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.inert import inert, one_line
from acclimate.report.pages.markdown import bullets
from acclimate.report.words.text import (
    amount,
    duration,
    interval,
    label_count,
    listing,
    percent,
    recipe_names,
    score,
    signed,
    size,
    with_labels,
)

AMOUNTS = {0: "0", 0.4: "0.4", 950: "950", 999.96: "1 k", 1000: "1 k", 12_345: "12.3 k", 999_949: "999.9 k", 999_951: "1 M"}
MORE_AMOUNTS = {None: "–", 22_713_216: "22.7 M", 3.2e13: "32 T", 1e27: "1000000 Z"}
DURATIONS = {None: "–", 0.44: "0.4 s", 9.96: "10 s", 59.7: "1 min 00 s", 200: "3 min 20 s", 3599.6: "1 h 00 min", 7500: "2 h 05 min"}


@pytest.mark.parametrize(("value", "written"), (AMOUNTS | MORE_AMOUNTS).items())
def test_amounts_are_written_with_their_thousands(value: float | None, written: str) -> None:
    assert amount(value) == written


@pytest.mark.parametrize(("seconds", "written"), DURATIONS.items())
def test_durations_never_show_sixty_of_anything(seconds: float | None, written: str) -> None:
    assert duration(seconds) == written


def test_a_difference_has_its_sign_unless_it_is_written_as_zero() -> None:
    assert [signed(value) for value in (0.0341, -0.0341, 0.0004, -0.0004, None)] == ["+0.034", "−0.034", "0.000", "0.000", "–"]
    assert interval(-0.01, 0.02) == "−0.010 to +0.020"
    assert interval(None, 0.02) == "–"


def test_small_shares_and_sizes_keep_their_meaning() -> None:
    assert [percent(share) for share in (0, 0.0001, 0.0125, 1)] == ["0.0 %", "< 0.1 %", "1.2 %", "100.0 %"]
    assert [size(value) for value in (None, 12, 90_900_000)] == ["–", "12 B", "90.9 MB"]
    assert listing(list("abcdef")) == "a, b, c and 3 more"
    assert listing(["a", "b"]) == "a and b"


def test_budgets_of_labels_are_written_like_other_counts() -> None:
    assert [label_count(labels) for labels in ("1", "500", "10000", "all")] == ["1", "500", "10,000", "all"]
    assert [with_labels("1"), with_labels("67349")] == ["with 1 label", "with 67,349 labels"]
    assert with_labels("100", "1000", "all") == "with 100, 1,000 and all labels"


@given(st.floats(0, 1))
def test_a_score_reads_back_as_itself_to_three_decimals(value: float) -> None:
    assert abs(float(score(value)) - value) <= 0.0005 + 1e-12


@given(st.text(st.characters()))
def test_inert_text_has_no_control_characters_and_can_be_written(text: str) -> None:
    written = inert(text)
    written.encode("utf-8")
    assert not set(written) & {
        *map(chr, (*range(0x09), 0x0B, 0x0C, *range(0x0D, 0x20), 0x7F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)))
    }
    assert "\n" not in one_line(text)


@given(st.text(st.characters(categories=["L", "N", "P", "Zs", "Mn"])))
def test_ordinary_text_of_any_script_is_left_alone(text: str) -> None:
    assert inert(text) == text


def test_a_line_of_a_list_begins_no_list_of_its_own_and_a_number_stays_a_number() -> None:
    assert bullets(["1.3 % of it", "1. x", "12) y", "# h", "- z", "> q"]) == "- 1.3 % of it\n- 1\\. x\n- 12\\) y\n- \\# h\n- \\- z\n- \\> q"


def test_names_of_recipes_are_told_apart_even_where_a_name_has_a_comma():
    assert recipe_names(["DAPT", "TAPT"]) == "DAPT, TAPT"
    assert recipe_names(["inference", "inference, words"]) == "inference; inference, words"
