"""What stages share that ask a masked language model for the words of labels: what the plan looks at, and how texts are read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from acclimate.data.cloze import room_for_text
from acclimate.errors import ModelError, SettingsError
from acclimate.modeling.base_files import TOKENIZER, read_tokenizer
from acclimate.modeling.families import dimensions_of
from acclimate.modeling.head_settings import MlmHead
from acclimate.modeling.label_words import TEMPLATES, Cloze, ClozeTokens
from acclimate.stages.planned import Sizes
from acclimate.tasks.task import Task

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from acclimate.modeling.folder import ModelFolder


@dataclass(frozen=True)
class Asked:
    """What the model in a folder is asked."""

    tokens: ClozeTokens
    written: dict[str, Any]
    """As config.json has it."""
    notes: tuple[str, ...]

    @classmethod
    def of(cls, cloze: Cloze, folder: "ModelFolder") -> Self:
        """A template and label words in the vocabulary of a folder.

        Raises:
            SettingsError: they do not fit it.
        """
        tokenizer = folder.tokenizer()
        tokens = cloze.tokens(tokenizer)
        return cls(tokens, cloze.written(tokens), cloze.notes(tokenizer))


def cloze_of(head: MlmHead, task: Task, what: str, templates: Mapping[int, str] = TEMPLATES) -> Cloze:
    """What the items of a task are asked; `what` names the setting, or the stage, in messages, `templates` are the usual ones.

    Raises:
        SettingsError: the task does not give an item one of several labels.
    """
    kind = task.kind
    if "sequence" not in kind.answered or kind.head(task.names, "sequence").link != "softmax":
        raise SettingsError(f"{what}: {kind.kind} has not one label out of several for each {kind.item}, so no one word can fill the mask")
    return head.cloze(task.names, kind.texts(), templates)


def check_asking(head: MlmHead, given: Sizes, task: Task | None, max_length: int | None, what: str) -> None:
    """Refuse a model without a head for masked words, and a template or words that do not fit the task or the vocabulary.

    Raises:
        SettingsError, ModelError: it is refused.
    """
    assert given.source is not None
    if given.fresh_head:
        raise SettingsError(
            f"{what}: {given.source.name} has no head for masked words, and one of random weights knows none; take a base that has (e.g. "
            "acclimate-mini), or let it learn one before, [pretrain: {corpus: NAME}, ...]"
        )
    if task is None:
        return
    cloze = cloze_of(head, task, what)
    try:
        cloze.check()
        if (tokenizer := vocabulary_of(given)) is not None:
            room_for_text(cloze.tokens(tokenizer).pattern, given.length(max_length))
    except (SettingsError, ModelError) as error:
        raise type(error)(f"{what}: {error}") from error


def told_of_asking(head: MlmHead, given: Sizes, task: Task, what: str) -> tuple[str, ...]:
    """What should be known of template and words before anything is trained."""
    tokenizer = vocabulary_of(given)
    return () if tokenizer is None else tuple(f"{what}: {note}" for note in cloze_of(head, task, what).notes(tokenizer))


def template_tokens(head: MlmHead, given: Sizes, task: Task, what: str) -> int:
    """How many tokens a template has, special ones included."""
    assert given.source is not None
    return len(cloze_of(head, task, what).tokens(read_tokenizer(given.source.folder / TOKENIZER)).pattern.tokens)


def vocabulary_of(given: Sizes) -> "Tokenizer | None":
    """The tokenizer of a model; None where a stage before is still to make it."""
    # Where a stage before makes another one, what it makes of words is not known yet: then it is looked at when that is there.
    assert given.source is not None
    if given.entries != dimensions_of(given.source.config).vocabulary:
        return None
    return read_tokenizer(given.source.folder / TOKENIZER)
