"""Where a stage keeps the vectors of texts: beside the token stores, found again by every recipe that asks the same encoder."""

from typing import TYPE_CHECKING

from acclimate.evaluation.kept_vectors import VectorCache
from acclimate.files import digest_file, digest_json
from acclimate.modeling.base_files import CONFIG, WEIGHTS
from acclimate.modeling.embedding_form import EmbeddingForm
from acclimate.stages.base import Context
from acclimate.versions import version

if TYPE_CHECKING:
    from acclimate.modeling.folder import ModelFolder

RULES = 1  # raise it when the same encoder would now give other vectors


def vector_cache(context: Context, parent: "ModelFolder", form: EmbeddingForm) -> VectorCache | None:
    """The cache of the vectors that the model of a folder gives in this form; None where `fast_paths: {frozen_cache: false}` says so.

    Prompts, the longest text and the tokenizer are no part of its key: the tokens that are read are, of every text.
    """
    runtime = context.runtime
    if not runtime.fast.frozen_cache:
        return None
    made = form.model_dump(mode="json", include={"pooling", "normalize", "dense", "activation"})
    decides = {
        "rules": RULES,
        "model": {name: digest_file(parent.path / name) for name in (CONFIG, WEIGHTS)},
        "form": made,
        "computed in": [runtime.devices.precision, runtime.devices.device.type],
        "fast paths": runtime.fast.keyed(),
        "libraries": {name: version(name) for name in ("torch", "transformers")},
    }
    return VectorCache(context.cache, digest_json(decides), context.patience)
