"""The shortcuts of the engine, each with a switch. Off, the plain computation is done: the results are the same up to rounding."""

from typing import Any

from acclimate.settings import Settings


class FastPaths(Settings):
    """Which shortcuts are taken. Each is exact but for rounding (cheap dropout: in distribution); switch one off to see for yourself."""

    packed: bool = True
    """Attention over a flat stream of sequences; off: padded batches of sequences of similar length."""
    sparse_head: bool = True
    """Masked language modelling's head at the masked positions only; off: at every position (classifiers pool one a text in any case)."""
    sparse_last_layer: bool = True
    """The feed-forward part of the last layer at the head's positions only; off, or with `sparse_head` off: at every position."""
    frozen_cache: bool = True
    """What frozen layers give, and what Doc2Vec trains, is computed once and kept on disk; off: computed wherever it is asked."""
    cheap_dropout: bool = True
    """On a CPU, dropout from random words instead of a draw for each number; off: torch's own dropout."""
    onednn: bool = True
    """On CPUs with AVX-512 that are not Intel's, float32 matrix products by oneDNN, which uses it; off: torch's own (by MKL)."""
    read_ahead: bool = True
    """The next batch is assembled while a step runs; off: before each step."""

    def keyed(self) -> dict[str, Any]:
        """What is switched off; part of the key of everything trained so."""
        return {name: value for name, value in self.model_dump().items() if value is not True}
