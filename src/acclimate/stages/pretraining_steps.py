"""How many steps a pretraining's budget buys, and in which order they read: what is planned and what is done count alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from acclimate.data.batches import RampedOrder, TokenOrder
from acclimate.data.in_turn import InTurn, Part, Replayed, Stepwise
from acclimate.data.ragged import IntArray
from acclimate.randomness import seed_of

if TYPE_CHECKING:
    from acclimate.stages.pretrain import Pretrain

RAMP_PARTS = 8  # of a batch, with which growing batches begin


@dataclass(frozen=True)
class Steps:
    """What a training reads, step by step."""

    order: Stepwise
    steps: int
    tokens: int  # of all steps
    epoch: int  # tokens of an epoch, replayed ones among them
    last_begins: int  # the step from which on the last of several corpora is read; 0 where all are read together

    @classmethod
    def of(cls, stage: "Pretrain", lengths: Mapping[str, IntArray], longest: int, seed: int) -> "Steps":
        """In which order windows are read, and how many steps of it the budget buys.

        `lengths` are those of the windows [N] of each corpus, special tokens included; what is replayed comes last.
        """
        own = [lengths[name] for name in lengths if name not in stage.replays()]
        own = own if stage.in_turn else [np.concatenate(own)]
        whole = max(stage.batch_tokens, longest)
        parts = min(RAMP_PARTS, whole // max(int(each.max(initial=1)) for each in lengths.values())) if stage.batch_ramp else 1
        cell = own_tokens(stage, whole // parts, longest)
        total = round(sum(int(each.sum()) for each in own) / (1 - stage.replay))
        read, first = [], 0
        for number, each in enumerate(own):
            alone = TokenOrder(each, cell, seed_of(seed, "in turn", number) if stage.in_turn else seed)
            read.append(Part(alone, first, int(each.sum()), stage.steps(total, alone.batches_per_epoch)))
            first += len(each)
        turns = InTurn(read)
        taken, tokens = turns.steps, round(turns.tokens_before(turns.steps) / (1 - stage.replay))
        order: Stepwise = turns if stage.in_turn else read[0].order
        for name in stage.replays():
            order = Replayed(turns, lengths[name], first, stage.replay, seed_of(seed, "replay"))
        if parts == 1:
            return cls(order, taken, tokens, total, turns.last_begins)
        steps = RampedOrder.steps(taken, parts, stage.batch_ramp)
        grown = RampedOrder(order, parts, round(stage.batch_ramp * steps))
        begins = next(step for step in range(steps + 1) if step == steps or grown.parts_until(step) >= turns.last_begins)
        return cls(grown, steps, tokens, total, begins)


def own_tokens(stage: "Pretrain", tokens: int, longest: int) -> int:
    """Of a batch of so many tokens those that are not replayed: a window at least."""
    return max(min(tokens, longest), round(tokens * (1 - stage.replay)))


def planned_tokens(stage: "Pretrain", epochs: Sequence[float], longest_window: int) -> tuple[float, float]:
    """(tokens of all steps, of those that a fresh head would learn alone), where an epoch has so many of each corpus, without replay."""
    epochs = epochs if stage.in_turn else [sum(epochs)]
    whole = max(stage.batch_tokens, longest_window)
    parts = min(RAMP_PARTS, whole // longest_window) if stage.batch_ramp else 1
    cell, total = own_tokens(stage, whole // parts, longest_window), sum(epochs) / (1 - stage.replay)
    batches = [max(1, int(epoch // cell)) for epoch in epochs]
    each = [stage.steps(max(1, round(total)), count) for count in batches]
    # Of a step on average, of whichever corpus: what is read in all, divided evenly.
    mean = sum(epoch * steps / count for epoch, steps, count in zip(epochs, each, batches, strict=True)) / sum(each) / (1 - stage.replay)
    steps, ramp = sum(each), 0
    if parts > 1:
        steps = RampedOrder.steps(steps, parts, stage.batch_ramp)
        ramp = round(stage.batch_ramp * steps)
    sizes = RampedOrder.sizes(parts, ramp)
    alone = max(1, round(steps * stage.head_warmup))
    taken, first = (int(sizes[:step].sum()) + parts * max(0, step - ramp) for step in (steps, alone))
    return taken * mean, first * mean
