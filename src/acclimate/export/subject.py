"""What of a model's folder is exported, decided before anything is loaded that takes long; and the same model asked by torch."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from acclimate.data.ragged import Ragged
from acclimate.errors import ModelError
from acclimate.evaluation.encoder import Encoding
from acclimate.evaluation.predictor import load_predictor
from acclimate.evaluation.stated import kind_of_model
from acclimate.evaluation.trained_folder import checked_files, model_config
from acclimate.evaluation.writing_predictor import writes
from acclimate.export.onnx_model import FACTS
from acclimate.modeling.base_files import CONFIG, TEMPLATE, VECTORS, WEIGHTS, ZERO_SHOT
from acclimate.modeling.baselines.table import BASELINES
from acclimate.modeling.label_prompt import EXAMPLES
from acclimate.modeling.label_words import Cloze

REFUSED = "{}: is {}, which is not exported; exported are classifiers, taggers, models of pairs and encoders of texts"
Way = Literal["labels", "label words", "vectors with a head", "vectors"]


@dataclass(frozen=True)
class Subject:
    """A model that can be exported."""

    name: str
    """What the user calls it."""
    folder: Path
    way: Way
    encoding: Encoding | None = None
    """Of what gives vectors and nothing else."""

    @property
    def kind(self) -> str:
        """The kind of task that it answers, or `vectors`."""
        if self.way == "vectors":
            return "vectors"
        found: str = kind_of_model(self.folder).model_fields["kind"].default
        return found

    @classmethod
    def of(cls, model: str) -> "Subject":
        """The model of a folder, a short name or a hub id.

        Raises:
            ModelError: it cannot be exported, or is none.
        """
        folder = Path(model).expanduser()
        if (folder / FACTS).is_file():
            raise ModelError(f"{model}: is an exported model already; name the folder that it was made of")
        if not (folder / CONFIG).is_file():
            encoding = Encoding.of(model, None, None)
            return cls(model, encoding.folder, "vectors", encoding)
        config = model_config(folder)
        for found, what in (
            (config.get("model_type") in BASELINES, "a plain baseline, and no transformer"),
            (ZERO_SHOT in config, "a model of inference that is asked for labels by sentences about them, a pass for each"),
            (EXAMPLES in (config.get(TEMPLATE) or {}), "a decoder that is asked for labels by a prompt"),
            (writes(config), "a decoder that writes its answers, a token after the other"),
        ):
            if found:
                raise ModelError(REFUSED.format(model, what))
        if (config.get(VECTORS) or {}).get("head"):
            return cls(model, folder, "vectors with a head")
        if TEMPLATE in config:
            return cls(model, folder, "label words")
        if (folder / WEIGHTS).is_file() and checked_files(folder, lambda: _learnt(folder)):
            kind_of_model(folder)
            return cls(model, folder, "labels")
        encoding = Encoding.of(model, None, None)
        return cls(model, folder, "vectors", encoding)

    @contextmanager
    def exportable(self) -> Iterator[Any]:
        """What is exported of it (`graph.Exportable`); its weights are read.

        Raises:
            ModelError: files are missing or damaged.
        """
        from acclimate.export.graph import asking, labelling, vectors
        from acclimate.modeling.folder import ModelFolder
        from acclimate.modeling.imported_base import import_base
        from acclimate.modeling.vector_heads import read_head

        with tempfile.TemporaryDirectory() as place:
            if self.encoding is not None:
                base = import_base(self.encoding.source, Path(place) / "model")
                yield vectors(base, self.encoding.form, self.encoding.dimensions)
            elif self.way == "label words":
                cloze = Cloze.read(model_config(self.folder), str(self.folder / CONFIG))
                assert cloze is not None
                yield checked_files(self.folder, lambda: asking(ModelFolder(self.folder), cloze))
            elif self.way == "labels":
                yield checked_files(self.folder, lambda: labelling(ModelFolder(self.folder)))
            else:
                kept = checked_files(self.folder, lambda: read_head(self.folder))
                assert kept is not None
                yield checked_files(self.folder, lambda: vectors(ModelFolder(self.folder), None, kept[1].get("dimensions"), *kept))

    def torch_outputs(self, columns: Sequence[Sequence[str]], words: Ragged | None) -> NDArray[Any]:
        """What it gives for these texts, as acclimate asks it: [N, L], [all words, L], or vectors [N, E]."""
        if self.encoding is not None:
            return self.encoding.load().encode(columns[0])
        asked = {} if words is None else {"words": words}
        return np.asarray(load_predictor(self.folder).probabilities(*columns, **asked))


def _learnt(folder: Path) -> bool:
    from acclimate.modeling.folder import ModelFolder

    return ModelFolder(folder).learnt is not None
