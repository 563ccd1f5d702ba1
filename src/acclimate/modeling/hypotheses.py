"""How a model of natural language inference is asked which label a text has: a hypothesis a label, and the column that says it follows.

"This text is about {}." becomes a sentence for every label; the model judges whether the text entails it (Yin et al. 2019,
"Benchmarking zero-shot text classification", section 4). No torch.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from string import Formatter
from typing import Any, Self

from acclimate.errors import ModelError, SettingsError, did_you_mean
from acclimate.files import read_json, write_json
from acclimate.modeling.base_files import CONFIG, KIND, MAX_LENGTH, THRESHOLDS, ZERO_SHOT

TEMPLATE = "This text is about {}."
FOLLOWS = "entailment"  # what transformers' pipeline is told that output is called, where it has a name of its own
ENTAILMENT = "entail"  # what the name of the output begins with that says a hypothesis follows
CONTRADICTION = "contradict"  # and that of the one which says that it cannot be


@dataclass(frozen=True)
class Hypotheses:
    """L labels as sentences, and the output of the model that says of each whether it follows from a text."""

    labels: tuple[str, ...]
    """What the answers are called."""
    template: str = TEMPLATE
    words: Mapping[str, str] = field(default_factory=dict)
    """What stands in the template for a label, where it is not the label itself."""
    entailment: str | None = None
    """The output that says a hypothesis follows; None: the one whose name begins with `entail`."""
    several: bool = False
    """Each label is judged by itself, and several may hold; else one does."""

    @property
    def candidates(self) -> tuple[str, ...]:
        """[L] what stands in the template: the `candidate_labels` of transformers' pipeline."""
        return tuple(self.words.get(label, label) for label in self.labels)

    @property
    def sentences(self) -> tuple[str, ...]:
        """[L] the hypotheses."""
        return tuple(self.template.format(words) for words in self.candidates)

    def columns(self, outputs: Sequence[str]) -> tuple[int, int]:
        """(what speaks against a hypothesis, what says that it follows) among the outputs of a model.

        The first is the output whose name begins with `contradict`. Where none does, it is that of transformers' pipeline, which knows no
        names: the first output, or the last where a hypothesis follows by the first. In the usual orders both are the same.

        Raises:
            SettingsError: none of them says that it follows, or several might.
        """
        follows = entailment_column(outputs, self.entailment)
        named = [place for place, name in enumerate(outputs) if place != follows and name.casefold().startswith(CONTRADICTION)]
        return (named[0] if len(named) == 1 else len(outputs) - 1 if follows == 0 else 0), follows

    def written(self) -> dict[str, Any]:
        """As it stands in config.json."""
        return {
            "template": self.template,
            "labels": list(self.labels),
            "names": dict(self.words),
            "entailment": self.entailment,
            "several": self.several,
        }

    @classmethod
    def read(cls, config: Mapping[str, Any], where: str) -> Self | None:
        """Those of a config.json; None where it has none. `where` names it in messages.

        Raises:
            ModelError: they are damaged.
        """
        said = config.get(ZERO_SHOT)
        if said is None:
            return None
        try:
            found = cls(tuple(said["labels"]), said["template"], said["names"], said["entailment"], said["several"])
            check_template(found.template)
            if not found.labels or not all(isinstance(words, str) for words in (*found.labels, *found.candidates)):
                raise ValueError("`labels` and `names` are no texts")
        except (KeyError, TypeError, AttributeError, ValueError, SettingsError) as error:
            raise ModelError(f"{where}: {ZERO_SHOT} is damaged ({error}); copy the model again") from error
        return found


def check_template(template: str) -> None:
    """Refuse a template that does not have one place for a label.

    Raises:
        SettingsError: it has none, more than one, or one that says how the label is to be written.
    """
    try:
        places = [part for part in Formatter().parse(template) if part[1] is not None]
        good = [(name, layout, conversion) for _, name, layout, conversion in places] in ([("", "", None)], [("0", "", None)])
    except ValueError as error:
        raise SettingsError(f"template: {template!r} cannot be read ({error}); it needs one {{}}, as in {TEMPLATE!r}") from error
    if not good:
        found = "no place" if not places else f"{len(places)} places" if len(places) > 1 else f"the place {{{places[0][1]}}}"
        raise SettingsError(f"template: {template!r} has {found}; it needs one {{}}, where the label stands, as in {TEMPLATE!r}")


def check_words(words: Mapping[str, str | tuple[str, ...]], labels: Sequence[str]) -> None:
    """Refuse words for labels that a task does not have, words that are none, and two labels of the same words; a label may have several.

    Raises:
        SettingsError: there are such.
    """
    unknown = [name for name in words if name not in labels]
    if unknown:
        mend = did_you_mean(unknown[0], list(labels)) or f"; the labels are {', '.join(labels)}"
        raise SettingsError(f"names: {unknown[0]!r} is no label of the task{mend}")
    each = {label: (said,) if isinstance(said := words.get(label, label), str) else said for label in labels}
    if blank := next((label for label, several in each.items() if not several or not all(word.strip() for word in several)), None):
        raise SettingsError(f"names: there are no words for {blank!r}")
    known: dict[str, str] = {}
    for label, several in each.items():
        for word in several:
            other = known.setdefault(word, label)
            if other != label:
                raise SettingsError(f"names: {other!r} and {label!r} are both {word!r}, and no model can tell them apart")


def entailment_column(outputs: Sequence[str], named: str | None = None) -> int:
    """Which output of a model says that a hypothesis follows: the one that is `named`, or whose name begins with `entail`.

    Raises:
        SettingsError: there is none, or more than one.
    """
    every = f"its labels are {', '.join(outputs)}"
    if named is not None:
        exact = [number for number, name in enumerate(outputs) if name == named]
        found = exact or [number for number, name in enumerate(outputs) if name.casefold() == named.casefold()]
        if len(found) != 1:
            raise SettingsError(f"entailment: the model has no label {named!r}; {every}{did_you_mean(named, list(outputs))}")
        return found[0]
    found = [number for number, name in enumerate(outputs) if name.casefold().startswith(ENTAILMENT)]
    if len(found) == 1 and len(outputs) > 1:
        return found[0]
    which = "more than one label begins" if len(found) > 1 else "no label of the model begins"
    raise SettingsError(
        f"{which} with {ENTAILMENT!r}, so it cannot be told which one says that a hypothesis follows: {every}; "
        "name it with `entailment:`, or take a model of natural language inference"
    )


def with_hypotheses(model: Path, output: Path, hypotheses: Hypotheses, outputs: Sequence[str], length: int) -> None:
    """Copy a model of inference to `output`, and write into its config.json what it answers there, and how; `length` in tokens.

    transformers' pipeline takes the first label of `label2id` that begins with `entail`: it is the one that is asked here.

    Raises:
        SettingsError: no output says that a hypothesis follows.
    """
    follows = hypotheses.columns(outputs)[1]
    name = outputs[follows] if outputs[follows].casefold().startswith(ENTAILMENT) else FOLLOWS
    called = [name if number == follows else other for number, other in enumerate(outputs)]
    numbers = {name: follows} | {other: number for number, other in enumerate(called) if number != follows}
    shutil.copytree(model, output)
    config = {key: value for key, value in read_json(output / CONFIG).items() if key not in (KIND, THRESHOLDS)}
    config |= {"id2label": {str(number): other for number, other in enumerate(called)}, "label2id": numbers, MAX_LENGTH: length}
    write_json(output / CONFIG, config | {ZERO_SHOT: replace(hypotheses, entailment=name).written()})
