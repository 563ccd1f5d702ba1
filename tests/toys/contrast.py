"""A loss whose items see each other (supervised contrast: Khosla et al. 2020), a kind that asks for it, and a fine-tuning that knows it."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from acclimate.stages.finetune import Finetune
from acclimate.tasks.classify import Classify


@dataclass(frozen=True)
class Contrast:
    """How far a text is from those of its class, beside how far it is from all others of the batch."""

    weights: Any

    takes: ClassVar[str] = "class"
    together: ClassVar[bool] = True
    temperature: ClassVar[float] = 0.5

    def targets(self, split, rows):
        return {"classes": np.asarray(split.gold)[rows]}

    def count(self, targets):
        """Texts that are not alone in their class: of the others nothing is asked."""
        _, place, many = np.unique(targets["classes"], return_inverse=True, return_counts=True)
        return float((many[place] > 1).sum())

    def summed(self, outputs, targets):
        import torch

        vectors = torch.nn.functional.normalize(outputs.to(torch.promote_types(outputs.dtype, torch.float32)), dim=-1)
        itself = torch.eye(len(vectors), dtype=torch.bool, device=vectors.device)
        # Finite, for a batch of one text has nothing else in its row.
        likeness = (vectors @ vectors.T / self.temperature).masked_fill(itself, -1e9).log_softmax(-1)
        friends = (targets["classes"][:, None] == targets["classes"]) & ~itself
        return -(likeness * friends).sum(-1).div(friends.sum(-1).clamp(min=1)).sum()


class Contrasted(Classify):
    """Classification as it is, to be learned by contrast."""

    def head(self, names, form):
        return super().head(names, form)._replace(losses=("contrast",))


class FinetuneByContrast(Finetune):
    """Fine-tuning as it is, which knows one loss more."""

    version: ClassVar[int] = 2000 + Finetune.version

    @classmethod
    def losses(cls):
        return {**super().losses(), "contrast": Contrast}
