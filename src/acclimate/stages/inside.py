"""What of a teacher's inside a student learns, as far as a plan knows it. No torch."""

from typing import TYPE_CHECKING

from acclimate.errors import SettingsError
from acclimate.modeling.longest import longest
from acclimate.stages.planned import BYTES, Sizes
from acclimate.tasks.kind import Form

if TYPE_CHECKING:
    from acclimate.stages.distill import Distill

HALF = 2  # bytes of a number that is kept for every token


def check_inside(stage: "Distill", given: Sizes, teacher: Sizes, form: Form) -> None:
    """Refuse a teacher whose inside this student cannot be compared with.

    Raises:
        SettingsError: the first reason.
    """
    what = f"hidden: {stage.hidden}"
    if stage.hidden != "relations" and stage.relation_heads is not None:
        raise SettingsError("relation_heads: goes with `hidden: relations`; leave it out")
    if stage.hidden == "none":
        return
    if given.family.decoder or teacher.family.decoder:
        raise SettingsError(f"{what} compares encoders; with a decoder leave `hidden` out, and what the teacher says is learned")
    words = (given.vocabulary, teacher.vocabulary)
    if given.entries != teacher.entries or (None not in words and words[0] != words[1]):
        raise SettingsError(
            f"{what} compares token by token, and {stage.teacher} has another vocabulary than the student; leave `hidden` out: what a "
            "teacher says of whole texts, or of words, is learned with any vocabulary"
        )
    if stage.gradient_checkpointing:
        raise SettingsError(f"{what}: states that are compared are kept, so `gradient_checkpointing` would save nothing; leave one out")
    if given.length(stage.max_length) > longest(teacher.config):
        raise SettingsError(f"{what}: {stage.teacher} has {longest(teacher.config)} positions; say `max_length: {longest(teacher.config)}`")
    if stage.hidden == "layers":
        _check_layers(stage, given, teacher, form)
    elif unpacked := next((each.family for each in (given, teacher) if each.family.unpacked), None):
        raise SettingsError(f"{what}: {unpacked.model_type}: {unpacked.unpacked}; `hidden: layers` can do without")
    else:
        relation_heads(stage, given.hidden, teacher.hidden, teacher.heads)


def _check_layers(stage: "Distill", given: Sizes, teacher: Sizes, form: Form) -> None:
    what = f"hidden: {stage.hidden}"
    if form == "tokens":
        raise SettingsError(f"{what} compares the first token of a text, which says nothing of single words; take `relations`")
    if given.hidden != teacher.hidden:
        raise SettingsError(
            f"{what}: states of the student are {given.hidden} wide, and those of {stage.teacher} {teacher.hidden}; `relations` compares "
            "models of any width"
        )
    if given.family.shares_layers or teacher.family.shares_layers:
        raise SettingsError(f"{what}: the layers of one of the two share their weights, so there is none in between; take `relations`")
    if not 1 < given.layers <= teacher.layers:
        few = "a student of one layer has none below its last" if given.layers == 1 else "the student has more layers than its teacher"
        raise SettingsError(f"{what}: {few}; take `relations`")


def paired(student: int, teacher: int) -> list[tuple[int, int]]:
    """Which layer of the teacher each of the student's but the last is to be like, counted from 0, evenly spread (PKD-skip)."""
    return [(layer, (layer + 1) * teacher // student - 1) for layer in range(student - 1)]


def relation_heads(stage: "Distill", student: int, teacher: int, heads: int) -> int:
    """Into how many heads both widths are divided.

    Raises:
        SettingsError: the number that was asked for does not divide them.
    """
    asked = stage.relation_heads
    if asked is None:
        return max(each for each in range(1, heads + 1) if student % each == teacher % each == 0)
    if student % asked or teacher % asked:
        raise SettingsError(f"relation_heads: {asked} does not divide the widths of both, {student} and {teacher}")
    return asked


def bytes_inside(stage: "Distill", given: Sizes, items: float, tokens: float) -> float:
    """That are kept of a teacher's inside."""
    width = given.beside[stage.teacher].hidden
    if stage.hidden == "layers":
        return items * BYTES * width * (given.layers - 1)
    return tokens * HALF * 3 * width if stage.hidden == "relations" else 0.0
