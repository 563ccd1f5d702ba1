import pytest

from acclimate.tasks.labels import in_order, is_blank, label_hint, some_labels, why_no_label


@pytest.mark.parametrize(
    ("labels", "ordered"),
    [
        (map(str, range(12)), [str(number) for number in range(12)]),
        (["10", "9", "-1", "0"], ["-1", "0", "9", "10"]),
        (["10", "007", "9"], ["007", "9", "10"]),
        (["10.0", "2.5", "1.0"], ["1.0", "2.5", "10.0"]),
        (["7", "07", "+7"], ["+7", "07", "7"]),
        (["10", "9", "other"], ["10", "9", "other"]),
        (["true", "false"], ["false", "true"]),
        (["٣", "10", "9"], ["10", "9", "٣"]),  # figures of another script are words
        (["9" * 60, "1" * 60], ["1" * 60, "9" * 60]),
        (["b", "a", "b"], ["a", "b"]),
        ([], []),
    ],
)
def test_labels_that_are_all_numbers_are_in_the_order_of_numbers_and_others_of_words(labels, ordered):
    assert list(in_order(labels)) == ordered


def test_many_labels_are_named_in_order_and_counted():
    assert some_labels({str(number) for number in range(1200)}).startswith("{'0', '1', '2', '3', ")
    assert "(1,200 in all)" in some_labels({str(number) for number in range(1200)})


def test_a_hint_names_the_label_that_was_meant():
    assert label_hint("pos ", {"pos", "neg"}) == " — trailing space?"
    assert label_hint("POS", {"pos", "neg"}) == " — 'pos' meant?"
    assert label_hint("psos", {"pos", "neg"}) == " — 'pos' meant?"
    assert label_hint("x", {"pos", "neg"}) == ""


@pytest.mark.parametrize("blank", ["", " ", "\t\n", "\u00a0", "\u200b", "\ufeff", " \u200d "])
def test_a_label_of_which_nothing_can_be_seen_is_blank(blank):
    assert is_blank(blank)
    assert "empty" in why_no_label(blank) or "no label" in why_no_label(blank)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (2.5, "a number to be estimated is not supported"),
        (2.0, "write 2; pandas writes"),
        (["pos"], "several labels a text"),
        (float("nan"), "no label"),
        (None, "empty"),
    ],
)
def test_what_is_no_label_is_said_with_the_reason(value, said):
    assert said in why_no_label(value)
