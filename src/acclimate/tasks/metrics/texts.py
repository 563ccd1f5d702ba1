"""Scores of masked language models on held-out text: what a byte of it costs, what a token costs, and how many are found.

Each is a ratio of sums over documents. The answers that they read are what every document came to (`tasks.perplexity.scored`).
"""

import math

import numpy as np

from acclimate.tasks.metrics.metric import Metric, Numbers, of_sums
from acclimate.tasks.split import Answers, Split

UNREAD_BITS = 8.0  # per byte that a vocabulary cannot read: what it costs to write it as it is, known to nobody
NATS = math.log(2)  # in a bit


def ratio(sums: Numbers) -> float:
    """The first of two sums by the second; 0 where there is nothing."""
    return float(sums[0] / sums[1]) if sums[1] else 0.0


def columns_of(*names: str, answers: Answers) -> Numbers:
    """[N, len(names)] of these columns."""
    return np.stack([np.asarray(answers[name], dtype=np.float64) for name in names], axis=1)


def bits_and_bytes(split: Split, answers: Answers) -> Numbers:
    """[N, 2] of each document."""
    return columns_of("bits", "bytes", answers=answers)


def nats_and_tokens(split: Split, answers: Answers) -> Numbers:
    """[N, 2] of the tokens that were asked for."""
    bits, unread, tokens = columns_of("bits", "unread", "tokens", answers=answers).T
    return np.stack([(bits - UNREAD_BITS * unread) * NATS, tokens], axis=1)


def right_and_tokens(split: Split, answers: Answers) -> Numbers:
    """[N, 2] of the tokens that were asked for."""
    return columns_of("right", "tokens", answers=answers)


METRICS: tuple[Metric, ...] = (
    # A hundredth of the span, 0.005 bits a byte, is one and a half per cent of the perplexity of a token of 4.5 bytes: less changes
    # nobody's choice. And no variance is taken to be below that of one document more that costs half a bit a byte more.
    of_sums("bits_per_byte", "bits per byte", bits_and_bytes, ratio, better="lower", span=0.5, reads=("bits", "bytes")),
    of_sums("loss", "nats per masked token", nats_and_tokens, ratio, better="lower", span=1.5, reads=("bits", "unread", "tokens")),
    of_sums("accuracy", "share of masked tokens found", right_and_tokens, ratio, reads=("right", "tokens")),
)
"""Bits per byte first. `loss` and `accuracy` are by the token, so they set models of one vocabulary beside each other, and no others."""
