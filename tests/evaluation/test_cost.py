import mmap
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.evaluation.cost import Cost, PeakMemory, shared_costs, total, training_flops


@given(st.dictionaries(st.text(max_size=3), st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=4, unique=True), max_size=6))
def test_both_ways_of_sharing_add_up_to_what_the_study_took(runs):
    seconds = {key: 2.0**i for i, key in enumerate("abcdefg")}
    shares = shared_costs({run: [(key, Cost(seconds=seconds[key])) for key in keys] for run, keys in runs.items()})
    took = sum(seconds[key] for key in {key for keys in runs.values() for key in keys})
    assert sum(once for once, _ in shares.values()) == pytest.approx(took)
    assert sum(pro_rata for _, pro_rata in shares.values()) == pytest.approx(took)


def test_a_chain_adds_time_keeps_the_highest_peak_and_hands_over_the_last_model():
    chain = [Cost(seconds=2, tokens=10, flops=3, peak_memory_bytes=50, parameters=7), Cost(seconds=1, tokens=5, flops=1, parameters=9)]
    assert total(chain) == Cost(seconds=3, tokens=15, flops=4, peak_memory_bytes=50, parameters=9)


def test_cost_survives_json():
    cost = Cost(seconds=1.5, tokens=3, inference_texts_per_second=2.0)
    assert Cost.from_json(cost.to_json()) == cost


def test_training_takes_six_operations_a_parameter_and_token_and_frozen_parts_two():
    facts = {"parameters": 1000, "tokens": 10, "width": 0, "length": 0}
    assert training_flops(**facts) == 6 * 1000 * 10
    assert training_flops(**facts, trained_share=0.0) == 2 * 1000 * 10
    assert training_flops(**facts, head_parameters=500, head_share=0.2) == 6 * (1000 + 100) * 10
    assert training_flops(**facts, trained_share=0.25, frozen_tokens=4) == 6 * 250 * 10 + 2 * 750 * 4


def test_peak_memory_sees_what_was_allocated_and_freed():
    with PeakMemory() as before:
        time.sleep(0.1)
    with PeakMemory() as memory:
        # Pages of its own: an array could lie in memory that the allocator kept from an earlier test, and the process would not grow.
        block = mmap.mmap(-1, 240_000_000)
        np.frombuffer(block, np.uint8)[:] = 1
        time.sleep(0.2)
        block.close()
    assert memory.bytes > before.bytes + 200e6


def test_a_block_that_leaves_the_gpu_alone_reports_the_memory_of_its_process(monkeypatch):
    cuda = SimpleNamespace(is_available=lambda: True, reset_peak_memory_stats=lambda: None, max_memory_allocated=lambda: peak)
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    peak = 0
    with PeakMemory() as memory:
        pass
    assert memory.bytes > 10e6
    peak = 123
    with PeakMemory() as memory:
        pass
    assert memory.bytes == 123
