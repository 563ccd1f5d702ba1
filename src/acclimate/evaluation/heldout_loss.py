"""How well a model does what it is trained for on text that it was not trained on, corpus by corpus and together: with fixed masks, say."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from torch import nn

from acclimate.data.batches import Batch
from acclimate.data.tokens import TokenStore
from acclimate.data.windows import Windows
from acclimate.evaluation.inference import MaskedScores, masked_scores, pooled
from acclimate.objectives.mlm import Vocabulary, heldout_batches
from acclimate.training.devices import Devices


@dataclass(frozen=True)
class Heldout:
    """Masked batches of held-out text, by corpus; or others, which `measure` asks for something else."""

    batches: Mapping[str, list[Batch]]
    silent: tuple[str, ...]
    """Corpora of whose held-out text no token can be masked (all unknown to the vocabulary, say): there is nothing to ask for."""
    beside: tuple[str, ...] = ()
    """Corpora that are measured, and have no say in what all together come to."""
    measure: Callable[[nn.Module, Sequence[Batch], Devices], MaskedScores] = masked_scores
    unasked: str = "no token of the held-out text of {} can be masked"
    """What is said of those that are silent."""

    @classmethod
    def of(
        cls, store: TokenStore, windows: Mapping[str, Windows], vocabulary: Vocabulary, max_tokens: int, beside: tuple[str, ...] = ()
    ) -> Self:
        """The windows of each corpus with masks that are the same in every run, in forward passes of at most `max_tokens`."""
        made = {name: heldout_batches(store, of_one, vocabulary, max_tokens) for name, of_one in windows.items()}
        asked = {name for name, batches in made.items() if any(len(batch.targets["target_ids"]) for batch in batches)}
        return cls({name: made[name] for name in made if name in asked}, tuple(name for name in made if name not in asked), beside)

    @cached_property
    def tokens(self) -> int:
        """Tokens of all batches, special ones included."""
        return sum(batch.tokens for batches in self.batches.values() for batch in batches)

    def score(self, model: nn.Module, devices: Devices) -> dict[str, float]:
        """`heldout_loss` and `heldout_accuracy` of all together and, as `.../<corpus>`, of each of several; a higher `score` is better."""
        each = {name: self.measure(model, batches, devices) for name, batches in self.batches.items()}
        together = pooled(scores for name, scores in each.items() if name not in self.beside)
        measured = {"heldout_loss": together.loss, "heldout_accuracy": together.accuracy, "score": -together.loss}
        if len(each) > 1:
            measured |= {f"heldout_loss/{name}": scores.loss for name, scores in each.items()}
            measured |= {f"heldout_accuracy/{name}": scores.accuracy for name, scores in each.items()}
        return measured

    def judge(self, devices: Devices) -> Callable[[nn.Module], dict[str, float]] | None:
        """`score` of a model; None where there is nothing to judge by."""
        return (lambda model: self.score(model, devices)) if self.judges else None

    @property
    def judges(self) -> bool:
        """Whether there is something that all together are judged by."""
        return any(name not in self.beside for name in self.batches)

    def notes(self) -> list[str]:
        """What should be known of it."""
        if not self.silent:
            return []
        return [f"{self.unasked.format(' and '.join(self.silent))}, so nothing is measured there"]
