"""What is told of a stage that trains nothing while its model goes through a split, and how it is stopped."""

import time
from collections.abc import Callable

from acclimate.errors import Interrupted
from acclimate.stages.base import Context


def watched(context: Context, split: str, micro: int) -> Callable[[int, int], None]:
    """Tells of every forward pass of at most `micro` tokens, and stops where that is asked (`inference.Told`).

    Raises:
        Interrupted: from the function, where a stop was asked for.
    """
    reporter, began = context.runtime.reporter, time.monotonic()
    begun = False

    def told(done: int, every: int) -> None:
        nonlocal begun
        if not begun:
            reporter.start(f"{context.title} ({split})", -(-every // micro), 0)
        begun = True
        # Passes are not all full: there are more of them than steps.
        reporter.step(-(-done // micro), done / max(time.monotonic() - began, 1e-9), None)
        if context.runtime.stop.asked:
            raise Interrupted(f"{context.title}: stopped; it begins anew, for nothing is trained")

    return told
