import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.data.hidden_outputs import Outputs, fits


def made(counts, width, seed=0):
    """Random rows for each item."""
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(count, width)).astype(np.float32) for count in counts]


def parts_of(rows, order, size):
    for begin in range(0, len(order), size):
        items = np.array(order[begin : begin + size], dtype=np.int64)
        yield items, np.concatenate([rows[item] for item in items])


@given(counts=st.lists(st.integers(0, 5), min_size=1, max_size=12), size=st.integers(1, 4), seed=st.integers(0, 9))
def test_every_item_finds_its_own_rows_in_whatever_order_they_came(counts, size, seed, tmp_path_factory):
    rows = made(counts, 3, seed)
    order = np.random.default_rng(seed).permutation(len(counts)).tolist()
    folder = tmp_path_factory.mktemp("outputs") / "o"
    outputs = Outputs.build(folder, "key", np.array(counts), 3, "float32", parts_of(rows, order, size))
    wanted = np.random.default_rng(seed + 1).permutation(len(counts))
    assert np.array_equal(outputs.rows(wanted), np.concatenate([rows[item] for item in wanted]))


def never():
    raise AssertionError("computed although it is there")
    yield


def test_what_is_there_under_its_key_is_not_computed_again(tmp_path):
    counts, rows = np.array([2, 1]), made([2, 1], 4)
    Outputs.build(tmp_path / "o", "key", counts, 4, "float32", parts_of(rows, [0, 1], 1))
    again = Outputs.build(tmp_path / "o", "key", counts, 4, "float32", never())
    assert np.array_equal(again.rows(np.array([1])), rows[1])
    other = made([2, 1], 4, seed=5)
    anew = Outputs.build(tmp_path / "o", "another key", counts, 4, "float32", parts_of(other, [0, 1], 2))
    assert np.array_equal(anew.rows(np.array([0])), other[0])


def test_half_precision_takes_half_the_room(tmp_path):
    rows = made([4], 8)
    half = Outputs.build(tmp_path / "o", "key", np.array([4]), 8, "float16", parts_of(rows, [0], 1))
    assert (tmp_path / "o" / "values.bin").stat().st_size == 4 * 8 * 2
    assert half.rows(np.array([0])).dtype == np.float32
    assert np.abs(half.rows(np.array([0])) - rows[0]).max() < 2e-3


def test_an_interrupted_build_leaves_nothing_that_looks_complete(tmp_path):
    def broken():
        yield np.array([0]), made([2], 4)[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Outputs.build(tmp_path / "o", "key", np.array([2, 2]), 4, "float32", broken())
    assert [path.name for path in tmp_path.iterdir()] == ["o.lock"]


def test_a_damaged_file_is_computed_again(tmp_path):
    rows = made([3], 4)
    Outputs.build(tmp_path / "o", "key", np.array([3]), 4, "float32", parts_of(rows, [0], 1))
    (tmp_path / "o" / "values.bin").write_bytes(b"short")
    assert np.array_equal(
        Outputs.build(tmp_path / "o", "key", np.array([3]), 4, "float32", parts_of(rows, [0], 1)).rows(np.array([0])), rows[0]
    )


def test_what_would_fill_the_disk_does_not_fit_unless_it_is_there(tmp_path):
    assert fits(tmp_path / "o", 1000)
    assert not fits(tmp_path / "o", 10**18)
    Outputs.build(tmp_path / "o", "key", np.array([1]), 4, "float32", parts_of(made([1], 4), [0], 1))
    assert fits(tmp_path / "o", 10**18)
