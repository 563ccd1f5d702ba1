"""What each token of a text adds to a label's logit: integrated gradients (Sundararajan et al. 2017, "Axiomatic Attribution for Deep
Networks"), by captum, along the straight line from the embeddings of the same text with every word masked."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from acclimate.data.tokens import mask_token
from acclimate.errors import MissingExtraError, ModelError, SettingsError, did_you_mean
from acclimate.evaluation.stated import texts_of
from acclimate.evaluation.trained_folder import checked_files, finite_weights
from acclimate.modeling.attention_maps import PLAIN, pieces_of
from acclimate.modeling.base_files import MAX_LENGTH, TEMPLATE, VECTORS, ZERO_SHOT
from acclimate.modeling.folder import ModelFolder
from acclimate.modeling.heads import load_trained_classifier
from acclimate.modeling.longest import sequence_length

STEPS = (32, 64, 128, 256, 512)  # points of the line, the next number where the sum is not near enough
TOLERANCE, LEAST = 0.01, 1e-3  # how near the sum must come: this share of the difference of logits, or this much of a logit
AT_A_TIME = 32  # points in a forward pass


@dataclass(frozen=True)
class Attributions:
    """What the tokens of a text add up to."""

    label: str
    tokens: tuple[str, ...]
    values: tuple[float, ...]
    """What each adds to the logit."""
    logit: float
    """Of the label, for the text."""
    masked: float
    """The same with every word masked."""
    steps: int

    @property
    def gap(self) -> float:
        """How far the sum is from the difference of logits, which it would equal with endless steps (completeness)."""
        return sum(self.values) - (self.logit - self.masked)

    @property
    def complete(self) -> bool:
        """Whether that is within the tolerance."""
        return abs(self.gap) <= max(LEAST, TOLERANCE * abs(self.logit - self.masked))

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "label": self.label, "tokens": list(self.tokens), "values": [round(value, 6) for value in self.values],
            "logit": round(self.logit, 6), "masked": round(self.masked, 6), "gap": round(self.gap, 6), "complete": self.complete,
            "steps": self.steps,
        }  # fmt: skip


def has_classifier(folder: Path) -> bool:
    """Whether a folder holds a classifier of texts that logits can be traced through."""
    model = ModelFolder(folder)
    plain = not any(name in model.config for name in (VECTORS, TEMPLATE, ZERO_SHOT)) and texts_of(model.config) != 2
    return plain and model.learnt == "classifier"


def check_captum() -> None:
    """See that captum is there.

    Raises:
        MissingExtraError: it is not.
    """
    try:
        import captum.attr  # noqa: F401
    except ImportError as error:
        raise MissingExtraError('attributions need captum: pip install "acclimate[explain]"') from error


def attributions(folder: Path, text: str, label: str | None = None) -> Attributions:
    """What each token of a text adds to the logit of a label (default: the one with the highest) of a trained classifier.

    Raises:
        MissingExtraError: captum is not installed.
        ModelError: the folder holds no classifier of texts.
        SettingsError: it has no such label, or the text has no word, or more tokens than the model reads.
    """
    check_captum()
    if not has_classifier(folder):
        raise ModelError(f"{folder}: attributions are those of a classifier of texts, and this model is none; fine-tune it first")
    kept = ModelFolder(folder)
    if label is not None and label not in kept.labels:
        raise SettingsError(f"--for {label}: the labels of {folder} are {', '.join(kept.labels)}{did_you_mean(label, list(kept.labels))}")
    model = checked_files(folder, lambda: load_trained_classifier(kept))
    finite_weights(folder, model)
    model.set_attn_implementation(PLAIN)
    tokenizer = kept.tokenizer()
    encoding = tokenizer.encode(text)
    pieces, length = pieces_of(encoding, text), sequence_length(kept.config.get(MAX_LENGTH), kept)
    if all(word is None for word in pieces.words):
        raise SettingsError("the sentence has no word: give one in quotes")
    if len(pieces.ids) > length:
        raise SettingsError(f"the sentence has {len(pieces.ids)} tokens, and {folder} reads {length}: shorten it")
    ids = torch.tensor([encoding.ids])
    # Padding would not do: some architectures count positions by it.
    blank, _ = mask_token(tokenizer, "stand for a word that is not there")
    masked = torch.tensor([[token if word is None else blank for token, word in zip(pieces.ids, pieces.words, strict=True)]])
    with torch.no_grad():
        logits, without = (_logits(model, each)[0] for each in (ids, masked))
    row = int(logits.argmax()) if label is None else kept.labels.index(label)
    for steps in STEPS:
        values = _integrated(model, ids, masked, row, steps)
        found = Attributions(kept.labels[row], pieces.labels, values, float(logits[row]), float(without[row]), steps)
        if found.complete:
            break
    return found


def _integrated(model: Any, ids: Tensor, masked: Tensor, row: int, steps: int) -> tuple[float, ...]:
    from captum.attr import LayerIntegratedGradients

    along = LayerIntegratedGradients(lambda each: _logits(model, each), model.get_input_embeddings())
    found = along.attribute(ids, baselines=masked, target=row, n_steps=steps, method="gausslegendre", internal_batch_size=AT_A_TIME)
    return tuple(found.sum(-1)[0].tolist())


def _logits(model: Any, ids: Tensor) -> Tensor:
    return model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits  # type: ignore[no-any-return]
