"""What `finetune` says, before anything is spent, of a head that stands on the vectors of texts, and of one that does not. No torch."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from acclimate.errors import SettingsError
from acclimate.modeling.embedding_form import EmbeddingForm
from acclimate.tasks.kind import TaskKind

if TYPE_CHECKING:
    from acclimate.stages.finetune import Finetune

ELSE = "say `head: architecture`, or leave it out"


def check_on_vector(stage: "Finetune", kind: TaskKind) -> None:
    """Refuse what a head on the vectors of texts cannot do.

    Raises:
        SettingsError: the first such thing, and what to say instead.
    """
    if stage.form(kind) != "sequence":
        raise SettingsError(f"head: `vector` is one vector a text, and {kind.kind} asks about every word; leave `head` out")
    if kind.texts() > 1 and stage.train != "head":
        raise SettingsError(
            f"head: `vector` of items with {kind.texts()} texts is trained alone, with `train: head`; or leave `head` out: both are then "
            "read together"
        )
    if stage.lora is not None:
        raise SettingsError(f"train: lora: no adapters are trained below a head that stands on the vectors of texts; {ELSE}")
    if stage.long == "windows":
        raise SettingsError(f"long: the vector of a text is made of its beginning, and none of its windows; {ELSE}")
    if stage.frozen_precision != "float32":
        raise SettingsError(f"frozen_precision: vectors are kept as float32; {ELSE}")


def told_of_head(stage: "Finetune", config: Mapping[str, Any], kind: TaskKind) -> tuple[str, ...]:
    """That a head does not stand on vectors which labels trained, where nobody said that it should not."""
    head = stage.head
    if head.vector is not None or head.mlm is not None or not EmbeddingForm.of(config).trained or stage.form(kind) != "sequence":
        return ()
    if kind.texts() > 1 and stage.train != "head":
        return ("the head reads both texts together, and does not stand on the vectors that `embed` trained; with `train: head` it does",)
    if head.layers > 1:
        return (
            f"a head of {head.layers} layers is the architecture's, and does not stand on the vectors that `embed` trained; "
            "`head: vector` is one layer on these",
        )
    return ()
