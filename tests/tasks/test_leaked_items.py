"""An item of two texts stands in an item to learn from that holds both, as plainly as the less plain of them."""

from acclimate.data.leaks import Holder
from acclimate.tasks.leaked_items import whole_items


def test_the_plainest_item_that_holds_both_is_told_with_its_less_plain_text():
    every = {
        7: [Holder(0, "exact", 1.0), Holder(2, "near", 0.6), Holder(3, "near", 0.9), Holder(4, "exact", 1.0)],
        8: [Holder(3, "exact", 1.0), Holder(5, "contained", 0.8)],
    }
    found = whole_items([(7, 8), (8, 7), (7, 9), (7, 7)], every, 2)
    assert {number: (each.text, each.holder, sorted(each.plainest)) for number, each in found.items()} == {
        0: (0, Holder(3, "near", 0.9), [1, 2]),
        1: (1, Holder(3, "near", 0.9), [1, 2]),
        3: (0, Holder(0, "exact", 1.0), [0, 1, 2]),
    }
