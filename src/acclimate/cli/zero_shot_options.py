"""The options of verbs that ask a model of inference for labels which it never learned."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from acclimate.cli.reading_options import Reading
from acclimate.errors import SettingsError

_LABEL = re.compile(r'\s*(?:"([^"]*)"\s*|([^",]*))(?=,|$)')

if TYPE_CHECKING:
    from acclimate.evaluation.zero_shot_predictor import AskedModel


def _option(flags: str, says: str) -> Any:
    return typer.Option(flags, help=says, rich_help_panel="Labels that nobody trained (zero-shot)", show_default=False)


ZERO_SHOT = {
    "zero_shot": Annotated[
        str | None,
        _option("--zero-shot", 'Labels to ask a model of inference for: "Healthcare, Sports"; one with a comma in it stands in quotes.'),
    ],
    "template": Annotated[
        str | None, _option("--template", 'The sentence that follows from a text or not. Default: "This text is about {}."')
    ],
    "entailment": Annotated[
        str | None, _option("--entailment", "The model's label for what follows. Default: the one that begins with 'entail'.")
    ],
    "multi_label": Annotated[bool | None, _option("--multi-label", "A text may have several of the labels, or none.")],
}


def asked_model(folder: Path, given: Reading) -> "tuple[Path | AskedModel, Reading]":
    """The model as it is, or with the labels that it is asked for, and the other options.

    Raises:
        ModelError: there is no model in the folder.
        SettingsError: labels, template or entailment cannot be used, or `--zero-shot` is missing beside these.
    """
    asking = {name: given[name] for name in ZERO_SHOT if name in given}
    rest = {name: value for name, value in given.items() if name not in ZERO_SHOT}
    labels = asking.pop("zero_shot", None)
    if labels is None:
        if asking:
            name = next(iter(asking)).replace("_", "-")
            raise SettingsError(f"--{name} is said of labels that a model is asked for: say them with --zero-shot")
        return folder, rest
    from acclimate.evaluation.zero_shot_predictor import AskedModel

    several = bool(asking.pop("multi_label", False))
    return AskedModel.of(folder, labels_in(labels), several=several, **asking), rest


def labels_in(text: str) -> tuple[str, ...]:
    """Labels with commas between them; one that holds a comma stands in double quotes.

    Raises:
        SettingsError: a quote is not closed, or a label is empty.
    """
    found, at = [], 0
    while at <= len(text):
        label = _LABEL.match(text, at)
        if label is None:
            raise SettingsError(
                f"--zero-shot: {text!r} is no list of labels: {text[at:].strip()!r} has a quote that is not closed, or no comma"
            )
        found.append((label[1] if label[1] is not None else label[2]).strip())
        at = label.end() + 1
    if not all(found):
        raise SettingsError(f"--zero-shot: a label in {text!r} is empty")
    return tuple(found)
