import torch
from hypothesis import given
from hypothesis import strategies as st

from acclimate.modeling.rectangles import WASTE, rectangles


@given(st.lists(st.integers(1, 200), min_size=1, max_size=60))
def test_each_token_has_one_cell_and_little_is_padding(lengths):
    plan = rectangles(tuple(lengths))
    assert sum(part.count for part in plan.parts) == len(lengths)
    assert len(plan.cells) == sum(part.count * part.length for part in plan.parts)
    assert torch.equal(plan.cells[plan.places], torch.arange(sum(lengths)))
    starts = [sum(lengths[:number]) for number in range(len(lengths))]
    for part, cells in zip(plan.parts, plan.cells.split([part.count * part.length for part in plan.parts]), strict=True):
        for row, tokens in enumerate(cells.view(part.count, part.length).tolist()):
            length = lengths[starts.index(tokens[0])]
            assert tokens == [tokens[0] + min(place, length - 1) for place in range(part.length)]
            assert part.length**2 - length**2 <= WASTE
            kept = [True] * part.length if part.real is None else part.real[row].tolist()
            assert kept == [place < length for place in range(part.length)]


def test_many_sentences_become_few_rectangles():
    assert len(rectangles(tuple(range(5, 60))).parts) <= 3
    assert len(rectangles((512, 500, 400, 300)).parts) == 4
