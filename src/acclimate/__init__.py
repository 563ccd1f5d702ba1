"""acclimate: compare ways of adapting a pretrained language model to a domain and a task, and keep the best one.

The public names below are everything that is promised to stay; each is imported when it is first used, so that `import acclimate` and
`acclimate --help` load neither torch nor the models of a study.

    from acclimate import Finetune, Pretrain, Recipe, Study, run_study
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from acclimate.errors import (
        AcclimateError,
        ClusterError,
        DataError,
        DiskFullError,
        DivergedError,
        Interrupted,
        MissingExtraError,
        ModelError,
        SettingsError,
        StoreError,
        TrainingError,
        UnreadableError,
    )
    from acclimate.evaluation.encoder import load_encoder
    from acclimate.evaluation.predictor import load_predictor
    from acclimate.evaluation.zero_shot_predictor import load_zero_shot
    from acclimate.modeling.named import packaged_base
    from acclimate.report.publish import publish
    from acclimate.stages.as_is import AsIs
    from acclimate.stages.bilstm import Bilstm
    from acclimate.stages.bm25 import Bm25
    from acclimate.stages.doc2vec import Doc2vec
    from acclimate.stages.finetune import Finetune
    from acclimate.stages.linear_tagger import LinearTagger
    from acclimate.stages.majority import Majority
    from acclimate.stages.pretrain import Pretrain
    from acclimate.stages.prompt import Prompt
    from acclimate.stages.prune import Prune
    from acclimate.stages.search import Search
    from acclimate.stages.static import Static
    from acclimate.stages.tfidf import Tfidf
    from acclimate.stages.vectors import Vectors
    from acclimate.stages.zero_shot import ZeroShot
    from acclimate.study.language.recipe import Recipe
    from acclimate.study.language.study import Study, load_study
    from acclimate.study.plan.graph import Plan
    from acclimate.study.run import Options, run_study
    from acclimate.tasks.opened import DataSettings

__version__ = "0.2.0"

__all__ = [
    "AcclimateError",
    "AsIs",
    "Bilstm",
    "Bm25",
    "ClusterError",
    "DataError",
    "DataSettings",
    "DiskFullError",
    "DivergedError",
    "Doc2vec",
    "Finetune",
    "Interrupted",
    "LinearTagger",
    "Majority",
    "MissingExtraError",
    "ModelError",
    "Options",
    "Plan",
    "Pretrain",
    "Prompt",
    "Prune",
    "Recipe",
    "Search",
    "SettingsError",
    "Static",
    "StoreError",
    "Study",
    "Tfidf",
    "TrainingError",
    "UnreadableError",
    "Vectors",
    "ZeroShot",
    "load_encoder",
    "load_predictor",
    "load_study",
    "load_zero_shot",
    "packaged_base",
    "publish",
    "run_study",
]

_HOMES = {
    "acclimate.tasks.opened": ("DataSettings",),
    "acclimate.errors": (
        "AcclimateError",
        "ClusterError",
        "DataError",
        "DiskFullError",
        "DivergedError",
        "Interrupted",
        "MissingExtraError",
        "ModelError",
        "SettingsError",
        "StoreError",
        "TrainingError",
        "UnreadableError",
    ),
    "acclimate.evaluation.encoder": ("load_encoder",),
    "acclimate.evaluation.predictor": ("load_predictor",),
    "acclimate.evaluation.zero_shot_predictor": ("load_zero_shot",),
    "acclimate.modeling.named": ("packaged_base",),
    "acclimate.report.publish": ("publish",),
    "acclimate.stages.as_is": ("AsIs",),
    "acclimate.stages.bilstm": ("Bilstm",),
    "acclimate.stages.bm25": ("Bm25",),
    "acclimate.stages.doc2vec": ("Doc2vec",),
    "acclimate.stages.finetune": ("Finetune",),
    "acclimate.stages.linear_tagger": ("LinearTagger",),
    "acclimate.stages.majority": ("Majority",),
    "acclimate.stages.pretrain": ("Pretrain",),
    "acclimate.stages.prompt": ("Prompt",),
    "acclimate.stages.prune": ("Prune",),
    "acclimate.stages.search": ("Search",),
    "acclimate.stages.static": ("Static",),
    "acclimate.stages.tfidf": ("Tfidf",),
    "acclimate.stages.vectors": ("Vectors",),
    "acclimate.stages.zero_shot": ("ZeroShot",),
    "acclimate.study.language.recipe": ("Recipe",),
    "acclimate.study.language.study": ("Study", "load_study"),
    "acclimate.study.plan.graph": ("Plan",),
    "acclimate.study.run": ("Options", "run_study"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import a public name from its home when it is first asked for (PEP 562).

    Raises:
        AttributeError: the name is not public here.
    """
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value  # from now on found without this function
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
