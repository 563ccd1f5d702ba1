"""Losses whose items see each other, on the toy model of the loop, and what two processes make of them."""

from dataclasses import replace

import numpy as np
import torch
from tests.toys.contrast import Contrast
from tests.training.test_loop import SETTINGS, Toy, Toys, run

from acclimate.data.batches import CountOrder
from acclimate.training.cached_gradients import accumulate
from acclimate.training.devices import seeded

PARTS = (1, 7, 25, 10_000)  # tokens
BATCHES = (8, 5, 1)  # texts; of one text a second process has none


class Buffered(Toy):
    """With a buffer, as encoders have: processes hand it on before a forward pass, and must all do so at the same time."""

    def __init__(self):
        super().__init__()
        self.register_buffer("places", torch.arange(3), persistent=False)


class Contrasts(Toys):
    """Texts whose first words are both even, or both odd, belong together."""

    together = True
    loss_of_all = Contrast(None)

    def count(self, batch):
        return self.loss_of_all.count({"classes": batch.targets["labels"]})

    def outputs(self, model, batch):
        return model(batch)

    def summed(self, outputs, targets):
        step = int(targets["step"][0])
        if self.seen is not None:
            self.seen.append(step)
        if self.stop is not None and step + 1 == self.stop_at:
            self.stop.ask()
        return self.loss_of_all.summed(outputs, {"classes": targets["labels"]})

    def loss(self, model, batch):
        raise AssertionError("a part of a batch has no loss")


class Sums(Contrasts):
    """The square of a sum: of one text, too, something is asked."""

    def count(self, batch):
        return float(batch.sequences)

    def summed(self, outputs, targets):
        return (outputs - targets["labels"][:, None]).sum(0).square().sum()


def gradients(kind, texts, tokens, model, devices, placed=None):
    """The loss of a batch and each gradient, by cached gradients in parts of so many tokens."""
    objective = kind(CountOrder(texts, texts, seed=3))
    batch = objective.batch(0)
    own = batch.shard(devices.rank, devices.world)
    parts = (own if own.sequences else batch.select(np.zeros(1, dtype=np.int64))).micro(tokens)
    model.zero_grad(set_to_none=True)
    count = objective.count(batch) or 1.0
    summed = accumulate(objective, placed or model, parts, batch, count, devices, lambda n: seeded(n, devices.device), "toy")
    found = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    return {"loss": devices.total(summed)[None] / count, **found}


def every_case(devices):
    """Losses and gradients of all kinds, batches and sizes of parts."""
    model = Buffered()
    placed = devices.place(model)
    return {
        f"{kind.__name__} of {texts} in {tokens}: {name}": value
        for kind in (Contrasts, Sums)
        for texts in BATCHES
        for tokens in PARTS
        for name, value in gradients(kind, texts, tokens, model, devices, placed).items()
    }


def trained(folder):
    """Weights and losses of whole trainings, whose last batch of an epoch is one text."""
    found = {}
    for kind in (Contrasts, Sums):
        model, result = run(
            folder / kind.__name__, replace(SETTINGS, steps=12, checkpoint_seconds=1e9), Buffered(), kind(CountOrder(9, 4, seed=3))
        )
        found |= {f"{kind.__name__} trained: {name}": value for name, value in model.state_dict().items()}
        found[f"{kind.__name__} trained: losses"] = torch.tensor([point["loss"] for point in result.history])
    return found
