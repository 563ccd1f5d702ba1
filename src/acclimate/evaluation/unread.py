"""What a model does not read of the texts that it is asked about: counted as they go through it, and told once for all of them."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from acclimate.data.sequences import Sequences


@dataclass
class Unread:
    """Counts that grow with every text; a model keeps one, for a file is answered in many parts."""

    length: int
    """Tokens of the longest text that is read whole, special ones included."""
    unit: str = "tokens"
    """What is counted: `tokens`, or of a model that knows no pieces `words`."""
    texts: int = 0
    """Texts, or pairs."""
    cut_texts: int = 0
    """Those of them that were not read to their end."""
    units: int = 0
    """Of all texts, read or not."""
    cut_units: int = 0
    """That were not read."""
    cut: NDArray[np.bool_] | None = field(default=None, compare=False, repr=False, kw_only=True)
    """[N] which of the texts, or pairs, that were asked about last were not read to their end; None where that is not known."""

    def add(self, read: Sequences) -> None:
        """Count these, too."""
        self.cut = read.cut
        self.count(read.texts, int(self.cut.sum()), read.tokens, read.cut_tokens)

    def count(self, texts: int, cut_texts: int, units: int, cut_units: int) -> None:
        """Count so many more."""
        self.texts += texts
        self.cut_texts += cut_texts
        self.units += units
        self.cut_units += cut_units

    def told(self) -> str:
        """What should be known of them; empty where all was read."""
        if not self.cut_texts:
            return ""
        rows, (is_, was) = "row" if self.texts == 1 else "rows", ("is", "was") if self.cut_texts == 1 else ("are", "were")
        share = 100 * self.cut_units / max(1, self.units)
        return (
            f"{self.cut_texts:,} of {self.texts:,} {rows} {is_} longer than the {self.length:,} {self.unit} that this model reads, and "
            f"{was} cut: {self.cut_units:,} of {self.units:,} {self.unit} were not read ({share:.1f} %)"
        )
