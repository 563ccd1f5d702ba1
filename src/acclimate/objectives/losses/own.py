"""A loss of the user's own."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor

from acclimate.errors import TrainingError
from acclimate.objectives.loss_settings import OwnLoss
from acclimate.objectives.losses.loss import Given
from acclimate.own_code import OwnCode


@dataclass
class Own:
    """What the function of a study says of each item, times its weight; what comes back is looked at, its numbers at the first step."""

    code: OwnCode
    function: Callable[..., Any]
    settings: dict[str, Any]
    seen: bool = False

    @classmethod
    def of(cls, given: Given) -> Self:
        """Imports it."""
        settings: OwnLoss = given.settings
        code = settings.code()
        return cls(code, code.load(), settings.settings)

    def one(self, logits_ML: Tensor, labels_M: Tensor, weights_M: Tensor) -> Tensor:
        """[M] of logits and the numbers of names."""
        return self._losses(logits_ML, labels_M) * weights_M

    def each(self, logits_BL: Tensor, labels_BL: Tensor, weights_BL: Tensor) -> Tensor:
        """[B, L] of logits and which labels hold: what it says of a text, which counts as the mean of the weights of its answers."""
        return self._losses(logits_BL, labels_BL)[:, None] * weights_BL

    def _losses(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """[M] what the function says of outputs [M, L].

        Raises:
            TrainingError: it fails, or says something else.
        """
        if not len(outputs):  # of a process that has no item of this batch
            return outputs.sum(dim=1)
        try:
            losses_M = self.function(outputs, labels, **self.settings)
        except (Exception, SystemExit) as error:
            # The loop goes on in smaller parts where memory runs out, which torch tells by one kind of error alone.
            if isinstance(error, MemoryError | torch.OutOfMemoryError) or (isinstance(error, RuntimeError) and "memory" in str(error)):
                raise
            given = f"outputs {[*outputs.shape]} and labels {[*labels.shape]}"
            raise TrainingError(f"loss {self.code.written}, given {given}: {self.code.told_error(error)}") from error
        if (wrong := self._wrong(losses_M, outputs)) is not None:
            raise TrainingError(f"loss {self.code.written} ({self.code.file}): {wrong}")
        self.seen = True
        returned: Tensor = losses_M
        return returned.float()

    def _wrong(self, losses_M: Any, outputs: Tensor) -> str | None:
        """What is wrong with what came back for outputs [M, L]."""
        items, wanted = len(outputs), "it must return the loss of each item, a tensor of floats"
        if not isinstance(losses_M, Tensor):
            return f"{wanted} [{items}], not a {type(losses_M).__name__}"
        if losses_M.shape != (items,):
            mend = " — leave out the mean (reduction='none')" if losses_M.ndim == 0 else ""
            return f"{wanted} [{items}], not {[*losses_M.shape]}{mend}"
        if not losses_M.is_floating_point():
            return f"{wanted}, not of {losses_M.dtype}"
        if outputs.requires_grad and not losses_M.requires_grad:
            return (
                "what it returns does not depend on the outputs, so nothing can be learned from it — a detach(), item() or no_grad() in it?"
            )
        # Once, for a GPU would have to wait for the answer in every step; later the loop sees it.
        if not self.seen and not bool(torch.isfinite(losses_M).all()):
            return f"at the first step {int((~torch.isfinite(losses_M)).sum())} of the {items} losses that it returns are not finite"
        return None
