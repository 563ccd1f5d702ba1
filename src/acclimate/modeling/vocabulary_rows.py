"""What of a model has a row for each entry of its vocabulary, and what stands beside its tokenizer: for cutting and for extending it."""

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from torch import nn

from acclimate.files import read_json, write_json
from acclimate.modeling.architecture import Architecture, Kind, untied
from acclimate.modeling.base_files import TOKENIZER_CONFIG
from acclimate.modeling.families import family_of
from acclimate.modeling.folder import CARRIED

KINDS: tuple[Kind, ...] = ("mlm", "classifier", "tagger")
ADDED_TOKENS, SPECIAL_TOKENS, ADDED_IN_CONFIG = "added_tokens.json", "special_tokens_map.json", "added_tokens_decoder"


def kinds_of(architecture: Architecture) -> tuple[Kind, ...]:
    """The kinds of model, heads included, that an architecture has here: not every decoder has a tagger."""
    return KINDS[:2] if family_of(architecture.config).decoder else KINDS


def vocabulary_axes(architecture: Architecture) -> dict[str, int]:
    """The tensors that have a row for each entry of the vocabulary, by name, with the axis on which they have it."""
    other = deepcopy(architecture.config)
    other.vocab_size += 1
    axes = {}
    for kind in kinds_of(architecture):
        # What changes its shape with the size of the vocabulary: whatever an architecture calls its parts, none is forgotten.
        shapes = {name: tensor.shape for name, tensor in untied(architecture.on_meta(kind)).items()}
        for name, tensor in untied(Architecture(other).on_meta(kind)).items():
            changed = [axis for axis, (one, two) in enumerate(zip(shapes[name], tensor.shape, strict=True)) if one != two]
            if changed:
                (axes[name],) = changed
    return axes


def vocabulary_parameters(model: nn.Module, architecture: Architecture) -> list[nn.Parameter]:
    """The parameters of a model that have a row for each entry."""
    axes = vocabulary_axes(architecture)
    return [parameter for name, parameter in model.named_parameters() if axes.get(name) == 0]


def bare_name(name: str) -> str:
    """The name of a tensor without what says that it is carried."""
    for kind in KINDS:
        name = name.removeprefix(f"{CARRIED}{kind}.")
    return name


def config_ids(architecture: Architecture) -> dict[str, Any]:
    """The ids that the configuration names, by field."""
    # The class's own defaults are among them: config.json need not say where padding is.
    values: dict[str, Any] = architecture.config.to_dict()
    rows = range(architecture.config.vocab_size)  # ids beyond it point to nothing before and after
    ids = {name: value for name, value in values.items() if name.endswith("_token_id") and value is not None}
    return {name: value for name, value in ids.items() if all(each in rows for each in (value if isinstance(value, list) else [value]))}


def write_sidecars(parent: Path, output: Path, new: Mapping[int, int]) -> None:
    """Write the files beside tokenizer.json, ids as `new` has them by the old ones; those of entries that it lacks go."""
    if (parent / TOKENIZER_CONFIG).is_file():
        config = read_json(parent / TOKENIZER_CONFIG)
        if ADDED_IN_CONFIG in config:
            added = config[ADDED_IN_CONFIG].items()
            config[ADDED_IN_CONFIG] = {str(new[int(old)]): token for old, token in added if int(old) in new}
        write_json(output / TOKENIZER_CONFIG, config)
    if (parent / ADDED_TOKENS).is_file():
        added = read_json(parent / ADDED_TOKENS).items()
        write_json(output / ADDED_TOKENS, {token: new[old] for token, old in added if old in new})
    if (parent / SPECIAL_TOKENS).is_file():
        write_json(output / SPECIAL_TOKENS, read_json(parent / SPECIAL_TOKENS))
