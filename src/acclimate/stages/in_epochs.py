"""How long a training lasts that counts in epochs, with a least number of steps."""

import math
from typing import TYPE_CHECKING

from acclimate.settings import Settings


class InEpochs(Settings):
    """A stage with these settings, whose defaults are its own."""

    if TYPE_CHECKING:
        epochs: float
        min_steps: int

    def steps(self, batches_per_epoch: int) -> int:
        """Optimiser steps at most: `epochs`, and at least `min_steps`."""
        return max(1, self.min_steps, math.ceil(self.epochs * batches_per_epoch))

    def told_of_least(self, batches_per_epoch: int) -> tuple[str, ...]:
        """Where `epochs` was written, and a `min_steps` that was not makes more of them."""
        asked, steps = math.ceil(self.epochs * batches_per_epoch), self.steps(batches_per_epoch)
        if "epochs" not in self.model_fields_set or "min_steps" in self.model_fields_set or asked >= steps:
            return ()
        made = f"`min_steps` makes {steps:,} of them, {steps / batches_per_epoch:.3g} epochs"
        return (f"epochs: {self.epochs:g} would be {asked:,} steps, and {made} at most: `min_steps: 0` takes it back",)
