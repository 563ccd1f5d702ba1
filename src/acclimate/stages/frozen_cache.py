"""What the frozen layers of a stage give for its texts, computed once and kept beside the token stores.

The same texts through the same frozen layers are found again by every later run: another seed, another number of epochs, another head.
"""

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from acclimate.data.batches import evaluation_batches
from acclimate.data.hidden_outputs import Outputs, Precision, fits
from acclimate.data.sequences import Sequences
from acclimate.errors import Interrupted
from acclimate.evaluation.inference import in_parts
from acclimate.files import digest_file, digest_json
from acclimate.modeling.base_files import CONFIG, TOKENIZER, WEIGHTS
from acclimate.modeling.families import dimensions_of
from acclimate.modeling.frozen import Divided
from acclimate.stages.base import Context
from acclimate.training.remembered import remembered
from acclimate.versions import version

if TYPE_CHECKING:
    from acclimate.modeling.folder import ModelFolder

NO_ROOM = "what the frozen layers give would fill the disk, and is computed at every step instead"
RULES = 1  # raise it when frozen layers would now give something else


@dataclass(frozen=True)
class FrozenLayers:
    """The frozen layers of one stage, and where what they give is kept."""

    parts: Divided
    parent: "ModelFolder"
    precision: Precision
    micro: int  # tokens of a forward pass
    context: Context
    notes: list[str]

    def read(self, texts: Sequences, fingerprint: str, columns: int = 1) -> Sequences:
        """The texts with what the frozen layers give for them; without it where that is switched off or the disk has no room (noted).

        `fingerprint` is that of the texts themselves, of all in a row where an item has several `columns`.

        Raises:
            Interrupted: a stop was asked for; this pass begins anew.
        """
        runtime = self.context.runtime
        if not runtime.fast.frozen_cache:
            return texts
        counts = np.ones(len(texts), dtype=np.int64) if self.parts.one_row else texts.lengths
        width = dimensions_of(self.parts.whole.model.config.to_dict()).width
        size = int(counts.sum()) * width * np.dtype(self.precision).itemsize
        read = {"texts": fingerprint, "longest": int(texts.lengths.max(initial=0)), **({"columns": columns} if columns > 1 else {})}
        read |= texts.frame
        if len(texts) > texts.texts:  # long texts stand in several windows
            read["windows"] = hashlib.sha256(texts.windows.start.tobytes()).hexdigest()
        key = digest_json(self._facts | read)
        folder = self.context.cache / key[:32]
        # Asked once for the whole stage: a resume takes the way that was begun, for the sums of both differ in their last bit.
        if not remembered(self.context.work / f"frozen-{key[:8]}.json", lambda: float(fits(folder, size)), runtime.devices):
            if NO_ROOM not in self.notes:
                self.notes.append(NO_ROOM)
            return texts
        return replace(
            texts, hidden=Outputs.build(folder, key, counts, width, self.precision, self._computed(texts), self.context.patience)
        )

    @cached_property
    def _facts(self) -> dict[str, Any]:
        """All that decides what these layers give for a text."""
        devices = self.context.runtime.devices
        return {
            "rules": RULES,
            "model": {name: digest_file(self.parent.path / name) for name in (CONFIG, TOKENIZER, WEIGHTS)},
            "depth": self.parts.depth,
            "one row": self.parts.one_row,
            "computed in": [devices.precision, devices.device.type],
            "kept in": self.precision,
            "fast paths": self.context.runtime.fast.keyed(),
            "libraries": {name: version(name) for name in ("torch", "transformers", "tokenizers")},
        }

    def _computed(self, texts: Sequences) -> Iterator[tuple[Any, Any]]:
        runtime = self.context.runtime
        runtime.reporter.start(f"{self.context.title}: frozen layers", len(texts), 0)
        self.parts.eval()
        done, tokens, began = 0, 0, time.monotonic()
        for indices in evaluation_batches(texts.lengths, self.micro):
            # Peers that train along wait for this one and could not be told.
            if runtime.stop.asked and runtime.devices.world == 1:
                runtime.reporter.close()
                raise Interrupted(f"{self.context.title}: stopped before its training began")
            rows = torch.cat(in_parts(self.parts.hidden, texts.batch(indices), runtime.devices))
            yield indices, rows.float().cpu().numpy()
            done, tokens = done + len(indices), tokens + int(texts.lengths[indices].sum())
            runtime.reporter.step(done, tokens / max(time.monotonic() - began, 1e-9), None)
        runtime.reporter.close()
