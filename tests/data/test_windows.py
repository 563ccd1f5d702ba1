"""Windows cover documents without crossing them, and count what is lost."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.data.tokens import TokenStore
from acclimate.data.windows import first, sliding
from acclimate.errors import SettingsError

LENGTHS = st.lists(st.integers(0, 40), max_size=20)


def store_of(lengths: list[int]) -> TokenStore:
    offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64)
    return TokenStore(np.arange(offsets[-1], dtype=np.uint16), offsets)


@given(LENGTHS, st.integers(1, 50))
def test_sliding_windows_hold_every_token_once_in_order(lengths: list[int], room: int) -> None:
    store = store_of(lengths)
    windows = sliding(store, room)
    seen = [store.tokens[start : start + length].tolist() for start, length in zip(windows.start, windows.length, strict=True)]
    assert [token for window in seen for token in window] == store.tokens.tolist()
    assert windows.tokens == store.total
    assert all(0 < len(window) <= room for window in seen)
    assert len(windows) == sum(-(-length // room) for length in lengths)
    assert windows.dropped_tokens == 0
    assert windows.cut_tokens == sum(max(0, length - room) for length in lengths)


@given(LENGTHS, st.integers(1, 50))
def test_no_sliding_window_crosses_documents(lengths: list[int], room: int) -> None:
    store = store_of(lengths)
    document = np.repeat(np.arange(len(lengths)), lengths)
    windows = sliding(store, room)
    for start, length in zip(windows.start, windows.length, strict=True):
        assert len(set(document[start : start + length])) == 1


@given(LENGTHS, st.integers(1, 50))
def test_first_window_i_is_the_beginning_of_document_i(lengths: list[int], room: int) -> None:
    store = store_of(lengths)
    windows = first(store, room)
    assert len(windows) == store.documents
    for i, (start, length) in enumerate(zip(windows.start, windows.length, strict=True)):
        assert store.tokens[start : start + length].tolist() == store[i][:room].tolist()
    assert windows.cut_tokens == windows.dropped_tokens == store.total - windows.tokens


@pytest.mark.parametrize("cut", [sliding, first])
def test_types_are_those_of_the_contract(cut: type) -> None:
    windows = cut(store_of([3, 5]), 2)
    assert windows.start.dtype == np.int64
    assert windows.length.dtype == np.int32


@pytest.mark.parametrize("cut", [sliding, first])
@pytest.mark.parametrize("room", [0, -1])
def test_no_room_for_text_is_an_error(cut: type, room: int) -> None:
    with pytest.raises(SettingsError, match="max_length"):
        cut(store_of([3]), room)
