"""A stage that stands beside another recipe: the mean of its own weights and of that recipe's (Wortsman et al. 2022)."""

import shutil
import time
from typing import Literal

from acclimate.evaluation.cost import Cost, disk_bytes
from acclimate.stages.base import Context, Outcome, Stage
from acclimate.stages.planned import Sizes


class Soup(Stage):
    """The mean of two models of one architecture."""

    stage: Literal["soup"] = "soup"
    of: str
    """The recipe whose weights are stirred in."""

    def reads(self) -> tuple[str, ...]:
        return ()

    def beside(self) -> tuple[str, ...]:
        return (self.of,)

    def draws(self) -> bool:
        return False

    def check(self, given: Sizes, task) -> Sizes:
        assert given.beside[self.of].hidden == given.hidden
        return given

    def run(self, parent, context: Context) -> Outcome:
        from safetensors.torch import save_file

        began = time.monotonic()
        output = context.output / "model"
        shutil.copytree(parent.path, output)
        own, other = parent.tensors(), context.beside[self.of].tensors()
        save_file({name: (own[name] + other[name]) / 2 for name in own}, output / "model.safetensors", {"format": "pt"})
        return Outcome({}, Cost(seconds=time.monotonic() - began, parameters=parent.parameters, disk_bytes=disk_bytes(output)))
