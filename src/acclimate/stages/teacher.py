"""What a trained model says of texts, computed once and kept beside the token stores: whoever learns from it finds it there.

Epochs, students, recipes and studies that ask the same teacher about the same texts share it, whatever they learn besides.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax

from acclimate.data.hidden_outputs import Outputs
from acclimate.errors import Interrupted
from acclimate.evaluation.inference import LINKS, class_probabilities, word_probabilities
from acclimate.evaluation.pooling import pooled
from acclimate.evaluation.trained_folder import finite_weights
from acclimate.evaluation.transformer_predictor import windows_of
from acclimate.files import digest_file, digest_json
from acclimate.modeling.base_files import CONFIG, MAX_LENGTH, TOKENIZER, WEIGHTS
from acclimate.modeling.execution import Packed
from acclimate.modeling.heads import load_trained_classifier, load_trained_tagger, relabelled
from acclimate.modeling.longest import sequence_length
from acclimate.stages.base import Context
from acclimate.stages.trainer import own_forward_tokens
from acclimate.stages.transfer_text import Items
from acclimate.tasks.kind import Head
from acclimate.versions import version

if TYPE_CHECKING:
    from acclimate.modeling.folder import ModelFolder

RULES = 1  # raise it when a teacher would now say something else
LEAST = 1e-30  # of a probability: its logarithm is finite, and nothing comes of it


@dataclass(frozen=True)
class Teacher:
    """A trained classifier, or tagger, that answers the task of a stage; it is loaded when it is asked something new."""

    folder: "ModelFolder"
    head: Head
    """What the task asks for."""
    rows: tuple[int, ...]
    """[L] which of the model's outputs is each of these."""
    context: Context

    def says(self, items: Items, count: int) -> NDArray[np.float32]:
        """[N, L] logits of `count` items, in their order: of names of which one holds log p, of numbers these; [all words, L] of words.

        A text is read as the model reads one that it is to judge: as long as it learned, cut or in windows, by its own tokenizer.

        Raises:
            Interrupted: a stop was asked for; the pass begins anew.
            ModelError: the weights are not finite, or do not fit config.json.
        """
        words = None if items.words is None else items.words.lengths
        counts = np.ones(count, dtype=np.int64) if words is None else words
        key = digest_json(self.facts | {"texts": items.fingerprint})
        context = self.context
        kept = Outputs.build(
            context.cache / key[:32], key, counts, len(self.rows), "float32", self._computed(items, count), context.patience
        )
        found: NDArray[np.float32] = kept.values.view(np.ndarray)
        return found

    @property
    def facts(self) -> dict[str, Any]:
        """All that decides what it says of a text."""
        runtime = self.context.runtime
        return {
            "teacher": RULES,
            "model": {name: digest_file(self.folder.path / name) for name in (CONFIG, TOKENIZER, WEIGHTS)},
            "outputs": list(self.rows),
            "computed in": [runtime.devices.precision, runtime.devices.device.type],
            "fast paths": runtime.fast.keyed(),
            "libraries": {name: version(name) for name in ("torch", "transformers", "tokenizers")},
        }

    def loaded(self) -> tuple[Packed, int]:
        """The model, its outputs those of the task, and how many tokens go through it at a time.

        Raises:
            ModelError: the weights are not finite, or do not fit config.json.
        """
        runtime = self.context.runtime
        model = (load_trained_tagger if self.head.form == "tokens" else load_trained_classifier)(self.folder)
        finite_weights(self.folder.path, model)
        relabelled(model, self.head.names, self.rows, self.head.link)
        return Packed(model, runtime.fast).to(runtime.devices.device), own_forward_tokens(self.context, model)

    def _computed(self, items: Items, count: int) -> Iterator[tuple[NDArray[np.integer], NDArray[np.floating[Any]]]]:
        runtime, folder, words = self.context.runtime, self.folder, self.head.form == "tokens"
        packed, micro = self.loaded()
        length = sequence_length(folder.config.get(MAX_LENGTH), folder)
        overlap, pool = windows_of(folder.config, length, folder.path / CONFIG)
        texts = items.read(self.context, folder, length, overlap if words or pool else None)
        runtime.reporter.start(f"{self.context.title}: the teacher's answers", int(texts.lengths.sum()), 0)
        began = time.monotonic()

        def told(done: int, _: int) -> None:
            if runtime.stop.asked and runtime.devices.world == 1:
                runtime.reporter.close()
                raise Interrupted(f"{self.context.title}: stopped before its training began")
            runtime.reporter.step(done, done / max(time.monotonic() - began, 1e-9), None)

        if words:
            found = np.log(np.maximum(word_probabilities(packed, texts, self.head.names, micro, runtime.devices, told), LEAST))
        else:
            link, names = self.head.link, len(self.head.names)
            outputs = class_probabilities(packed, texts, names, micro, runtime.devices, LINKS["none" if pool is None else link], told)
            found = outputs if pool is None else logits(pooled(outputs, texts, pool, link), link)
        runtime.reporter.close()
        yield np.arange(count), found


def logits(outputs_NL: NDArray[np.float64], link: str) -> NDArray[np.float64]:
    """[N, L] whose probabilities these are, by the `link` of a head."""
    if link == "none":
        return outputs_NL
    log_NL = np.log(np.maximum(outputs_NL, LEAST))
    return log_NL if link == "softmax" else log_NL - np.log(np.maximum(1.0 - outputs_NL, LEAST))


def together(said: Sequence[NDArray[np.float32]], link: str) -> NDArray[np.float32]:
    """[N, L] what several teachers say as one, each of them as `Teacher.says`: the mean of their probabilities, or of their numbers."""
    if len(said) == 1:
        return said[0]
    of = {"softmax": partial(softmax, axis=1), "sigmoid": expit}.get(link, np.asarray)
    mean_NL = sum(of(each.astype(np.float64)) for each in said) / len(said)
    return logits(mean_NL, link).astype(np.float32)


def in_a_row(parts: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """What was said of several corpora, one after the other; of one as it lies on the disk."""
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
