"""Where static vectors are kept, beside the token stores: distilling a vocabulary reads no text, so all runs of it share one.

<folder>/config.json, tokenizer.json, model.safetensors   what was distilled (`write_static`)
<folder>/static.json                                      key, the seconds that it took, checksums
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from acclimate.files import digest_file, digest_json
from acclimate.modeling.base_files import CONFIG, TOKENIZER, WEIGHTS
from acclimate.modeling.baselines.static_model import StaticVectors, read_static, write_static
from acclimate.stages.base import Context
from acclimate.stages.kept_once import Written, kept_once
from acclimate.versions import version

if TYPE_CHECKING:
    from acclimate.modeling.folder import ModelFolder

FACTS_FILE = "static.json"
RULES = 1  # raise it when the same encoder would now give something else


class Kept(NamedTuple):
    """Vectors of a vocabulary."""

    texts: StaticVectors
    seconds_before: float
    """That distilling took at another time; 0 where it was done now."""


def distilled_once(context: Context, parent: "ModelFolder", dimensions: int, zipf: bool, distil: Callable[[], StaticVectors]) -> Kept:
    """What `distil` gives, found where it is kept; a second process waits for the first. `fast_paths: {frozen_cache: false}` keeps none.

    Raises:
        Interrupted: a stop was asked for.
    """
    devices, fast = context.runtime.devices, context.runtime.fast
    if not fast.frozen_cache:
        return Kept(distil(), 0.0)
    key = digest_json({
        "rules": RULES, "dimensions": dimensions, "zipf": zipf,
        "model": {name: digest_file(parent.path / name) for name in (CONFIG, TOKENIZER, WEIGHTS)},
        "computed in": [devices.precision, devices.device.type], "fast paths": fast.keyed(),
        "libraries": {name: version(name) for name in ("torch", "transformers", "tokenizers", "scikit-learn")},
    })  # fmt: skip

    def write(temporary: Path) -> Written:
        write_static(temporary, distil())
        return {}, (CONFIG, TOKENIZER, WEIGHTS)

    folder, _, before = kept_once(context, key, FACTS_FILE, write)
    return Kept(read_static(folder), before)
