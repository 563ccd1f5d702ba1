"""A base that brings a trained classifier, which is kept: what a stage needs that asks it instead of training its own."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from acclimate.errors import ModelError, first_line
from acclimate.files import TEMPORARY_PREFIX, write_json
from acclimate.modeling.architecture import Kind, auto_class, quiet
from acclimate.modeling.base_files import CONFIG, MAX_LENGTH, POOL, STRIDE, THRESHOLDS, alone, is_tagger
from acclimate.modeling.folder import HEAD, ModelFolder, save_model
from acclimate.modeling.heads import load_trained_classifier, load_trained_tagger
from acclimate.modeling.imported_base import import_base, refuse_infinite
from acclimate.modeling.links import PROBLEMS
from acclimate.modeling.source import Source

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def import_trained(source: Source, output: Path) -> ModelFolder:
    """As `import_base`, with the base's own classifier: its labels, what they mean, the length that it was trained on, and
    how its numbers become answers. It may be a tagger.

    Raises:
        ModelError: weights of body or classifier are missing, are not finite, or do not fit the configuration.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=TEMPORARY_PREFIX, dir=output.parent) as temporary:
        base = import_base(source, Path(temporary) / "model")
        with alone(source.files, source.config, output.parent) as folder:
            kind: Kind = "tagger" if is_tagger(source.config) else "classifier"
            model = _classifier(source, folder, kind)
            refuse_infinite(source, dict(model.named_parameters()))
            if kind == "classifier":  # of one output, which is a number wherever nothing is said
                model.config.problem_type = model.config.problem_type or PROBLEMS["none" if model.config.num_labels == 1 else "softmax"]
            config, stride = source.config, source.config.get(STRIDE)
            kept = save_model(output, base, model, config.get(MAX_LENGTH), stride=stride, pool=config.get(POOL))
    if THRESHOLDS in config:
        write_json(output / CONFIG, kept.config | {THRESHOLDS: config[THRESHOLDS]})
    return ModelFolder(output)


def _classifier(source: Source, folder: Path, kind: Kind) -> "PreTrainedModel":
    if source.config.get(HEAD):  # deeper than transformers builds it, and so made here
        return (load_trained_tagger if kind == "tagger" else load_trained_classifier)(ModelFolder(folder))
    with torch.random.fork_rng(devices=[]), quiet():
        try:
            model, info = auto_class(kind, source.config).from_pretrained(
                folder, dtype=torch.float32, use_safetensors=True, trust_remote_code=False, local_files_only=True,
                output_loading_info=True,
            )  # fmt: skip
        except Exception as error:  # the files are somebody else's: whatever the library trips over is in them
            raise ModelError(f"base {source.name}: its weights do not fit its config.json ({first_line(error)})") from error
    if missing := sorted(info["missing_keys"]):
        raise ModelError(f"base {source.name}: {missing[0]} is missing, so it brings no whole {kind}")
    return model  # type: ignore[no-any-return]
