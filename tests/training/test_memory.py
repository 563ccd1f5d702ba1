import torch

from acclimate.training.memory import FEWEST, MOST, bytes_per_token, free_bytes, micro_tokens

BERT = {"hidden_size": 768, "num_hidden_layers": 12, "intermediate_size": 3072, "vocab_size": 30522}


def test_less_memory_means_shorter_passes_down_to_a_floor():
    sizes = [micro_tokens(BERT, free, "cpu", 440_000_000) for free in (0, 4 * 2**30, 8 * 2**30, 2**40)]
    assert sizes == sorted(sizes)
    assert (sizes[0], sizes[-1]) == (FEWEST, MOST["cpu"])
    assert len(set(sizes)) > 2
    assert micro_tokens(BERT, 2**40, "cuda", 0) == MOST["cuda"]


def test_logits_and_layers_cost_memory():
    assert bytes_per_token(BERT, 0.15) > bytes_per_token(BERT) > bytes_per_token({**BERT, "num_hidden_layers": 6})


def test_free_memory_is_less_than_a_machine_has():
    assert 0 < free_bytes(torch.device("cpu")) < 2**45
