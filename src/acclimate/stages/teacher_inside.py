"""What a teacher has inside for the texts of a student that reads them in the same pieces, computed once and kept like its answers."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from acclimate.data.batches import evaluation_batches
from acclimate.data.hidden_outputs import Outputs, Precision, fits
from acclimate.data.sequences import Sequences
from acclimate.errors import DiskFullError, Interrupted, SettingsError
from acclimate.evaluation.inference import in_parts
from acclimate.files import digest_file, digest_json
from acclimate.modeling.execution import Packed
from acclimate.modeling.families import dimensions_of
from acclimate.modeling.inner_states import first_states, last_attention_of
from acclimate.modeling.tensors import TensorBatch
from acclimate.objectives.inner_likeness import PARTS, Inside, Layers, Relations
from acclimate.stages.inside import paired, relation_heads
from acclimate.stages.teacher import Teacher

if TYPE_CHECKING:
    from acclimate.modeling.folder import ModelFolder
    from acclimate.stages.distill import Distill


def inside_of(
    stage: "Distill", student: Packed, folder: "ModelFolder", teacher: Teacher, texts: Sequences, read: str
) -> tuple[Outputs, Inside]:
    """What the teacher has inside for the student's sequences, and how the student, whose model is in `folder`, is compared with it.

    `read` is the digest of the texts.

    Raises:
        SettingsError: the two read texts in other pieces, or one of them does not run packed.
        DiskFullError: there is no room to keep it.
        Interrupted: a stop was asked for; the pass begins anew.
    """
    if folder.tokenizer().get_vocab(with_added_tokens=True) != teacher.folder.tokenizer().get_vocab(with_added_tokens=True):
        raise SettingsError(f"hidden: {stage.teacher} has another vocabulary than the student; leave `hidden` out")
    own, theirs = (dimensions_of(config) for config in (folder.config, teacher.folder.config))
    pairs = paired(own.layers, theirs.layers)
    inside: Inside
    precision: Precision
    if stage.hidden == "layers":
        inside, precision = Layers(student, tuple(layer for layer, _ in pairs)), "float32"
        counts, width = np.ones(len(texts), dtype=np.int64), len(pairs) * theirs.width
    else:
        if student.execution != "packed":
            raise SettingsError(f"hidden: relations: {student.reason or 'the student does not run packed'}; take `layers`")
        inside, precision = Relations(student, relation_heads(stage, own.width, theirs.width, theirs.heads)), "float16"
        counts, width = texts.lengths, PARTS * theirs.width
    facts: dict[str, Any] = {
        **teacher.facts,
        "inside": stage.hidden,
        "layers": [layer for _, layer in pairs] if stage.hidden == "layers" else None,
        "texts": [read, len(texts), int(texts.lengths.max(initial=0)), digest_file(folder.tokenizer_file)],
    }
    key, context = digest_json(facts), teacher.context
    kept_in, size = context.cache / key[:32], int(counts.sum()) * width * np.dtype(precision).itemsize
    if not fits(kept_in, size):
        raise DiskFullError(
            f"hidden: {stage.hidden}: what the teacher has inside takes {size / 1e9:,.1f} GB, more than half of the room that is left; "
            "read less (`texts`), or leave `hidden` out"
        )
    layers = [layer for _, layer in pairs]
    parts = _computed(teacher, texts, None if stage.hidden == "relations" else layers)
    return Outputs.build(kept_in, key, counts, width, precision, parts, context.patience), inside


def _computed(
    teacher: Teacher, texts: Sequences, layers: list[int] | None
) -> Iterator[tuple[NDArray[np.integer], NDArray[np.floating[Any]]]]:
    """By batches, the states of first tokens after `layers` [B, K * D], or (None) what the last attention compares [T, 3 * D]."""
    context = teacher.context
    runtime = context.runtime
    packed, micro = teacher.loaded()
    if layers is None and packed.execution != "packed":
        raise SettingsError(f"hidden: relations: the teacher does not run packed ({packed.reason}); take `layers`")

    def run(batch: TensorBatch) -> Tensor:
        if layers is None:
            return torch.cat(last_attention_of(packed, packed, batch)[1], dim=-1).float()
        return first_states(packed, layers, packed, batch)[1].flatten(1).float()

    packed.eval()
    runtime.reporter.start(f"{context.title}: the inside of the teacher", len(texts), 0)
    done, tokens, began = 0, 0, time.monotonic()
    for indices in evaluation_batches(texts.lengths, micro):
        if runtime.stop.asked and runtime.devices.world == 1:
            runtime.reporter.close()
            raise Interrupted(f"{context.title}: stopped before its training began")
        with torch.no_grad():
            rows = torch.cat(in_parts(run, texts.batch(indices), runtime.devices))
        yield indices, rows.cpu().numpy()
        done, tokens = done + len(indices), tokens + int(texts.lengths[indices].sum())
        runtime.reporter.step(done, tokens / max(time.monotonic() - began, 1e-9), None)
    runtime.reporter.close()
