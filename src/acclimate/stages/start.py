"""The start of every recipe: a pretrained model brought into the store's one form, or an architecture with random weights."""

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from acclimate.errors import ModelError
from acclimate.evaluation.cost import Cost, disk_bytes
from acclimate.modeling.base_files import DECIDES
from acclimate.modeling.shape import Shape
from acclimate.modeling.source import Source
from acclimate.stages.base import Context, Outcome, Role, Stage
from acclimate.stages.brought import brought
from acclimate.stages.planned import Reads, Sizes, Work
from acclimate.tasks.task import Task


class Start(Stage):
    """Not written by users: `base:` becomes one of these."""

    libraries: ClassVar[tuple[str, ...]] = ("torch", "transformers", "tokenizers")
    role: ClassVar[Role] = "start"
    reads_decoders: ClassVar[bool] = True
    silent: ClassVar[Mapping[str, Any]] = {"classifier": False, "decides": False}
    stage: Literal["start"] = "start"
    digest: str
    """SHA-256 of the base's weights, configuration and tokenizer."""
    random: bool = False
    """Keep architecture and tokenizer, draw the weights anew."""
    classifier: bool = False
    """Keep the trained classifier that the base brings; else it is left behind."""
    decides: bool = False
    """Keep by which thresholds, or in which windows, that one answers, where the base says so."""
    shape: Shape | None = None
    """The sizes of a model that does not exist yet; `folder` then holds its tokenizer."""
    name: str = Field(exclude=True)  # what the study calls it: not part of the key, the digest is
    folder: str = Field(exclude=True)

    @classmethod
    def of(cls, source: Source, random: bool, classifier: bool = False) -> Self:
        """The start of a recipe that begins with this base, or with its architecture alone; `classifier`: with the one that it brings."""
        kept = classifier and not random
        return cls(
            digest=source.digest, random=random, classifier=kept, decides=kept and any(name in source.config for name in DECIDES),
            shape=source.shape, name=source.name, folder=str(source.folder),
        )  # fmt: skip

    def title(self) -> str:
        if self.random:
            return "random weights"
        return f"read the base {Path(self.name).name}" + (" with its classifier" if self.classifier else "")

    def reads(self) -> tuple[str, ...]:
        return ()

    def seeds_apart(self) -> bool:
        return self.random

    def draws(self) -> bool:
        return self.random

    def keyed(self) -> dict[str, Any]:
        # The digest of a shape covers its sizes.
        return {name: value for name, value in super().keyed().items() if name != "shape"}

    def check(self, given: Sizes, task: Task | None) -> Sizes:
        # A head of random weights is no fresh one: all that is learned above it is learned from the same start.
        if self.random:
            return replace(given, pretrained=True, trained=True)
        return replace(given, classifier=brought(given.source)) if self.classifier and given.source is not None else given

    def work(self, given: Sizes, reads: Reads) -> Work:
        return Work(self.check(given, reads.task).disk_bytes, seconds=1.0)

    def run(self, parent: object, context: Context) -> Outcome:
        from acclimate.modeling.imported_base import import_base, random_base
        from acclimate.modeling.source import new_source, resolve_base
        from acclimate.modeling.trained_base import import_trained

        began = time.monotonic()
        root = Path("/")

        def look() -> Source:
            found = resolve_base(self.folder, root) if self.shape is None else new_source(self.shape, self.folder, root)
            if found.digest != self.digest:
                raise ModelError(f"base {self.name}: its files changed while the study ran; run the same command again")
            return replace(found, name=self.name)  # in messages, as the study calls it

        source = look()
        output = context.output / "model"
        notes: tuple[str, ...] = ()
        if self.random:
            random_base(source, output, context.seed)
        elif self.classifier:
            import_trained(source, output)
        else:
            notes = import_base(source, output).notes
        look()  # once more: what was read in between is what the digest says
        cost = Cost(seconds=time.monotonic() - began, parameters=source.parameters, disk_bytes=disk_bytes(output))
        return Outcome(metrics={}, cost=cost, notes=notes)
