"""Whether a study may run code of its own: study files are shared, and whoever runs one must have said so."""

from pathlib import Path

from acclimate.errors import SettingsError
from acclimate.own_code import OwnCode
from acclimate.study.language.study import Study


def refuse_own_code(study: Study, root: Path, allowed: bool) -> None:
    """Refuse a study that runs code of its own where that is not `allowed`; `root` is where its paths start. Nothing is imported.

    Raises:
        SettingsError: which function of which file it would run, and how that is allowed.
    """
    if allowed:
        return
    for name, recipe in study.recipes.items():
        for written in (each for stage in recipe.stages for each in stage.own_code()):
            try:
                code = OwnCode.find(written, root)
            except SettingsError as error:
                raise SettingsError(f"recipes.{name}: {error}") from error
            raise SettingsError(
                f"recipes.{name}: this study runs code of its own, {code.function} of {code.file}, which may do anything that you may. "
                "Study files are shared, so it is run only where you say so: read that file, then add --allow-code "
                "(from Python allow_code=True)"
            )
