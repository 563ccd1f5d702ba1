"""What the frozen layers of a stage give for its texts, computed once and kept beside the token stores.

The same texts through the same frozen layers are found again by every later run: other seeds, another number of epochs, another head.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from acclimate.data.batches import evaluation_batches
from acclimate.data.outputs import Outputs, Precision, fits
from acclimate.data.sequences import Sequences
from acclimate.data.task import Split, text_digest
from acclimate.evaluation.run_model import in_parts
from acclimate.files import digest_file, digest_json
from acclimate.modeling.frozen import Divided
from acclimate.modeling.source import CONFIG, TOKENIZER, WEIGHTS
from acclimate.stages.base import Context

if TYPE_CHECKING:
    from acclimate.modeling.folder import ModelFolder


def with_hidden(
    texts: Sequences,
    parts: Divided,
    split: Split,
    parent: "ModelFolder",
    precision: Precision,
    micro: int,
    context: Context,
    notes: list[str],
) -> Sequences:
    """The texts with what the frozen layers give for them; without it where it is switched off or the disk has no room (with a note)."""
    if not context.runtime.fast.frozen_cache:
        return texts
    counts = np.ones(len(texts), dtype=np.int64) if parts.one_row else texts.lengths
    width = int(parts.whole.model.config.hidden_size)
    devices = context.runtime.devices
    if not fits(context.cache, int(counts.sum()), width, precision):
        size = int(counts.sum()) * width * np.dtype(precision).itemsize
        note = f"the outputs of the frozen layers ({size / 2**30:.1f} GiB) would fill the disk and are computed at every step instead"
        notes += [] if note in notes else [note]
        return texts
    key = digest_json(
        {
            "model": {name: digest_file(parent.path / name) for name in (CONFIG, TOKENIZER, WEIGHTS)},
            "depth": parts.depth,
            "one row": parts.one_row,
            "texts": text_digest(split.texts),
            "longest": int(texts.lengths.max(initial=0)),
            "computed in": devices.precision,
            "kept in": precision,
        }
    )

    def computed() -> Iterator[tuple[Any, Any]]:
        parts.eval()
        for indices in evaluation_batches(texts.lengths, micro):
            rows = torch.cat(in_parts(parts.hidden, texts.batch(indices), devices))
            yield indices, rows.float().cpu().numpy()

    return replace(texts, hidden=Outputs.build(context.cache / key[:32], key, counts, width, precision, computed()))
