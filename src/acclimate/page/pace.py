"""How fast this machine is, as plans assume it: what was measured once while it did something else must not stay."""

from dataclasses import dataclass

from acclimate.study.plan.estimate import product_rate

SECONDS = 0.1  # of a measurement


@dataclass
class Pace:
    """The quickest that was measured so far; one thread asks it."""

    quickest: float = 0.0
    """Floating-point operations a second."""

    def measured(self) -> float:
        """Measure again, and tell the quickest."""
        self.quickest = max(self.quickest, product_rate(seconds=SECONDS))
        return self.quickest
