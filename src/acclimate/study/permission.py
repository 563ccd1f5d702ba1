"""Whether a study may run code of its own: study files are shared, and whoever runs one must have said so. Nothing is imported here."""

from collections.abc import Iterator
from pathlib import Path

from acclimate.errors import SettingsError
from acclimate.own_code import OwnCode
from acclimate.study.language.study import Study


def own_code(study: Study, root: Path) -> Iterator[tuple[str, OwnCode]]:
    """The functions of its own that a study calls, each with a recipe that does; `root` is where the study's paths start.

    Raises:
        SettingsError: there is no such function.
    """
    calls = {written: name for name, recipe in study.recipes.items() for stage in recipe.stages for written in stage.own_code()}
    for written, name in calls.items():
        try:
            yield name, OwnCode.find(written, root)
        except SettingsError as error:
            raise SettingsError(f"recipes.{name}: {error}") from error


def refuse_own_code(study: Study, root: Path, allowed: bool) -> None:
    """Refuse a study that runs code of its own where that is not `allowed`.

    Raises:
        SettingsError: which function of which file it would run, and how that is allowed.
    """
    if allowed:
        return
    for name, code in own_code(study, root):
        raise SettingsError(
            f"recipes.{name}: this study runs code of its own, {code.function} of {code.file}, which may do anything that you may. "
            "Study files are shared, so it is run only where you say so: read that file, then add --allow-code "
            "(from Python allow_code=True)"
        )


def notes(study: Study, root: Path) -> list[str]:
    """What a plan says of a study's own code."""
    return [f"{code.told} in {code.file} is code of one's own: it runs with --allow-code alone" for _, code in own_code(study, root)]
