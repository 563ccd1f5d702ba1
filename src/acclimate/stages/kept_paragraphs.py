"""Where Doc2Vec's training is kept, beside the token stores: it reads no label, so the label budgets of a seed share one training.

<folder>/config.json, model.safetensors   what was trained (`write_doc2vec`)
<folder>/paragraphs.json                  key, what training told, the seconds that it took, checksums
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from acclimate.data.corpus import Corpus
from acclimate.files import digest_json
from acclimate.modeling.base_files import CONFIG, WEIGHTS
from acclimate.modeling.baselines.doc2vec_model import read_doc2vec, write_doc2vec
from acclimate.modeling.baselines.drift import Drift
from acclimate.stages.base import Context
from acclimate.stages.kept_once import Written, kept_once
from acclimate.training.paragraph_training import Course, Trained, Watched, train
from acclimate.versions import version

if TYPE_CHECKING:
    from acclimate.modeling.baselines.paragraph_vectors import Network

FACTS_FILE = "paragraphs.json"
RULES = 1  # raise it when the same training would now give something else


class Kept(NamedTuple):
    """A training."""

    trained: Trained
    seconds_before: float
    """That it took at another time; 0 where it was done now."""


def trained_once(context: Context, course: Course, network: "Network", corpora: Mapping[str, Corpus], watched: Watched) -> Kept:
    """The training, found where it is kept; a second process waits for the first. `fast_paths: {frozen_cache: false}` keeps none.

    Raises:
        DataError: a document cannot be read, or no word is frequent enough.
        Interrupted: a stop was asked for.
    """
    if not context.runtime.fast.frozen_cache:
        return Kept(train(course, network, corpora, context.work, context.seed, watched), 0.0)
    key = digest_json({
        "rules": RULES, "course": _plain(asdict(course)), "network": asdict(network), "seed": context.seed,
        "corpora": {name: corpus.fingerprint for name, corpus in corpora.items()},
        "libraries": {name: version(name) for name in ("gensim", "numpy")},
    })  # fmt: skip

    def write(temporary: Path) -> Written:
        found = train(course, network, corpora, context.work, context.seed, watched)
        write_doc2vec(temporary, found.texts)
        told = {
            "documents": found.documents,
            "words_read": found.words_read,
            "drift": None if found.drift is None else found.drift._asdict(),
        }
        return told, (CONFIG, WEIGHTS)

    folder, facts, before = kept_once(context, key, FACTS_FILE, write)
    drift = None if facts["drift"] is None else Drift(**facts["drift"])
    return Kept(Trained(read_doc2vec(folder), facts["documents"], facts["words_read"], drift), before)


def _plain(value: Any) -> Any:
    """Phases are named tuples with mappings in them; as lists and dictionaries they have a digest."""
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value
