"""A stage that changes a model: its word embeddings times a number."""

import shutil
import time
from typing import Literal

from acclimate.evaluation.cost import Cost, disk_bytes
from acclimate.stages.base import Context, Outcome, Stage


class Louder(Stage):
    """Multiply the word embeddings."""

    stage: Literal["louder"] = "louder"
    times: float = 2.0
    """By what."""

    def title(self) -> str:
        return f"{self.times:g} times as loud"

    def reads(self) -> tuple[str, ...]:
        return ()

    def draws(self) -> bool:
        return False

    def run(self, parent, context: Context) -> Outcome:
        from safetensors.torch import load_file, save_file

        began = time.monotonic()
        output = context.output / "model"
        shutil.copytree(parent.path, output)
        weights = load_file(output / "model.safetensors")
        (name,) = [name for name in weights if name.endswith("word_embeddings.weight")]
        save_file({**weights, name: self.times * weights[name]}, output / "model.safetensors", {"format": "pt"})
        cost = Cost(seconds=time.monotonic() - began, parameters=parent.parameters, disk_bytes=disk_bytes(output))
        return Outcome({"times": self.times}, cost, (f"{self.times:g} times as loud",))
