"""Doc2Vec kept as JSON and safetensors; gensim's own format is a pickle."""

from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from acclimate.errors import ModelError
from acclimate.files import read_json, write_json
from acclimate.modeling.baselines.paragraph_vectors import Network, ParagraphVectors, check_installed
from acclimate.modeling.baselines.table import DOC2VEC
from acclimate.modeling.baselines.vector_model import VectorModel
from acclimate.modeling.finite import check_finite


class Doc2vecModel(VectorModel):
    """Paragraph vectors, and what answers on them."""

    @staticmethod
    def load(folder: Path) -> "Doc2vecModel":
        """Read a folder that `write_doc2vec` and `write_head` wrote.

        Raises:
            MissingExtraError: gensim is not installed.
            ModelError: it is another kind of model, its numbers are not finite, or nothing answers on its vectors.
        """
        return Doc2vecModel.of(folder, read_doc2vec(folder))


def write_doc2vec(folder: Path, texts: ParagraphVectors) -> None:
    """Write what gives texts vectors into a new folder. Vectors of words that were not trained are left out."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "config.json", {"model_type": DOC2VEC, "network": asdict(texts.network), "words": texts.words})
    tensors: dict[str, NDArray[Any]] = {"counts": texts.counts, "outputs": texts.outputs}
    if texts.trained is texts.inputs:
        tensors["inputs"] = texts.inputs
    save_file(tensors, folder / "model.safetensors")


def read_doc2vec(folder: Path) -> ParagraphVectors:
    """As it was written.

    Raises:
        MissingExtraError: gensim is not installed.
        ModelError: it is another kind of model, or its numbers are not finite.
    """
    config = read_json(folder / "config.json")
    if config.get("model_type") != DOC2VEC:
        raise ModelError(f"{folder}: not a Doc2Vec baseline but {config.get('model_type')!r}")
    check_installed()  # now, and not when the first text is asked about
    tensors = load_file(folder / "model.safetensors")
    check_finite(folder, ((name, bool(np.isfinite(values).all())) for name, values in tensors.items()))
    network = Network(**{each.name: config["network"][each.name] for each in fields(Network)})
    words, counts, outputs = tuple(config["words"]), tensors["counts"], tensors["outputs"]
    if not len(words) == len(counts) == len(outputs):
        raise ModelError(f"{folder}: model.safetensors does not fit config.json; the folder is damaged, copy it again")
    return ParagraphVectors(network, words, counts, tensors.get("inputs", np.zeros_like(outputs)), outputs)
