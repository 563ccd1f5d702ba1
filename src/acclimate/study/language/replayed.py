"""General text that a recipe replays, where the study says of none where it is: that which comes with acclimate."""

from typing import TYPE_CHECKING, TypeVar

from acclimate.data.corpus import CorpusSettings
from acclimate.data.general import GENERAL

if TYPE_CHECKING:  # a study asks this file for what it leaves unsaid
    from acclimate.study.language.study import Study

S = TypeVar("S", bound="Study")


def _replayed(study: "Study") -> tuple[str, ...]:
    """The corpora that its recipes replay, by name."""
    return tuple(dict.fromkeys(name for recipe in study.recipes.values() for stage in recipe.stages for name in stage.replays()))


def with_general(study: S) -> S:
    """The study with the corpora that its recipes replay."""
    lacking = [name for name in _replayed(study) if name not in study.data.corpora_by_name()]
    if not lacking:
        return study
    return study.model_copy(update={"data": study.data.model_copy(update={name: CorpusSettings(path=GENERAL) for name in lacking})})


def notes(study: "Study") -> tuple[str, ...]:
    """What should be known of them before anything is spent."""
    corpora = study.data.corpora_by_name()
    ours = [name for name in _replayed(study) if corpora[name].path == GENERAL]
    return tuple(f"{name}: what is replayed comes with acclimate, as by `data: {{{name}: {GENERAL}}}`" for name in ours)
