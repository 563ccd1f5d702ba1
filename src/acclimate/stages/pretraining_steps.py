"""How many steps a pretraining's budget buys, and in which order they read: what is planned and what is done count alike."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from acclimate.data.batches import RampedOrder, TokenOrder
from acclimate.data.ragged import IntArray

if TYPE_CHECKING:
    from acclimate.stages.pretrain import Pretrain

RAMP_PARTS = 8  # of a batch, with which growing batches begin


@dataclass(frozen=True)
class Steps:
    """What a training reads, step by step."""

    order: TokenOrder | RampedOrder
    steps: int
    tokens: int  # of all steps

    @classmethod
    def of(cls, stage: "Pretrain", lengths: IntArray, longest: int, seed: int) -> "Steps":
        """In which order windows of these lengths [N] are read, and how many steps of it the budget buys."""
        whole = max(stage.batch_tokens, longest)
        parts = min(RAMP_PARTS, whole // int(lengths.max(initial=1))) if stage.batch_ramp else 1
        order = TokenOrder(lengths, whole // parts, seed)
        total = int(lengths.sum())
        taken = stage.steps(total, order.batches_per_epoch)
        tokens = taken * total // order.batches_per_epoch
        if parts == 1:
            return cls(order, taken, tokens)
        steps = RampedOrder.steps(taken, parts, stage.batch_ramp)
        return cls(RampedOrder(order, parts, round(stage.batch_ramp * steps)), steps, tokens)


def planned_tokens(stage: "Pretrain", epoch: float, longest_window: int) -> tuple[float, float]:
    """(tokens of all steps, of those that a fresh head would learn alone), where an epoch has so many."""
    whole = max(stage.batch_tokens, longest_window)
    parts = min(RAMP_PARTS, whole // longest_window) if stage.batch_ramp else 1
    batches = max(1, int(epoch // (whole // parts)))
    steps, ramp = stage.steps(max(1, round(epoch)), batches), 0
    if parts > 1:
        steps = RampedOrder.steps(steps, parts, stage.batch_ramp)
        ramp = round(stage.batch_ramp * steps)
    sizes = RampedOrder.sizes(parts, ramp)
    alone = max(1, round(steps * stage.head_warmup))
    taken, first = (int(sizes[:step].sum()) + parts * max(0, step - ramp) for step in (steps, alone))
    return taken * epoch / batches, first * epoch / batches
