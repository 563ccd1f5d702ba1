"""Which general text a study measures forgetting on, and what is wrong with what it says of that."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from acclimate.data.general import GENERAL
from acclimate.study.language.mistakes import Mistake, did_you_mean

if TYPE_CHECKING:  # a study asks this file
    from acclimate.study.language.study import Study


def general_text_of(study: "Study") -> str | None:
    """The text by its name (`GeneralText.open`); None where forgetting is not measured.

    Where nothing is said, it is where some recipe pretrains or changes a model.
    """
    asked = study.forgetting
    if asked is None:
        asked = any(
            stage.role in ("pretrains", "changes") or stage.teaches_words() for recipe in study.recipes.values() for stage in recipe.stages
        )
    return asked if isinstance(asked, str) else GENERAL if asked else None


def unmeasurable(study: "Study") -> Iterator[Mistake]:
    """The text must be there, and somebody who could forget it."""
    known = (*study.data.corpora_by_name(), GENERAL)
    if isinstance(study.forgetting, str) and study.forgetting not in known:
        near = did_you_mean(study.forgetting, known)
        if study.forgetting in study.data.selections():
            near = " in files: it is chosen while the study runs"
        yield Mistake(("forgetting",), f"there is no corpus {study.forgetting!r}{near}; there are {', '.join(known)}")
    if study.forgetting and study.recipes and all(recipe.is_baseline for recipe in study.recipes.values()):
        yield Mistake(("forgetting",), "every recipe is a plain baseline, and none of these predicts words; leave it out")
