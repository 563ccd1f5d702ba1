"""Flat batches lose nothing when they are cut, and the order is a pure function of (seed, step)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.data.batches import Batch, CountOrder, Order, RampedOrder, TokenOrder, assemble, evaluation_batches
from acclimate.data.tokens import TokenStore
from acclimate.data.windows import first, sliding
from acclimate.errors import DataError, SettingsError
from acclimate.randomness import generator

LENGTHS = st.lists(st.integers(1, 12), min_size=1, max_size=30)
SEEDS = st.integers(0, 2**31)


def store_of(lengths: list[int]) -> TokenStore:
    offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64)
    return TokenStore(np.arange(100, 100 + offsets[-1], dtype=np.uint16), offsets)


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    """A batch whose tokens are all different, with targets of every kind."""
    lengths = np.array(draw(st.lists(st.integers(0, 9), max_size=12)), dtype=np.int64)
    total = int(lengths.sum())
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    chosen = np.array(sorted(draw(st.sets(st.integers(0, total - 1)))) if total else [], dtype=np.int64)
    return Batch(
        input_ids=np.arange(1000, 1000 + total, dtype=np.int64),
        position_ids=np.concatenate([np.arange(n) for n in lengths] or [np.zeros(0)]).astype(np.int64),
        offsets=offsets,
        token_type_ids=draw(st.sampled_from([None, np.arange(total) % 2])),
        targets={
            "labels": np.arange(len(lengths)) * 7,
            "target_index": chosen,
            "target_ids": chosen + 5000,  # tells which token it was, wherever that token went
            "target_logits": np.stack([chosen, chosen], axis=1) * 0.5,
        },
    )


def sequences_of(batch: Batch) -> list[tuple[object, ...]]:
    """Each sequence with everything that belongs to it, independent of where it stands."""
    found: list[tuple[object, ...]] = []
    for i, (begin, end) in enumerate(zip(batch.offsets[:-1], batch.offsets[1:], strict=True)):
        index = batch.targets["target_index"]
        inside = (index >= begin) & (index < end)
        found.append(
            (
                batch.input_ids[begin:end].tolist(),
                batch.position_ids[begin:end].tolist(),
                None if batch.token_type_ids is None else batch.token_type_ids[begin:end].tolist(),
                batch.targets["labels"][i],
                (index[inside] - begin).tolist(),
                batch.targets["target_ids"][inside].tolist(),
                batch.targets["target_logits"][inside].tolist(),
            )
        )
    return found


@given(batches(), st.data())
def test_select_keeps_tokens_and_targets_in_any_order(batch: Batch, data: st.DataObject) -> None:
    chosen = data.draw(st.permutations(range(batch.sequences)))[: data.draw(st.integers(0, batch.sequences))]
    selected = batch.select(np.array(chosen, dtype=np.int64))
    before = sequences_of(batch)
    assert sequences_of(selected) == [before[i] for i in chosen]
    index = selected.targets["target_index"]
    assert (np.diff(index) > 0).all()
    # The target still points at the token that it was drawn from.
    assert (selected.input_ids[index] - 1000 + 5000 == selected.targets["target_ids"]).all()


@given(batches(), st.integers(1, 30))
def test_micro_batches_together_are_the_batch(batch: Batch, max_tokens: int) -> None:
    parts = batch.micro(max_tokens)
    assert [sequence for part in parts for sequence in sequences_of(part)] == sequences_of(batch)
    assert all(part.sequences > 0 for part in parts)
    assert all(part.tokens <= max_tokens or part.sequences == 1 for part in parts)


@given(batches(), st.integers(1, 5))
def test_shards_together_are_the_batch(batch: Batch, world: int) -> None:
    parts = [sequences_of(batch.shard(rank, world)) for rank in range(world)]
    before = sequences_of(batch)
    assert [before[rank::world] for rank in range(world)] == parts


def test_micro_batches_are_filled_as_far_as_they_go() -> None:
    batch = assemble(store_of([3, 3, 4, 20, 1]), first(store_of([3, 3, 4, 20, 1]), 50), np.arange(5), (), ())
    assert [part.lengths.tolist() for part in batch.micro(10)] == [[3, 3, 4], [20], [1]]


@given(LENGTHS, st.integers(1, 15), st.integers(0, 2), st.integers(0, 2), st.data())
def test_assembled_sequences_are_windows_between_special_tokens(
    lengths: list[int], room: int, before: int, after: int, data: st.DataObject
) -> None:
    store, prefix, suffix = store_of(lengths), tuple(range(1, before + 1)), tuple(range(11, after + 11))
    windows = sliding(store, room)
    indices = np.array(data.draw(st.permutations(range(len(windows)))), dtype=np.int64)
    batch = assemble(store, windows, indices, prefix, suffix, {"labels": indices * 2})
    expected = [[*prefix, *store.tokens[windows.start[i] :][: windows.length[i]].tolist(), *suffix] for i in indices]
    assert [part.tolist() for part in np.split(batch.input_ids, batch.offsets[1:-1])] == expected
    assert [part.tolist() for part in np.split(batch.position_ids, batch.offsets[1:-1])] == [list(range(len(ids))) for ids in expected]
    assert batch.targets["labels"].tolist() == (indices * 2).tolist()
    assert {batch.input_ids.dtype, batch.position_ids.dtype, batch.offsets.dtype} == {np.dtype(np.int64)}


def test_an_empty_document_becomes_its_special_tokens() -> None:
    store = store_of([2, 0, 1])
    batch = assemble(store, first(store, 8), np.arange(3), (1,), (2,))
    assert np.split(batch.input_ids, batch.offsets[1:-1])[1].tolist() == [1, 2]


@given(LENGTHS, st.integers(12, 60), SEEDS)
def test_token_order_gives_each_sequence_once_an_epoch(lengths: list[int], batch_tokens: int, seed: int) -> None:
    check_epochs(TokenOrder(np.array(lengths), batch_tokens, seed), len(lengths))


@given(st.integers(1, 60), st.integers(1, 20), SEEDS)
def test_count_order_gives_each_sequence_once_an_epoch(n: int, batch_size: int, seed: int) -> None:
    order = CountOrder(n, batch_size, seed)
    check_epochs(order, n)
    assert [len(order.batch(step)) for step in range(order.batches_per_epoch - 1)] == [batch_size] * (order.batches_per_epoch - 1)


def check_epochs(order: Order, n: int) -> None:
    for epoch in range(2):
        steps = range(epoch * order.batches_per_epoch, (epoch + 1) * order.batches_per_epoch)
        seen = [order.batch(step) for step in steps]
        assert all(len(batch) > 0 for batch in seen)
        assert sorted(np.concatenate(seen).tolist()) == list(range(n))


@given(LENGTHS, st.integers(12, 60), SEEDS)
def test_token_order_fills_batches_to_within_a_sequence(lengths: list[int], batch_tokens: int, seed: int) -> None:
    order = TokenOrder(np.array(lengths), batch_tokens, seed)
    total = sum(lengths)
    assert order.batches_per_epoch == max(1, total // batch_tokens)
    for step in range(order.batches_per_epoch):
        tokens = sum(lengths[i] for i in order.batch(step))
        assert abs(tokens - total / order.batches_per_epoch) < max(lengths)


@given(LENGTHS, SEEDS, st.data())
def test_a_batch_depends_on_seed_and_step_alone(lengths: list[int], seed: int, data: st.DataObject) -> None:
    def fresh(kind: str) -> Order:
        return TokenOrder(np.array(lengths), 12, seed) if kind == "tokens" else CountOrder(len(lengths), 3, seed)

    kind = data.draw(st.sampled_from(["tokens", "count"]))
    used = fresh(kind)
    # Steps of several epochs in any order, with repeats, on one object: each as on a new one.
    for step in data.draw(st.lists(st.integers(0, 5 * used.batches_per_epoch), max_size=10)):
        assert used.batch(step).tolist() == fresh(kind).batch(step).tolist()


def test_epochs_and_seeds_are_shuffled_differently() -> None:
    order = CountOrder(1000, 1000, 3)
    assert order.batch(0).tolist() != order.batch(1).tolist()
    assert order.batch(0).tolist() != CountOrder(1000, 1000, 4).batch(0).tolist()


def test_a_caller_cannot_change_the_order() -> None:
    batch = CountOrder(10, 4, 0).batch(0)
    with pytest.raises(ValueError, match="read-only"):
        batch[0] = 1


def test_resume_at_step_100000_costs_one_permutation(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    monkeypatch.setattr("acclimate.data.batches.generator", lambda *key: drawn.append(key) or generator(*key))
    lengths = np.full(20_000, 10)
    for order in (TokenOrder(lengths, 20, 0), CountOrder(len(lengths), 2, 0)):
        drawn.clear()
        for step in range(100_000, 101_001):  # epoch 10 throughout
            order.batch(step)
        assert drawn == [(0, "order", 10)]


def test_two_epochs_at_most_are_kept() -> None:
    order = CountOrder(10, 5, 0)
    for step in range(20):
        order.batch(step)
    assert [known for known, _, _ in order._recent] == [9, 8]


def test_cells_do_not_overflow_for_huge_corpora() -> None:
    # 2**61.5 tokens in all: boundaries computed as k * total // K would wrap.
    lengths = np.full(3000, 2**50)
    order = TokenOrder(lengths, 2**50, 0)
    assert order.batches_per_epoch == 3000
    assert [len(order.batch(step)) for step in range(3000)] == [1] * 3000


def test_a_sequence_longer_than_the_batch_is_an_error_that_says_what_to_set() -> None:
    with pytest.raises(SettingsError, match=r"batch_tokens: 100 .*130 tokens .* max_length to 100"):
        TokenOrder(np.array([5, 130]), 100, 0)


@pytest.mark.parametrize("make", [lambda: TokenOrder(np.zeros(0, dtype=np.int64), 10, 0), lambda: CountOrder(0, 10, 0)])
def test_no_text_at_all_is_an_error(make: type) -> None:
    with pytest.raises(DataError, match="no text to train on"):
        make()


@given(st.lists(st.integers(0, 20), max_size=40), st.integers(1, 50))
def test_evaluation_batches_cover_every_index_once_by_length(lengths: list[int], max_tokens: int) -> None:
    found = evaluation_batches(np.array(lengths, dtype=np.int32), max_tokens)
    flat = np.concatenate(found).tolist() if found else []
    assert sorted(flat) == list(range(len(lengths)))
    assert [lengths[i] for i in flat] == sorted(lengths, reverse=True)
    assert all(sum(lengths[i] for i in batch) <= max_tokens or len(batch) == 1 for batch in found)


def test_targets_that_do_not_fit_are_our_own_bug() -> None:
    store = store_of([2, 3])
    with pytest.raises(AssertionError, match="labels"):
        assemble(store, first(store, 8), np.arange(2), (), (), {"labels": np.arange(3)})


@given(st.integers(1, 12), st.integers(0, 30), st.integers(0, 40))
def test_growing_batches_take_the_same_sequences_in_the_same_order_as_their_parts(parts, ramp, step):
    order = TokenOrder(np.full(50, 4), 16, seed=3)
    ramped = RampedOrder(order, parts, ramp)
    begin, end = ramped.parts_until(step), ramped.parts_until(step + 1)
    assert 1 <= end - begin <= parts
    assert step < ramp or end - begin == parts
    assert ramped.parts_until(step + 2) - end >= end - begin
    assert np.array_equal(ramped.batch(step), np.concatenate([order.batch(part) for part in range(begin, end)]))


@given(st.integers(50, 5000), st.integers(1, 8), st.floats(0, 0.9))
def test_a_budget_is_kept_when_batches_grow(budget, parts, share):
    steps = RampedOrder.steps(budget, parts, share)
    taken = RampedOrder(TokenOrder(np.full(5, 4), 16, seed=0), parts, round(share * steps)).parts_until(steps)
    assert abs(taken - budget) <= parts + 0.02 * budget
